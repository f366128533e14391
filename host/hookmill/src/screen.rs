//! Where it is printed: lines of coloured pieces of text. A piece is made printable when it is made, so nothing that a receiver, a guest or a
//! client wrote reaches the terminal as it came.
//!
//! Colours stand where standard output is a terminal that wants them. If the reader has gone away (`| head`), what follows is not printed, and
//! that is no error.

use std::fmt::Write as _;
use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write};

use serde::Serialize;

/// Columns where nobody says how many there are.
const COLUMNS_DEFAULT: usize = 96;
/// Narrower terminals wrap by themselves.
const COLUMNS_MIN: usize = 72;
/// Longer lines are hard to read.
const COLUMNS_MAX: usize = 100;

/// How a piece of text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// As it is.
    Plain,
    /// What is to be seen first.
    Strong,
    /// What is seldom looked at.
    Faint,
    /// A name: an event's kind, a key of a JSON object.
    Name,
    /// It is as it should be.
    Good,
    /// It is not yet as it should be.
    Odd,
    /// It is wrong.
    Bad,
}

impl Style {
    fn codes(self) -> &'static str {
        match self {
            Style::Plain => "",
            Style::Strong => "1",
            Style::Faint => "2",
            Style::Name => "36",
            Style::Good => "32",
            Style::Odd => "33",
            Style::Bad => "1;31",
        }
    }
}

/// A piece of text that can be printed anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    style: Style,
    text: String,
}

impl Piece {
    /// Makes a text printable.
    pub(crate) fn new(style: Style, text: impl AsRef<str>) -> Piece {
        Piece {
            style,
            text: printable(text.as_ref()),
        }
    }

    /// The columns that it takes, if each character takes one.
    pub(crate) fn columns(&self) -> usize {
        self.text.chars().count()
    }

    /// Its first columns.
    pub(crate) fn cut(&mut self, columns: usize) {
        if let Some((end, _)) = self.text.char_indices().nth(columns) {
            self.text.truncate(end);
        }
    }
}

/// The columns that pieces take.
pub(crate) fn columns(pieces: &[Piece]) -> usize {
    pieces.iter().map(Piece::columns).sum()
}

macro_rules! styles {
    ($($(#[$doc:meta])* $name:ident = $style:ident,)*) => {
        $($(#[$doc])* pub(crate) fn $name(text: impl AsRef<str>) -> Piece {
            Piece::new(Style::$style, text)
        })*
    };
}

styles! {
    /// A piece of [`Style::Plain`].
    plain = Plain,
    /// A piece of [`Style::Strong`].
    strong = Strong,
    /// A piece of [`Style::Faint`].
    faint = Faint,
    /// A piece of [`Style::Name`].
    name = Name,
    /// A piece of [`Style::Good`].
    good = Good,
    /// A piece of [`Style::Odd`].
    odd = Odd,
    /// A piece of [`Style::Bad`].
    bad = Bad,
}

/// What is printed on.
pub(crate) struct Screen<W = BufWriter<Stdout>> {
    out: W,
    columns: usize,
    is_coloured: bool,
    is_closed: bool,
}

impl Screen {
    /// Standard output.
    pub(crate) fn stdout() -> Screen {
        let out = io::stdout();
        let is_terminal = out.is_terminal();
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let size = rustix::termios::tcgetwinsize(&out).ok().filter(|size| size.ws_col > 0);
        let columns = size.map_or(COLUMNS_DEFAULT, |size| usize::from(size.ws_col));
        Screen {
            out: BufWriter::new(out),
            columns: columns.clamp(COLUMNS_MIN, COLUMNS_MAX),
            is_coloured: is_terminal && !is_set("NO_COLOR") && !is_dumb,
            is_closed: false,
        }
    }
}

impl<W: Write> Screen<W> {
    /// The columns of a line.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// Whether nobody reads any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Prints a line.
    pub(crate) fn line(&mut self, pieces: &[Piece]) -> io::Result<()> {
        let mut text = String::new();
        for piece in pieces {
            let codes = if self.is_coloured { piece.style.codes() } else { "" };
            if codes.is_empty() {
                text.push_str(&piece.text);
            } else {
                // Writing into a string does not fail.
                let _ = write!(text, "\x1b[{codes}m{}\x1b[0m", piece.text);
            }
        }
        text.push('\n');
        self.put(|out| out.write_all(text.as_bytes()))
    }

    /// Prints a value as JSON, for programs. Characters that a terminal obeys are written as escapes, which say the same to a program.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        let json = serde_json::to_string(value)?;
        let mut text = String::with_capacity(json.len() + 1);
        for character in json.chars() {
            // White space between values stays; within strings it is escaped already.
            let is_space = matches!(character, '\n' | '\r' | '\t');
            if !is_space && (character.is_control() || turns_or_hides(character)) {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    // Writing into a string does not fail.
                    let _ = write!(text, "\\u{unit:04x}");
                }
            } else {
                text.push(character);
            }
        }
        text.push('\n');
        self.put(|out| out.write_all(text.as_bytes()))
    }

    /// Prints bytes as they are: those of a file whose writer has escaped what a terminal obeys.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.put(|out| out.write_all(bytes))
    }

    /// Prints pieces with a gap between the last one and the others, so that it ends with the line; where there is no room for it, it has a
    /// line of its own.
    pub(crate) fn line_to_end(&mut self, mut pieces: Vec<Piece>, last: Piece) -> io::Result<()> {
        let left = self.columns.saturating_sub(columns(&pieces));
        if left < last.columns() + 2 {
            self.line(&pieces)?;
            pieces.clear();
        }
        let gap = self.columns.saturating_sub(columns(&pieces) + last.columns());
        pieces.push(plain(" ".repeat(gap)));
        pieces.push(last);
        self.line(&pieces)
    }

    /// Prints an empty line.
    pub(crate) fn gap(&mut self) -> io::Result<()> {
        self.line(&[])
    }

    /// Shows what was printed so far.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.put(W::flush)
    }

    fn put(&mut self, put: impl FnOnce(&mut W) -> io::Result<()>) -> io::Result<()> {
        if self.is_closed {
            return Ok(());
        }
        match put(&mut self.out) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(())
            }
            other => other,
        }
    }
}

