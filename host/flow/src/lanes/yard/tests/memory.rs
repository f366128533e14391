//! Memory: what one holds leaves something for the next, and who waits for some is woken.

use super::*;
use crate::lanes::loads::Load;

const MIB: usize = 1024 * 1024;

/// Posts so many events of one integration, those that get a place with it; answers how many did.
fn post(yard: &mut Yard, numbers: std::ops::Range<i64>, organization: i64, integration: i64, bytes: usize) -> usize {
    let mut placed = 0;
    for number in numbers {
        let place = yard.gives_place(OrganizationKey(organization), &pinned(integration), bytes, &mut 0);
        placed += usize::from(place);
        yard.committed(accepted_with(number, organization, &[integration], place, bytes));
    }
    placed
}

/// Calls every plugin that may be called, each of which puts out one request of so many bytes; answers what was sent back to wait on disk.
fn call_all(yard: &mut Yard, body_bytes: usize) -> usize {
    let mut refused = 0;
    while let Some(run) = yard.take_run() {
        let mut sending = sending(run.run.event.as_i64(), run.run.organization.0, run.run.integration.0, None, false);
        sending.request.body = vec![0; body_bytes].into();
        refused += yard.call_ended(run.run, vec![sending]).len();
    }
    refused
}

#[test]
fn what_plugins_put_out_takes_no_memory_from_others() {
    let mut yard = Yard::new(Limits::default(), 1000);
    for (integration, organization) in [(1, 1), (2, 2)] {
        serve(&mut yard, integration, organization);
    }
    while yard.take_load().is_some() {}
    assert_eq!(post(&mut yard, 1..501, 1, 1, 100), 500);
    let refused = call_all(&mut yard, 4 * MIB);
    assert!(refused > 0, "what its target may not hold waits on disk");
    assert!(
        yard.payload_bytes() < 150 * MIB as u64,
        "{}: none of it is on disk yet",
        yard.payload_bytes()
    );
    assert_eq!(post(&mut yard, 1001..1101, 2, 2, 100_000), 100);
    assert_eq!(call_all(&mut yard, 100_000), 0);
}

#[test]
fn a_lane_whose_target_hangs_leaves_its_neighbours_memory() {
    let mut yard = Yard::new(Limits::default(), 1000);
    for integration in [1, 2] {
        serve(&mut yard, integration, 1);
    }
    let of_hanging = post(&mut yard, 1..2001, 1, 1, 100_000);
    assert!((200..400).contains(&of_hanging), "{of_hanging}: half of the organization's 64 MiB");
    assert_eq!(post(&mut yard, 3001..3101, 1, 2, 100_000), 100);
}

#[test]
fn organizations_that_hold_all_that_they_may_leave_something_for_the_next() {
    let mut yard = Yard::new(Limits::default(), 1000);
    for organization in 1..=8 {
        // Two lanes each, so that the organization's own limit is what it meets.
        for integration in [organization, organization + 100] {
            serve(&mut yard, integration, organization);
            let first = organization * 1_000_000 + integration * 1000;
            let placed = post(&mut yard, first..first + 1000, organization, integration, 100_000);
            assert!(placed > 0 || integration > 100, "{organization}: its first one finds something");
        }
    }
    assert!(yard.payload_bytes() <= 256 * MIB as u64);
    serve(&mut yard, 500, 50);
    assert!(post(&mut yard, 1..2, 50, 500, 100_000) == 1);
}

#[test]
fn a_read_that_waits_for_memory_is_woken_when_there_is_some() {
    let mut yard = Yard::new(memory_for_two(), 1000);
    let mut after = After::default();
    serve(&mut yard, 1, 1);
    while yard.take_load().is_some() {}
    yard.standing_loaded(IntegrationKey(1), 1, None, false, &mut after);
    assert_eq!(post(&mut yard, 1..4, 1, 1, 1000), 1, "half of it is left for others");
    // What came after it has a row of the queue, and is to be read.
    let (lane, load) = yard.take_load().expect("the queue is looked at");
    assert_eq!((lane, &load), (IntegrationKey(1), &Load::Queue));
    assert_eq!(yard.window_or_wait(lane, false), None);
    assert!(yard.take_load().is_none());
    yard.set_standing(IntegrationKey(1), OrganizationKey(1), 2, Some(Hold::Paused), false, &mut after);
    assert_eq!(yard.payload_bytes(), 0);
    yard.set_standing(IntegrationKey(1), OrganizationKey(1), 3, None, false, &mut after);
    assert_eq!(yard.take_load(), Some((lane, load)));
    assert!(yard.window_or_wait(lane, false).is_some());
}

