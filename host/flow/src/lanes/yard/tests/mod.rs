//! The yard by itself: turns, limits, places and the mark.

mod calls;
mod memory;
mod retries;

use std::sync::Arc;

use bytes::Bytes;
use hookmill_domain::digest::Digest;
use hookmill_domain::ids::{IntegrationId, RunSource, Salt};
use hookmill_domain::integration::Hold;
use hookmill_domain::outcome::Method;
use hookmill_domain::request::Request;
use hookmill_domain::revision::Pinned;
use hookmill_store::{Accepted, Committed, DeliveryRef, RunRef};

use super::*;
use crate::lanes::window::Pace;
use crate::lanes::work::{Sending, Stage, place_bytes};

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.delivery.in_flight_max_per_target = 2;
    limits.delivery.in_flight_max_per_organization = 3;
    limits.delivery.in_flight_max = 5;
    limits
}

/// The same, with memory for two events of a thousand bytes for each organization.
fn memory_for_two() -> Limits {
    let mut limits = limits();
    limits.intake.payload_memory_bytes_max_per_organization = 2 * place_bytes(1000);
    limits
}

fn sending(number: i64, organization: i64, integration: i64, target: Option<&str>, again: bool) -> Sending {
    let run = RunRef {
        event: Key::from_i64(number).expect("positive"),
        generation: 0,
        integration: IntegrationKey(integration),
        organization: OrganizationKey(organization),
    };
    let integration = IntegrationId::from_bytes([7; 16]);
    let source = RunSource {
        key: run.event,
        salt: Salt::new(1),
        integration,
        generation: 0,
    };
    let stage = if again {
        Stage::Again {
            was_due: Time::from_millis(0),
            attempts: 1,
            counted: 1,
            bytes: 10,
        }
    } else {
        Stage::First {
            facts: None,
            digest: Digest::of(b""),
        }
    };
    let request = Request {
        target: target.map(|name| name.parse().expect("a name")),
        method: Method::Post,
        path: None,
        query: Vec::new(),
        headers: Vec::new(),
        content_type: "text/plain".to_owned(),
        body: Bytes::new(),
    };
    Sending {
        delivery: DeliveryRef { run, ordinal: 0 },
        id: source.delivery_id(0),
        request,
        stage,
    }
}

/// Whatever the order of offers and ends: limits hold, and nothing that waits is forgotten.
#[test]
fn every_delivery_has_its_turn() {
    for seed in 1..=300_u64 {
        let mut state = seed;
        let mut roll = move |sides: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % sides
        };
        let mut yard = Yard::new(limits(), 4);
        let (mut offered, mut refused, mut taken, mut under_way) = (0, 0, 0, Vec::new());
        for number in 1..400 {
            if roll(3) > 0 {
                let (integration, target) = (roll(4) as i64, [None, Some("review"), Some("far")][roll(3) as usize]);
                let sending = sending(number, integration % 2, integration, target, roll(4) == 0);
                offered += 1;
                refused += usize::from(yard.offer_sending(sending).is_some());
            }
            while roll(2) == 0 {
                let Some(sending) = yard.take_sending() else { break };
                taken += 1;
                under_way.push(sending);
            }
            assert!(under_way.len() <= 5);
            if !under_way.is_empty() && roll(2) == 0 {
                let ended: Sending = under_way.swap_remove(roll(under_way.len() as u64) as usize);
                // One target in three hangs, until it does not.
                let pace = match (ended.target(), roll(8)) {
                    (None, 1..) => Pace::Hung,
                    (_, 0) => Pace::Unknown,
                    _ => Pace::Answered,
                };
                yard.attempt_ended(&ended, pace, None, &mut After::default());
            }
        }
        loop {
            while let Some(sending) = yard.take_sending() {
                taken += 1;
                under_way.push(sending);
            }
            let Some(ended) = under_way.pop() else { break };
            yard.attempt_ended(&ended, Pace::Unknown, None, &mut After::default());
        }
        assert_eq!(taken + refused, offered, "seed {seed}: something that waits is forgotten");
        assert_eq!((yard.under_way(), yard.hung_in_flight), ((0, 0), 0));
        assert!(yard.organizations.values().all(|organization| organization.hung_in_flight == 0));
    }
}

/// Targets that have hung hold half of what their organization may have, however many they are: one that answers finds room.
#[test]
fn targets_that_hang_leave_room_for_one_that_answers() {
    let mut yard = Yard::new(Limits::default(), 4);
    let offer = |yard: &mut Yard, round: i64, integrations: std::ops::Range<i64>| {
        for integration in integrations {
            let number = 1_000_000 * round + integration;
            assert!(yard.offer_sending(sending(number, 1, integration, None, false)).is_none());
        }
    };
    let take_all = |yard: &mut Yard| std::iter::from_fn(|| yard.take_sending()).collect::<Vec<_>>();
    // Five attempts at each of 400 targets come to nothing.
    for round in 1..=5 {
        offer(&mut yard, round, 1..401);
        let mut ended = 0;
        while ended < 400 {
            for hung in take_all(&mut yard) {
                yard.attempt_ended(&hung, Pace::Hung, None, &mut After::default());
                ended += 1;
            }
        }
    }
    offer(&mut yard, 6, 1..401);
    let held = take_all(&mut yard);
    assert_eq!(held.len(), 128);
    // One that answers gets its turn at once, and so it does after each of theirs.
    offer(&mut yard, 7, 1000..1001);
    let well = yard.take_sending().expect("there is room");
    assert_eq!(well.delivery.run.integration, IntegrationKey(1000));
    assert!(yard.take_sending().is_none());
    for hung in &held {
        yard.attempt_ended(hung, Pace::Hung, None, &mut After::default());
    }
    assert_eq!(take_all(&mut yard).len(), 128, "the next of them");
}

