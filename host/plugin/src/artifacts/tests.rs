use std::fs;
use std::time::Duration;

use super::*;

fn artifacts(dir: &Path, bytes_max: u64) -> Artifacts {
    of_engine(dir, "engine", bytes_max)
}

fn of_engine(dir: &Path, engine: &str, bytes_max: u64) -> Artifacts {
    Artifacts::open(dir, engine.to_owned(), bytes_max, Box::new(|_| false)).expect("a folder")
}

fn keep(artifacts: &Artifacts, name: &[u8], content: &[u8]) -> Digest {
    let component = Digest::of(name);
    let mut file = artifacts.begin().expect("a file");
    file.write_all(content).expect("written");
    artifacts.keep(&component, file, &Digest::of(content)).expect("kept");
    artifacts.make_room(&component).expect("swept");
    component
}

fn has(artifacts: &Artifacts, component: &Digest) -> bool {
    artifacts.has(component).expect("readable")
}

fn set_age(path: &Path, days: u64) {
    let made = std::fs::metadata(path).and_then(|file| file.modified()).expect("it is there");
    let time = made - Duration::from_secs(days * 24 * 60 * 60);
    File::open(path).expect("there").set_modified(time).expect("set");
}

#[test]
fn what_is_kept_is_found_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = dir.path().join("artifacts");
    let component = keep(&artifacts(&folder, 1000), b"a", b"code");
    let again = artifacts(&folder, 1000);
    assert_eq!(again.find(&component).expect("readable").expect("kept").bytes, 4);
    assert_eq!(again.compiled().expect("readable"), [component].into());
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(fs::metadata(&folder).expect("there").permissions().mode() & 0o777, 0o700);
    let other = of_engine(&folder, "another", 1000);
    assert!(
        other.find(&component).expect("readable").is_none(),
        "another engine's artifact is none"
    );
    assert!(other.compiled().expect("readable").is_empty());
}

