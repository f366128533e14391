//! Turns a corpus between the text that is kept here and the folder of files that libFuzzer works on:
//! `corpus unpack events FOLDER` adds the kept inputs to a folder, `corpus pack events FOLDER` keeps those of a folder.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

#[path = "../targets/corpus.rs"]
mod corpus;

/// Longer inputs stay where they were found: what is kept here is read by people.
const INPUT_BYTES_MAX: usize = 4096;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [verb, target, folder] = args.as_slice() else {
        return Err("usage: corpus unpack|pack TARGET FOLDER".into());
    };
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(format!("{target}.txt"));
    let folder = PathBuf::from(folder);
    match verb.as_str() {
        "unpack" => {
            std::fs::create_dir_all(&folder)?;
            for (number, input) in corpus::inputs(&std::fs::read_to_string(kept)?).iter().enumerate() {
                std::fs::write(folder.join(format!("kept-{number:04}")), input)?;
            }
        }
        "pack" => {
            let mut lines = BTreeSet::new();
            for entry in std::fs::read_dir(folder)? {
                let input = std::fs::read(entry?.path())?;
                if !input.is_empty() && input.len() <= INPUT_BYTES_MAX {
                    lines.insert((input.len(), line(&input)));
                }
            }
            let text: String = lines.into_iter().map(|(_, line)| line + "\n").collect();
            std::fs::write(kept, text)?;
        }
        verb => return Err(format!("there is no {verb}").into()),
    }
    Ok(())
}

fn line(input: &[u8]) -> String {
    let mut line = String::new();
    for chunk in input.utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '\\' => line.push_str("\\\\"),
                char if char.is_control() || (char.is_whitespace() && char != ' ') => {
                    escape(&mut line, char.encode_utf8(&mut [0; 4]).as_bytes())
                }
                char => line.push(char),
            }
        }
        escape(&mut line, chunk.invalid());
    }
    line
}

fn escape(line: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a string never fails.
        let _ = write!(line, "\\x{byte:02x}");
    }
}