/// A number with commas between the thousands.
pub(crate) fn grouped(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().unwrap_or(u64::MAX).to_string();
    let mut grouped = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        // Writing into a string does not fail.
        let _ = grouped.write_char(digit);
    }
    grouped
}

/// Tells on standard error why a command failed. Guests, hosts and files have their say in it: none of it reaches the terminal as it came.
pub(crate) fn report(error: &anyhow::Error) {
    eprintln!("{}", paragraph(format!("hookmill: {error:#}")));
}

/// A text as it can be printed anywhere. Its lines stay lines, and all but the first are set in, so that none seems to be said by another.
pub(crate) fn paragraph(text: impl AsRef<str>) -> String {
    let lines: Vec<String> = text.as_ref().lines().map(printable).collect();
    lines.join("\n  ")
}

/// Control characters, and those that turn or hide what stands beside them, are written as escapes.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || turns_or_hides(character) {
            printable.extend(character.escape_unicode());
        } else {
            printable.push(character);
        }
    }
    printable
}

fn turns_or_hides(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A screen whose text can be read.
    pub(crate) fn screen(columns: usize) -> Screen<Vec<u8>> {
        Screen {
            out: Vec::new(),
            columns,
            is_coloured: false,
            is_closed: false,
        }
    }

    /// What stands on it.
    pub(crate) fn text(screen: Screen<Vec<u8>>) -> String {
        String::from_utf8(screen.out).expect("UTF-8")
    }

    #[test]
    fn nothing_reaches_the_terminal_as_a_command() {
        let text = plain("a\x1b[2J\u{9b}31m\r\u{202e}b\u{200b}c\n é 漢").text;
        assert_eq!(text, r"a\u{1b}[2J\u{9b}31m\u{d}\u{202e}b\u{200b}c\u{a} é 漢");
    }

    #[test]
    fn lines_of_a_paragraph_belong_to_it() {
        assert_eq!(paragraph("a: \x1b[2Jb\r\n\u{202e}c\n"), "a: \\u{1b}[2Jb\n  \\u{202e}c");
    }

    #[test]
    fn json_says_the_same_without_commands() {
        let value = "a\x1b[2J\u{9b}31m\u{202e}b\u{e0001}\n\"é";
        let mut screen = screen(80);
        screen.json(&value).expect("written");
        let text = text(screen);
        assert_eq!(text, "\"a\\u001b[2J\\u009b31m\\u202eb\\udb40\\udc01\\n\\\"é\"\n");
        assert_eq!(serde_json::from_str::<String>(&text).expect("JSON"), value);
    }

    #[test]
    fn colours_stand_where_they_are_wanted() {
        let mut screen = screen(80);
        screen.is_coloured = true;
        screen.line(&[plain("a "), good("b")]).expect("written");
        assert_eq!(text(screen), "a \x1b[32mb\x1b[0m\n");
    }

    #[test]
    fn the_last_piece_ends_with_the_line() {
        let mut screen = screen(12);
        screen.line_to_end(vec![plain("é")], faint("x")).expect("written");
        screen.line_to_end(vec![plain("0123456789a")], faint("xy")).expect("written");
        assert_eq!(text(screen), "é          x\n0123456789a\n          xy\n");
    }

    #[test]
    fn a_reader_who_has_gone_away_is_no_error() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut screen = Screen {
            out: Gone,
            columns: 80,
            is_coloured: false,
            is_closed: false,
        };
        screen.line(&[plain("a")]).expect("no error");
        assert!(screen.is_closed());
        screen.line(&[plain("b")]).expect("no error");
    }
}
