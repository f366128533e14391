//! What the READMEs tell to be typed, pasted into a shell as it stands: each block follows the one before without a pause.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use tempfile::TempDir;

use crate::parts::hookmill;
use crate::parts::languages::share_builds;
use crate::parts::readme::{block, blocks};

const README: &str = include_str!("../../README.md");
const OF_PLUGINS: &str = include_str!("../../plugins/README.md");
const EXAMPLE: &str = include_str!("../../plugins/examples/first/src/lib.rs");

/// Ends what a shell has started when it ends, however that comes.
const BEGINNING: &str = "set -euo pipefail; trap 'kill $(jobs -p) || true; wait' EXIT\n";
/// Where nothing is waited for in vain for ever. A first build takes minutes where the standard library is built, too.
const SECONDS_MAX: &str = "900";

#[test]
fn the_readme_does_what_it_says_from_run_it_to_the_built_in_plugins() {
    let (_, from) = README.split_once("\n## Run it\n").expect("a section");
    let (part, _) = from.split_once("\n## Configuration and limits\n").expect("a section");
    // Some blocks name ids that only whoever reads it knows.
    let blocks = blocks(part, "sh").into_iter().filter(|block| !block.contains('…'));
    let script: String = blocks.collect();
    // This one is built already, as any test wants it to be.
    let script = without(&script, "cargo build --release -p hookmill\n");
    // C is built in a moment, Python in half a minute.
    let script = replaced(&script, "--lang python", "--lang c");

    let place = Place::new();
    fs::create_dir_all(place.folder().join("target/release")).expect("a new folder");
    symlink(binary(), place.folder().join("target/release/hookmill")).expect("a link");
    for entry in ["plugins", "guest-sdk", "wit", "tests"] {
        let entry = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(entry);
        let entry = entry.canonicalize().expect("it stands in the repository");
        symlink(&entry, place.folder().join(entry.file_name().expect("a name"))).expect("a link");
    }
    let said = place.run(&script);
    assert!(said.contains(r#"{"status":"ready"}"#), "{said}");
    let received = format!("/alfred/document_text {}", block(README, "json"));
    assert!(said.contains(&received), "{said}");
    assert!(said.contains(r#""state":"skipped""#), "{said}");
}

#[test]
fn a_plugin_goes_live_from_nothing_is_mended_and_rolled_back() {
    let (part, _) = OF_PLUGINS.split_once("\n## Configuration\n").expect("a section");
    let script: String = blocks(part, "sh").concat();
    // What its words tell to do before that.
    let mended = "hookmill plugin build totals -o totals.wasm && hookmill plugin push totals.wasm --name totals\n";
    let mend = "sed -i 's|let total = \\(.*\\).ok_or(.*)?;|let Some(total) = \\1 else { return Ok(Outcome::skip(\"no total\")) };|' totals/src/lib.rs\n";
    let script = replaced(&script, mended, &format!("{mend}{mended}"));
    let said = Place::new().run(&script);
    for told in [
        r#""code": "rejected""#,
        r#""reason": "the document has no gross amount""#,
        r#""reason": "no total""#,
        "\"version\": 1,\n  \"active\": true",
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
}

/// "`rust` may be `js`, `python` or `c`; all else is the same".
#[track_caller]
fn goes_live_in(language: &str) {
    let (part, _) = OF_PLUGINS.split_once("\nMend the source ").expect("words between two blocks");
    let script: String = blocks(part, "sh").concat();
    let script = replaced(&script, "--lang rust", &format!("--lang {language}"));
    let said = Place::new().run(&script);
    for told in [
        r#""state": "done""#,
        r#""code": "rejected""#,
        r#""reason": "the document has no gross amount""#,
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
}

#[test]
fn a_plugin_goes_live_from_nothing_in_javascript() {
    goes_live_in("js");
}

#[test]
fn a_plugin_goes_live_from_nothing_in_python() {
    goes_live_in("python");
}

#[test]
fn a_plugin_goes_live_from_nothing_in_c() {
    goes_live_in("c");
}

#[test]
fn the_first_plugin_of_the_readme_is_the_example() {
    let without_words: String = EXAMPLE.split_inclusive('\n').skip_while(|line| line.starts_with("//!")).collect();
    assert_eq!(block(README, "rust"), without_words.trim_start());
}

/// Where somebody reads a README: a folder with nothing in it, and ports that nobody else has.
struct Place {
    folder: TempDir,
    host: u16,
    receiver: u16,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().expect("a temporary folder");
        share_builds(folder.path());
        let [host, receiver] = free_ports();
        Place { folder, host, receiver }
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a script in it, each of whose commands has to succeed. What it has said is told.
    fn run(&self, script: &str) -> String {
        let (api, target) = (format!("127.0.0.1:{}", self.host), format!("localhost:{}", self.receiver));
        let script = script.replace("127.0.0.1:8080", &api).replace("localhost:3000", &target);
        let script = script.replace("(\"127.0.0.1\", 3000)", &format!("(\"127.0.0.1\", {})", self.receiver));
        let write = |name: &str, text: &str| {
            let path = self.folder().join(name);
            fs::write(&path, text).expect("a temporary folder takes files");
            path
        };
        let script = write("script", &format!("{BEGINNING}{script}"));
        // So that a request which is refused is a command that fails.
        write(".curlrc", "fail\nsilent\nshow-error\n");
        let programs = self.folder().join("programs");
        fs::create_dir(&programs).expect("a new folder");
        symlink(binary(), programs.join("hookmill")).expect("a link");
        let path = std::env::var_os("PATH").expect("the tools are on it");
        let path = std::env::join_paths([programs].into_iter().chain(std::env::split_paths(&path)));

        // It has a group of its own, all of which is ended after that time.
        let mut shell = Command::new("timeout");
        shell.args([SECONDS_MAX, "bash"]).arg(script).current_dir(self.folder());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HOOKMILL_")) {
            shell.env_remove(name);
        }
        shell.envs([("HOOKMILL_LISTEN", &api), ("HOOKMILL_URL", &format!("http://{api}"))]);
        shell.env("HOOKMILL_LIMITS__INTAKE__DISK_FREE_BYTES_MIN", "1000000");
        shell
            .env("CURL_HOME", self.folder())
            .env("XDG_CONFIG_HOME", "/nowhere")
            .env("NO_PROXY", "*");
        shell.env("PATH", path.expect("no colons")).env_remove("CARGO_TARGET_DIR");
        let output = shell.stdin(Stdio::null()).output().expect("a shell");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}\n{said}\n{told}", output.status);
        said
    }
}

/// The binary under test, wherever it is looked at from.
fn binary() -> PathBuf {
    std::path::absolute(hookmill()).expect("a path")
}

/// Ports of this machine that nobody has, below those that the system gives to whoever asks for any.
fn free_ports() -> [u16; 2] {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).expect("it is small");
    let mut tried = std::iter::repeat_with(|| first + TRIED.fetch_add(1, Ordering::Relaxed) % 2_000);
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    [(); 2].map(|()| tried.find(is_free).expect("one of so many is free"))
}

#[track_caller]
fn replaced(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "{from}: {text}");
    text.replace(from, to)
}

#[track_caller]
fn without(text: &str, line: &str) -> String {
    replaced(text, line, "")
}
