//! Failure and time: the schedule, what ends it, and what a corrected integration rescues. The clock is turned by hand.

use hookmill_domain::ids::DeliveryId;
use hookmill_domain::integration::Draft;
use hookmill_domain::state::DeliveryState;
use hookmill_domain::time::Time;
use hookmill_flow::River;
use hookmill_store::{Attempt, EventView, ListMax};

use crate::parts::clock::HandClock;
use crate::parts::receiver::{Gate, Receiver, Reply};
use crate::parts::river::{close, draft, limits, open, organization, post, wait_until};

const START_MS: i64 = 1_790_000_000_000;
const BODY: &str = r#"{"event":"document_text","data":{"id":"5e7a0daf255bf93741177061","text":"é"}}"#;

/// The attempts of an event's first delivery.
async fn attempts(river: &River, view: &EventView) -> Vec<Attempt> {
    let max = ListMax {
        items: 100,
        bytes: usize::MAX,
    };
    let delivery = view.runs[0].deliveries[0].delivery;
    river.store().attempts(delivery, 0, max).await.expect("read").items
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_attempts_with_waits_of_two_to_the_n_seconds() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = HandClock::at(START_MS);
    let mut river = open(folder.path(), &clock, limits()).await;
    let (receiver, witness) = (Receiver::answering(|_| Reply::Status(500)).await, Receiver::start().await);
    let tenant = organization(&river, "contractfit1").await;
    for (kind, url) in [("document_text", receiver.url("/hook")), ("document_delete", witness.url("/"))] {
        river.create_integration(tenant, draft(&[kind], &url)).await.expect("made");
    }

    let event = post(&river, tenant, BODY).await;
    let mut due = Vec::new();
    for attempts in 1..=10_u32 {
        let view = wait_until(&river, folder.path(), event, |view| {
            view.runs[0].deliveries.iter().any(|d| d.attempts == attempts)
        })
        .await;
        let delivery = &view.runs[0].deliveries[0];
        match delivery.due_at {
            Some(at) => {
                due.push(at.since_millis(clock.now_time()) / 1000);
                clock.turn_to(Time::from_millis(at.millis() - 1));
                if attempts == 3 {
                    // The schedule is on disk: a restart begins it at no other place.
                    close(river).await;
                    river = open(folder.path(), &clock, limits()).await;
                }
                // What is due is sent before what comes later: were it due already, it would be there when this is.
                post(&river, tenant, r#"{"event":"document_delete","data":{"id":"1"}}"#).await;
                witness.wait_for(attempts as usize).await;
                assert_eq!(receiver.received().len(), attempts as usize, "nothing is sent before its time");
                clock.turn_to(at);
            }
            None => assert_eq!((attempts, delivery.state), (10, DeliveryState::Exhausted)),
        }
    }
    assert_eq!(due, [2, 4, 8, 16, 32, 64, 128, 256, 512]);
    let received = receiver.wait_for(10).await;
    let first = &received[0];
    let delivery: DeliveryId = first.id().parse().expect("the webhook-id is the delivery's id");
    for (number, again) in received.iter().enumerate() {
        assert_eq!((again.id(), &again.body), (first.id(), &first.body));
        let since = [0, 2, 6, 14, 30, 62, 126, 254, 510, 1022][number];
        assert_eq!(
            again.header("webhook-timestamp"),
            (START_MS / 1000 + since).to_string(),
            "each attempt is signed anew"
        );
    }
    let view = wait_until(&river, folder.path(), event, |view| view.state.as_str() == "settled").await;
    assert_eq!(view.runs[0].deliveries[0].id, delivery);
    let attempts = attempts(&river, &view).await;
    assert_eq!(attempts.len(), 10);
    assert!(
        attempts
            .iter()
            .all(|attempt| attempt.status == Some(500) && attempt.code.as_deref() == Some("status"))
    );
    close(river).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrected_target_rescues_what_waits() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = HandClock::at(START_MS);
    let river = open(folder.path(), &clock, limits()).await;
    let broken = Receiver::answering(|_| Reply::Status(404)).await;
    let right = Receiver::start().await;
    let tenant = organization(&river, "contractfit1").await;
    let made = river
        .create_integration(tenant, draft(&["document_text"], &broken.url("/typo")))
        .await
        .expect("made");

    let event = post(&river, tenant, BODY).await;
    let first = broken.wait_for(1).await.remove(0);
    wait_until(&river, folder.path(), event, |view| {
        view.runs[0].deliveries.iter().any(|d| d.state == DeliveryState::Waiting)
    })
    .await;
    let corrected = draft(&["document_text"], &right.url("/hook"));
    river
        .change_integration(tenant, made.id, made.version, corrected, None)
        .await
        .expect("changed");
    clock.turn_by_ms(2_000);
    let again = right.wait_for(1).await.remove(0);
    assert_eq!((again.id(), &again.body), (first.id(), &first.body));
    assert_eq!(again.path, "/hook");
    wait_until(&river, folder.path(), event, |view| view.state.as_str() == "settled").await;
    close(river).await;
}

/// Its request is not kept any more: were it due again, nobody would ever send it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_up_while_its_attempt_is_under_way_stays_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = HandClock::at(START_MS);
    let river = open(folder.path(), &clock, limits()).await;
    let gate = Gate::closed();
    let receiver = {
        let gate = gate.clone();
        Receiver::answering(move |got| {
            if got.number == 1 {
                Reply::Gated(gate.clone(), 500)
            } else {
                Reply::Status(500)
            }
        })
        .await
    };
    let tenant = organization(&river, "contractfit1").await;
    let draft = |paused| Draft {
        paused,
        timeout_ms: Some(60_000),
        ..draft(&["document_text"], &receiver.url("/hook"))
    };
    let made = river.create_integration(tenant, draft(false)).await.expect("made");
    let event = post(&river, tenant, BODY).await;
    let is = |view: &EventView, state, attempts| {
        let mut deliveries = view.runs[0].deliveries.iter();
        deliveries.any(|delivery| (delivery.state, delivery.attempts) == (state, attempts))
    };
    wait_until(&river, folder.path(), event, |view| is(view, DeliveryState::Waiting, 1)).await;
    clock.turn_by_ms(2_000);
    receiver.wait_for(2).await;
    // Another one that waits: a lane of which nothing does is not looked through.
    let other = post(&river, tenant, BODY).await;
    wait_until(&river, folder.path(), other, |view| is(view, DeliveryState::Waiting, 1)).await;
    river
        .change_integration(tenant, made.id, made.version, draft(true), None)
        .await
        .expect("changed");
    clock.turn_by_ms(limits().delivery.age_ms_max);
    wait_until(&river, folder.path(), event, |view| is(view, DeliveryState::Expired, 1)).await;
    gate.open();
    let view = wait_until(&river, folder.path(), event, |view| !is(view, DeliveryState::Expired, 1)).await;
    assert!(is(&view, DeliveryState::Expired, 2), "{:?}", view.runs[0].deliveries);
    assert_eq!(view.runs[0].deliveries[0].due_at, None);
    close(river).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_2xx_is_success_and_a_redirect_is_a_failure() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = HandClock::at(START_MS);
    let river = open(folder.path(), &clock, limits()).await;
    let elsewhere = Receiver::start().await;
    let location = elsewhere.url("/elsewhere");
    let receiver = Receiver::answering(move |got| match got.number {
        0 => Reply::Full(302, vec![("location", location.clone())], "see there".into()),
        _ => Reply::Status(299),
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
    assert_eq!(view.runs[0].deliveries[0].status, Some(302));
    clock.turn_by_ms(2_000);
    let view = wait_until(&river, folder.path(), event, |view| view.state.as_str() == "settled").await;
    assert_eq!(view.runs[0].deliveries[0].state, DeliveryState::Delivered);
    assert!(elsewhere.received().is_empty());
    let attempts = attempts(&river, &view).await;
    assert_eq!(attempts[0].response, "see there");
    close(river).await;
}
