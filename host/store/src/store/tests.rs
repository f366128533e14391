use hookmill_domain::clock::Sleep;
use hookmill_domain::integration::{IntegrationKey, OrganizationKey};
use hookmill_domain::revision::Snapshot;

use super::*;
use crate::desk::setting;
use crate::records::{Record, RunRef};

struct Still;

impl Clock for Still {
    fn now(&self) -> Time {
        Time::from_millis(1_790_000_000_000)
    }

    fn wall_seconds(&self) -> i64 {
        1_790_000_000
    }

    fn sleep_until(&self, _: Time) -> Sleep {
        Box::pin(std::future::pending())
    }

    fn random(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

/// A store on a new folder, for a test.
pub(crate) fn open(folder: &Path) -> Store {
    let settings = StoreSettings {
        folder: folder.join("data"),
        host: 0,
        disk_free_bytes_min: 0,
        keyring: None,
    };
    Store::open(settings, Arc::new(Still)).expect("the folder is new")
}

/// No test that kills a process sees what the system still held in memory: that each commit waits for the disk is asked of SQLite.
#[tokio::test]
async fn a_commit_is_on_disk_when_it_is_answered() {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let store = open(folder.path());
    let how = store.write(|desk| {
        let journal: String = desk.connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
        let synchronous: i64 = desk.connection.pragma_query_value(None, "synchronous", |row| row.get(0))?;
        Ok((journal, synchronous))
    });
    let (journal, synchronous) = how.await.expect("the writer answers");
    const FULL: i64 = 2;
    assert_eq!((journal.as_str(), synchronous), ("wal", FULL));
    store.close().await;
}

/// A record that can not be written by itself keeps neither its neighbours nor the end waiting, and no mark passes it: the next start
/// finds it.
#[tokio::test]
async fn a_record_that_can_not_be_written_keeps_nobody_waiting() {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let store = open(folder.path());
    let refuse = store.write(|desk| {
        desk.connection
            .execute_batch("CREATE TRIGGER refuse BEFORE INSERT ON queue BEGIN SELECT RAISE(ABORT, 'refused'); END")
    });
    refuse.await.expect("the writer answers");
    let run = RunRef {
        event: key(1),
        generation: 0,
        integration: IntegrationKey(1),
        organization: OrganizationKey(1),
    };
    store.record_outcomes([Record::Enqueue(run)]);
    let mark = || store.write(|desk| setting(desk.connection, "mark"));
    let before = match mark().await {
        // The commit that both were in has failed; from now on each record is written by itself.
        Err(_) => mark().await.expect("only the record is refused"),
        Ok(mark) => mark,
    };
    store.save_mark(key(before + 1));
    mark().await.expect("only the record is refused");
    assert_eq!(mark().await.expect("only the record is refused"), before);
    store.close().await;
}

async fn new_organization(store: &Store, name: &str) -> Arc<Snapshot> {
    let name = name.parse().expect("a name");
    let made = store.create_organization(name, Vec::new(), Time::from_millis(1)).await;
    let organization = made.expect("the writer answers").0.key;
    let snapshot = store.present_snapshot(organization).await.expect("it is read");
    Arc::new(snapshot.expect("it is there"))
}

fn events(snapshot: &Arc<Snapshot>, count: usize) -> Vec<NewEvent> {
    let event = || NewEvent {
        snapshot: snapshot.clone(),
        kind: "document_text".parse().expect("a kind"),
        inbox: None,
        project: None,
        document: "d".parse().expect("an id"),
        client: None,
        data: bytes::Bytes::from_static(b"{\"id\":\"d\"}"),
        owed: Vec::new(),
    };
    std::iter::repeat_with(event).take(count).collect()
}

/// While the writer is held, two organizations ask for the next commit: one with six large batches, then one with an event. Then `go` goes on, and
/// the writer, too. Gives the greatest key of each.
async fn asked_at_once(store: &Store, go: impl Future<Output = ()>) -> (Vec<Key>, Key) {
    let loud = new_organization(store, "loud").await;
    let quiet = new_organization(store, "quiet").await;
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (is_held, held) = tokio::sync::oneshot::channel();
    let holding = store.write(move |_| {
        let _ = is_held.send(());
        let _ = released.recv();
        Ok(())
    });
    let now = Time::from_millis(1);
    let greatest = |receipts: Result<Vec<Receipt>, AcceptError>| {
        let keys = receipts
            .expect("accepted")
            .into_iter()
            .filter_map(|receipt| Some(receipt.id.parts()?.0));
        keys.max().expect("some")
    };
    let asked = async {
        held.await.expect("the writer holds");
        let loud = [(); 6].map(|()| store.accept_events(events(&loud, 3000), now));
        let quiet = store.accept_events(events(&quiet, 1), now);
        let release = async {
            drop(release);
            go.await;
        };
        let (loud, quiet, ()) = tokio::join!(futures_util::future::join_all(loud), quiet, release);
        (loud.into_iter().map(greatest).collect(), greatest(quiet))
    };
    let (held, asked) = tokio::join!(holding, asked);
    held.expect("the writer answers");
    asked
}

/// However much others have asked for before: who posts little is in the next commit, and all that was asked for is carried by some.
#[tokio::test]
async fn what_is_asked_for_at_once_is_accepted_in_turns() {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let store = open(folder.path());
    let (loud, quiet) = asked_at_once(&store, async {}).await;
    // The first commit carries what has waited longest, and so much more as there is room for beside what is small.
    assert!(loud[..3].iter().all(|first| *first < quiet), "{loud:?} {quiet:?}");
    assert!(loud[3..].iter().all(|later| *later > quiet), "{loud:?} {quiet:?}");
    store.close().await;
}

#[tokio::test]
async fn what_waits_for_a_later_commit_is_accepted_before_the_end() {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let store = open(folder.path());
    let (loud, _) = asked_at_once(&store, store.close()).await;
    drop(store);
    let again = open(folder.path());
    for last in loud {
        assert!(again.event(last).await.expect("it is read").is_some());
    }
    again.close().await;
}