#[test]
fn an_artifact_tells_how_large_its_tables_are() {
    let dir = tempfile::tempdir().expect("a folder");
    let artifacts = artifacts(dir.path(), 1_000_000);
    let tables_bytes = |exports: usize| {
        let exports: String = (0..exports).map(|number| format!(r#"(export "{number:04}" (func 0))"#)).collect();
        let component = wat::parse_str(format!("(component (core module (func) {exports}))")).expect("well-formed");
        let compiled = wasmtime::Engine::default().precompile_component(&component).expect("compiled");
        let component = keep(&artifacts, &component, &compiled);
        let verified = artifacts.find(&component).expect("readable").expect("kept");
        assert!(verified.tables_bytes() < verified.bytes);
        verified.tables_bytes()
    };
    let more = tables_bytes(2000) - tables_bytes(1000);
    assert!(
        (4_000..40_000).contains(&more),
        "{more} bytes for a thousand exports of four letters"
    );
    let none = keep(&artifacts, b"none", b"no artifact");
    let none = artifacts.find(&none).expect("readable").expect("kept");
    assert_eq!(none.tables_bytes(), none.bytes);
}

#[test]
fn a_damaged_artifact_is_not_found() {
    let dir = tempfile::tempdir().expect("a folder");
    let artifacts = artifacts(dir.path(), 1000);
    let check = |name: &str, damage: &dyn Fn(&Path)| {
        let component = keep(&artifacts, name.as_bytes(), b"code");
        assert!(has(&artifacts, &component));
        damage(&artifacts.paths(&component).0);
        assert!(!has(&artifacts, &component), "{name}");
        assert!(artifacts.find(&component).expect("readable").is_none(), "{name}");
        keep(&artifacts, name.as_bytes(), b"code");
        assert!(has(&artifacts, &component), "{name}: it is replaced");
    };
    let flip = |path: &Path| {
        let mut bytes = fs::read(path).expect("there");
        bytes[1] ^= 1;
        fs::write(path, bytes).expect("written");
    };
    check("a flipped bit", &flip);
    check("a flipped bit of the digest", &|path| flip(&digest_path(path)));
    check("cut short", &|path| fs::write(path, b"cod").expect("written"));
    check("empty", &|path| fs::write(path, b"").expect("written"));
    #[cfg(target_os = "linux")]
    check("unreadable", &|path| {
        fs::remove_file(path).expect("there");
        // Nothing is mapped at the address 0, so reading there is an EIO, as on a bad block.
        std::os::unix::fs::symlink("/proc/self/mem", path).expect("linked");
    });
    check("no digest", &|path| fs::remove_file(digest_path(path)).expect("there"));
    check("an empty digest", &|path| fs::write(digest_path(path), b"").expect("written"));
}

#[test]
fn what_was_unused_for_longest_goes_first_and_what_is_loaded_never() {
    let dir = tempfile::tempdir().expect("a folder");
    let loaded = Digest::of(b"loaded");
    let in_use: InUse = Box::new(move |component| *component == loaded);
    let artifacts = Artifacts::open(dir.path(), "engine".to_owned(), 100, in_use).expect("a folder");
    let days = [("loaded", 9), ("old", 8), ("used", 8)].map(|(name, days)| {
        let component = keep(&artifacts, name.as_bytes(), &[0; 30]);
        set_age(&artifacts.paths(&component).0, days);
        component
    });
    let [loaded, old, used] = days;
    assert!(artifacts.find(&used).expect("readable").is_some());
    assert!(!artifacts.is_full().expect("readable"));
    let new = keep(&artifacts, b"new", &[0; 30]);
    assert_eq!(
        [loaded, old, used, new].map(|component| has(&artifacts, &component)),
        [true, false, true, true]
    );
}

#[test]
fn other_engines_make_room_first() {
    let dir = tempfile::tempdir().expect("a folder");
    let own = artifacts(dir.path(), 100);
    let component = keep(&own, b"a", &[0; 40]);
    set_age(&own.paths(&component).0, 20);
    let other = of_engine(dir.path(), "another", 100);
    let theirs = keep(&other, b"a", &[0; 40]);
    let own = artifacts(dir.path(), 100);
    let new = keep(&own, b"b", &[0; 40]);
    assert!(has(&own, &component) && has(&own, &new) && !has(&other, &theirs));
}

/// As after an upgrade of the engine: else nothing would be compiled for it ahead of need.
#[test]
fn what_is_compiled_ahead_has_the_room_of_other_engines_and_not_its_own() {
    let dir = tempfile::tempdir().expect("a folder");
    let old = of_engine(dir.path(), "old", 100);
    let theirs = [b"a", b"b"].map(|name| keep(&old, name, &[0; 30]));
    set_age(&old.paths(&theirs[1]).0, 1);
    let new = artifacts(dir.path(), 100);
    let own = keep(&new, b"a", &[0; 40]);
    assert!(new.is_full().expect("readable"), "whoever works beside a host removes nothing");
    assert!(!new.is_full_of_own().expect("swept"));
    assert_eq!(theirs.map(|component| has(&old, &component)), [true, false], "as far as needed");
    keep(&new, b"c", &[0; 30]);
    assert!(!new.is_full_of_own().expect("swept"));
    assert!(has(&new, &own) && !has(&old, &theirs[0]));
    for name in [b"d", b"e"] {
        keep(&new, name, &[0; 15]);
    }
    assert!(new.is_full_of_own().expect("swept"));
    assert!(has(&new, &own));
}

#[test]
fn an_engine_that_is_rolled_back_to_finds_its_own_for_a_month() {
    let dir = tempfile::tempdir().expect("a folder");
    let old = of_engine(dir.path(), "old", 1000);
    let component = keep(&old, b"a", b"code");
    let new = of_engine(dir.path(), "new", 1000);
    keep(&new, b"a", b"other code");
    // It was read long ago, by a host that ran until yesterday.
    set_age(&old.paths(&component).0, 90);
    set_age(&dir.path().join("old.engine"), 29);
    set_age(&new.paths(&component).0, 90);
    assert_eq!(new.sweep().expect("swept"), Swept::default());
    assert!(has(&old, &component) && has(&new, &component));

    set_age(&dir.path().join("old.engine"), 31);
    set_age(&dir.path().join("new.engine"), 90);
    assert_eq!(new.sweep().expect("swept"), Swept { artifacts: 1, bytes: 4 });
    assert!(!has(&old, &component) && has(&new, &component));
    assert!(!dir.path().join("old.engine").exists());
    assert_eq!(new.sweep().expect("swept"), Swept::default());
}

#[test]
fn a_component_is_forgotten_in_all_engines() {
    let dir = tempfile::tempdir().expect("a folder");
    let (one, two) = (of_engine(dir.path(), "one", 1000), of_engine(dir.path(), "two", 1000));
    let (leaving, staying) = (keep(&one, b"leaving", b"code"), keep(&one, b"staying", b"code"));
    keep(&two, b"leaving", b"code");
    one.forget(&leaving).expect("removed");
    assert!(!has(&one, &leaving) && !has(&two, &leaving) && has(&one, &staying));
    let left = fs::read_dir(dir.path())
        .expect("there")
        .map(|entry| entry.expect("an entry").file_name());
    let left: Vec<_> = left
        .filter(|name| name.to_string_lossy().starts_with(&leaving.to_string()))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_is_young_may_be_on_its_way_into_the_store() {
    let dir = tempfile::tempdir().expect("a folder");
    let (one, two) = (of_engine(dir.path(), "one", 1000), of_engine(dir.path(), "two", 1000));
    let [young, old, again] = [b"1", b"2", b"3"].map(|name| keep(&one, name, b"code"));
    keep(&two, b"3", b"code");
    for component in [old, again] {
        set_age(&one.paths(&component).0, 2);
    }
    assert!(has(&one, &young));
    assert_eq!(one.settled().expect("readable"), [old]);
}

#[test]
fn half_written_files_go_at_the_next_start_and_what_is_being_written_stays() {
    let dir = tempfile::tempdir().expect("a folder");
    let first = artifacts(dir.path(), 100);
    let (file, left_behind) = first.begin().expect("a file").keep().expect("left behind");
    drop(file);
    let under_way = first.begin().expect("a file");
    let beside = Artifacts::beside(dir.path(), "another".to_owned(), 100, Box::new(|_| false)).expect("a folder");
    assert!(left_behind.exists(), "whoever works beside a host clears nothing");
    let written_beside = beside.begin().expect("a file");
    artifacts(dir.path(), 100);
    assert!(!left_behind.exists());
    assert!(under_way.path().exists() && written_beside.path().exists());
}