/// Memory that one lane has given up is offered to it, however many others wait that can not have it.
#[test]
fn a_lane_finds_its_own_memory_again() {
    let mut yard = Yard::new(memory_for_two(), 1000);
    let mut after = After::default();
    let mut wait = |yard: &mut Yard, key: i64| {
        serve(yard, key, key);
        let first = key * 1_000_000;
        post(yard, first..first + 3, key, key, 1000);
        while let Some((lane, load)) = yard.take_load() {
            match load {
                Load::Standing => yard.standing_loaded(lane, 1, None, false, &mut after),
                _ => assert_eq!(yard.window_or_wait(lane, false), None, "{lane:?}: it holds what it may"),
            }
        }
    };
    (1..=40).for_each(|key| wait(&mut yard, key));
    assert_eq!(yard.memory_waiters.len(), 40);
    for key in (1..=40).rev() {
        yard.set_standing(IntegrationKey(key), OrganizationKey(key), 2, Some(Hold::Paused), false, &mut after);
        assert!(!yard.lanes[&IntegrationKey(key)].waits_for_memory);
    }
    assert_eq!(yard.payload_bytes(), 0);
    yard.offer_memory();
    (0..5).for_each(|_| yard.offer_memory());
    assert!(yard.memory_waiters.is_empty());
}

#[test]
fn what_waits_for_a_target_that_hangs_leaves_memory() {
    let mut yard = Yard::new(Limits::default(), 1000);
    let mut after = After::default();
    serve(&mut yard, 1, 1);
    while yard.take_load().is_some() {}
    yard.standing_loaded(IntegrationKey(1), 1, None, false, &mut after);
    let placed = post(&mut yard, 1..101, 1, 1, 100_000);
    let runs: Vec<_> = (0..50).filter_map(|_| yard.take_run()).collect();
    for run in &runs {
        let mut sending = sending(run.run.event.as_i64(), 1, 1, None, false);
        sending.request.body = vec![0; 100_000].into();
        yard.call_ended(run.run, vec![sending]);
    }
    let before = yard.payload_bytes();
    assert!(before > 10 * MIB as u64, "{before}");
    let under_way: Vec<_> = std::iter::from_fn(|| yard.take_sending()).collect();
    assert_eq!(under_way.len(), 16);
    let mut after = After::default();
    assert!(!yard.attempt_ended(&under_way[0], Pace::Hung, None, &mut after).held);
    let held = after
        .records
        .iter()
        .filter(|record| matches!(record, hookmill_store::Record::First { .. }))
        .count();
    let queued = after
        .records
        .iter()
        .filter(|record| matches!(record, hookmill_store::Record::Enqueue(_)))
        .count();
    assert_eq!(
        (held, queued),
        (runs.len() - 16, placed - runs.len()),
        "all that waits but for what is under way"
    );
    // The next ones do not come back into memory, but to the queue.
    assert_eq!(post(&mut yard, 3001..3101, 1, 1, 100_000), 0);
    let ready = yard.lanes[&IntegrationKey(1)].ready.len();
    assert_eq!(ready, 0);
    // What the others may have is no less than if nothing hung, but for what is under way.
    assert!(yard.payload_bytes() < before, "{}", yard.payload_bytes());
}

/// Outputs are bounded for the host as well as for each organization.
#[test]
fn plugins_are_not_called_while_the_host_holds_all_that_it_may() {
    let mut limits = Limits::default();
    limits.intake.payload_memory_bytes_max = 20 * MIB as u64;
    let mut yard = Yard::new(limits, 1000);
    for key in 1..=20 {
        serve(&mut yard, key, key);
        post(&mut yard, key * 1000..key * 1000 + 4, key, key, 10);
    }
    let mut most = 0;
    for _ in 0..200 {
        call_all(&mut yard, 4 * MIB);
        most = most.max(yard.payload_bytes());
    }
    // One call of each, whose output nobody could foresee, and what stood before.
    assert!(most <= (20 + 20 * 4 + 4) * MIB as u64, "{most}");
}

