//! Receivers that ask for patience: `Retry-After`. The clock is turned by hand.

use hookmill_domain::state::DeliveryState;
use hookmill_domain::time::Time;

use crate::parts::clock::HandClock;
use crate::parts::receiver::{Receiver, Reply};
use crate::parts::river::{close, draft, limits, open, organization, post, wait_until};

/// 2026-09-21T14:13:20Z.
const START_MS: i64 = 1_790_000_000_000;

const BODY: &str = r#"{"event":"document_text","data":{"id":"1","text":"x"}}"#;

/// How long the second attempt waits after a first answer of that status with that `Retry-After`, in milliseconds, by a clock that is
/// turned by hand; and that it is made then, and not before.
async fn waits_ms(status: u16, retry_after: &str) -> i64 {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = HandClock::at(START_MS);
    let river = open(folder.path(), &clock, limits()).await;
    let header = vec![("retry-after", retry_after.to_owned())];
    let receiver = Receiver::answering(move |got| match got.number {
        0 => Reply::Full(status, header.clone(), "busy".into()),
        _ => Reply::Status(204),
    })
    .await;
    let tenant = organization(&river, "contractfit1").await;
    river
        .create_integration(tenant, draft(&["document_text"], &receiver.url("/")))
        .await
        .expect("made");
    let event = post(&river, tenant, BODY).await;
    let view = wait_until(&river, folder.path(), event, |view| {
        view.runs[0].deliveries.iter().any(|d| d.state == DeliveryState::Waiting)
    })
    .await;
    let due = view.runs[0].deliveries[0].due_at.expect("what waits has a time");
    let waits = due.since_millis(clock.now_time());
    clock.turn_to(Time::from_millis(due.millis() - 1));
    // Something else that is due by now has gone its way before that is looked at.
    post(&river, tenant, BODY).await;
    receiver.wait_for(2).await;
    let view = river.store().event(event).await.expect("read").expect("there");
    assert_eq!(
        (view.runs[0].deliveries[0].state, view.runs[0].deliveries[0].attempts),
        (DeliveryState::Waiting, 1)
    );
    clock.turn_to(due);
    let view = wait_until(&river, folder.path(), event, |view| view.state.as_str() == "settled").await;
    assert_eq!(
        (view.runs[0].deliveries[0].state, view.runs[0].deliveries[0].attempts),
        (DeliveryState::Delivered, 2)
    );
    close(river).await;
    i64::try_from(waits).expect("a time")
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_postpones_and_never_shortens() {
    for (status, retry_after, waits) in [
        (503, "120", 120_000),
        (429, "120", 120_000),
        (503, "Mon, 21 Sep 2026 14:14:50 GMT", 90_000),
        (503, "1", 2_000),
        (503, "0", 2_000),
        (503, "Mon, 21 Sep 2026 14:13:20 GMT", 2_000),
        (503, "7200", 3_600_000),
        (429, "99999999999999999999", 3_600_000),
        (503, "soon", 2_000),
        (503, "-5", 2_000),
        (500, "120", 2_000),
        (404, "120", 2_000),
    ] {
        assert_eq!(waits_ms(status, retry_after).await, waits, "{status} {retry_after}");
    }
}