/// The same between organizations: those that hang hold half of what the host may have.
#[test]
fn organizations_whose_targets_hang_leave_room_for_the_others() {
    let mut limits = Limits::default();
    limits.delivery.in_flight_max = 8;
    limits.delivery.in_flight_max_per_organization = 4;
    let mut yard = Yard::new(limits, 4);
    let mut hang = |number: i64, times: usize| {
        for _ in 0..times {
            assert!(yard.offer_sending(sending(number, number, number, None, false)).is_none());
            let taken = yard.take_sending().expect("it is alone");
            yard.attempt_ended(&taken, Pace::Hung, None, &mut After::default());
        }
    };
    for organization in 1..=9 {
        hang(organization, 1);
    }
    for organization in 1..=9 {
        assert!(
            yard.offer_sending(sending(organization, organization, organization, None, false))
                .is_none()
        );
    }
    let held: Vec<_> = std::iter::from_fn(|| yard.take_sending()).collect();
    assert_eq!(held.len(), 4);
    assert!(yard.offer_sending(sending(10, 10, 10, None, false)).is_none());
    assert_eq!(
        yard.take_sending().expect("there is room").delivery.run.integration,
        IntegrationKey(10)
    );
    let mut others = 0;
    for hung in &held {
        yard.attempt_ended(hung, Pace::Hung, None, &mut After::default());
        others += usize::from(yard.take_sending().is_some());
    }
    assert_eq!(others, 4, "each of them lets another one go on");
}

#[test]
fn first_attempts_get_three_turns_in_four() {
    let mut yard = Yard::new(Limits::default(), 4);
    for number in 1..=8 {
        assert!(yard.offer_sending(sending(number, 1, 1, None, true)).is_none());
        assert!(yard.offer_sending(sending(100 + number, 1, 1, None, false)).is_none());
    }
    let firsts = (0..8).filter(|_| {
        let sending = yard.take_sending().expect("sixteen wait");
        matches!(sending.stage, Stage::First { .. })
    });
    assert_eq!(firsts.count(), 6);
}

fn pinned(integration: i64) -> Arc<Pinned> {
    let facts = hookmill_domain::integration::Facts {
        events: Vec::new(),
        inboxes: None,
        projects: None,
        enabled: true,
        plugin: hookmill_domain::integration::PluginRef::passthrough(),
        config: "null".into(),
        targets: Vec::new(),
    };
    let id = IntegrationId::from_bytes([7; 16]);
    Arc::new(Pinned {
        key: IntegrationKey(integration),
        id,
        facts,
        version: 1,
        digest: Digest::of(b""),
    })
}

fn accepted(number: i64, organization: i64, integrations: &[i64], place: bool) -> Committed {
    accepted_with(number, organization, integrations, place, 2)
}

fn accepted_with(number: i64, organization: i64, integrations: &[i64], place: bool, bytes: usize) -> Committed {
    let event = Arc::new(hookmill_store::Event {
        key: Key::from_i64(number).expect("positive"),
        salt: Salt::new(1),
        organization: OrganizationKey(organization),
        kind: "document_text".parse().expect("a kind"),
        inbox: None,
        project: None,
        data: vec![b' '; bytes].into(),
    });
    let snapshot = Arc::new(hookmill_domain::revision::Snapshot {
        organization: OrganizationKey(organization),
        name: "contractfit1".parse().expect("a name"),
        revision: hookmill_domain::integration::Revision { organization: 1, host: 1 },
        integrations: Vec::new(),
    });
    let owed = integrations
        .iter()
        .map(|key| hookmill_store::Owed {
            pinned: pinned(*key),
            place,
        })
        .collect();
    Committed {
        accepted: vec![Accepted { event, snapshot, owed }],
        recorded: Vec::new(),
    }
}

fn serve(yard: &mut Yard, integration: i64, organization: i64) {
    let mut after = After::default();
    yard.set_standing(
        IntegrationKey(integration),
        OrganizationKey(organization),
        1,
        None,
        false,
        &mut after,
    );
}

#[test]
fn what_is_paused_leaves_memory_for_the_queue_and_does_not_pin_the_mark() {
    let mut yard = Yard::new(Limits::default(), 16);
    serve(&mut yard, 1, 1);
    let mut after = yard.committed(accepted(50, 1, &[1], true));
    assert!(yard.payload_bytes() > 0);
    assert_eq!(yard.mark().map(Key::as_i64), Some(49));
    yard.set_standing(IntegrationKey(1), OrganizationKey(1), 2, Some(Hold::Paused), false, &mut after);
    assert!(matches!(after.records[..], [Record::Enqueue(_)]));
    assert_eq!((yard.payload_bytes(), yard.mark().map(Key::as_i64)), (0, Some(50)));
    assert!(yard.take_run().is_none());
    // A stale word of an earlier version does not start it again.
    yard.set_standing(IntegrationKey(1), OrganizationKey(1), 1, None, false, &mut after);
    yard.committed(accepted(51, 1, &[1], false));
    assert!(yard.take_run().is_none());
}