/// A delivery that was held while nothing was under way is asked for by the clock, should the first asking fail.
#[test]
fn what_is_held_is_asked_for_again() {
    let mut yard = Yard::new(Limits::default(), 4);
    serve(&mut yard, 1, 1);
    while yard.take_load().is_some() {}
    let held = Load::Held(None);
    yard.read_later(IntegrationKey(1), &held, Time::from_millis(500));
    yard.tick(Time::from_millis(400));
    assert!(yard.take_load().is_none());
    yard.tick(Time::from_millis(500));
    let asked: Vec<Load> = std::iter::from_fn(|| yard.take_load()).map(|(_, load)| load).collect();
    assert!(asked.contains(&held), "{asked:?}");
}

/// However many of those that waited want nothing any more, the next one that does is found.
#[test]
fn lanes_that_want_nothing_cost_no_turn() {
    let mut yard = Yard::new(memory_for_two(), 1000);
    let mut after = After::default();
    for lane in 1..=20 {
        serve(&mut yard, lane, 1);
    }
    while let Some((lane, _)) = yard.take_load() {
        yard.standing_loaded(lane, 1, None, false, &mut after);
    }
    assert_eq!(post(&mut yard, 1..2, 1, 1, 1000), 1);
    for lane in 2..=20 {
        yard.committed(accepted_with(100 + lane, 1, &[lane], false, 1000));
    }
    // The first has taken what a lane may, so that the others find nothing.
    let more = place_bytes(1000);
    yard.charge(IntegrationKey(1), OrganizationKey(1), more);
    while let Some((lane, _)) = yard.take_load() {
        assert_eq!(yard.window_or_wait(lane, false), None, "{lane:?}");
    }
    for lane in 2..=19 {
        yard.lanes.get_mut(&IntegrationKey(lane)).expect("it is there").suspended = 1;
    }
    yard.discharge(IntegrationKey(1), OrganizationKey(1), 2 * more);
    assert_eq!(yard.take_load().map(|(lane, _)| lane), Some(IntegrationKey(20)));
}

/// What a burst has grown a lane's lists to is let go: there may be thousands of lanes, and nothing counts that memory.
#[test]
fn a_lane_keeps_little_after_a_burst() {
    let mut yard = Yard::new(Limits::default(), 10_000);
    serve(&mut yard, 1, 1);
    assert_eq!(post(&mut yard, 1..1001, 1, 1, 10), 1000);
    let runs: Vec<_> = std::iter::from_fn(|| yard.take_run()).collect();
    for run in &runs {
        yard.call_ended(run.run, Vec::new());
        yard.recorded(&hookmill_store::Recorded {
            run: run.run,
            run_complete: true,
            ordinal: None,
            again: false,
            due: None,
            queued: false,
        });
    }
    let lane = &yard.lanes[&IntegrationKey(1)];
    assert!(lane.open.capacity() < 100 && lane.ready.capacity() < 100);
}

/// Who may have no further call is not rung for; when a call of it ends, it is.
#[test]
fn runs_that_may_not_be_taken_are_not_rung_for() {
    let mut yard = Yard::new(Limits::default(), 4);
    for key in [1, 2] {
        serve(&mut yard, key, key);
    }
    post(&mut yard, 1..11, 1, 1, 10);
    assert!(yard.has_runs());
    let taken: Vec<_> = std::iter::from_fn(|| yard.take_run()).collect();
    assert_eq!(taken.len(), 2, "as many as are left for others");
    assert!(!yard.has_runs());
    post(&mut yard, 11..12, 2, 2, 10);
    assert!(yard.has_runs(), "another organization finds one");
    assert!(yard.take_run().is_some() && !yard.has_runs());
    yard.call_ended(taken[0].run, Vec::new());
    assert!(yard.has_runs());
}
