//! What is tried again: when it is read, and what is held.

use super::*;
use hookmill_store::WindowMax;

use crate::lanes::loads::Load;
use crate::lanes::work::Run;

const LANE: IntegrationKey = IntegrationKey(1);
const OWNER: OrganizationKey = OrganizationKey(1);

/// A yard with one lane that is served.
fn served(limits: Limits) -> Yard {
    let mut yard = Yard::new(limits, 1000);
    serve(&mut yard, 1, 1);
    while yard.take_load().is_some() {}
    yard.standing_loaded(LANE, 1, None, false, &mut After::default());
    yard
}

fn loads(yard: &mut Yard) -> Vec<Load> {
    std::iter::from_fn(|| yard.take_load()).map(|(_, load)| load).collect()
}

/// A lane whose queue can not be read for want of memory reads what is due first, when there is some.
#[test]
fn what_is_due_goes_before_the_queue() {
    let mut yard = served(memory_for_two());
    let place = yard.gives_place(OWNER, &pinned(1), 1000, &mut 0);
    assert!(place);
    yard.committed(accepted_with(1, 1, &[1], place, 1000));
    yard.committed(accepted_with(2, 1, &[1], false, 1000));
    assert_eq!(loads(&mut yard), [Load::Queue]);
    assert_eq!(yard.window_or_wait(LANE, false), None);
    yard.set_due(LANE, Time::from_millis(10));
    assert_eq!(yard.tick(Time::from_millis(20)), None, "it is not asked again and again");
    assert!(loads(&mut yard).is_empty());
    let run = yard.take_run().expect("it has its place").run;
    yard.call_ended(run, Vec::new());
    yard.recorded(&hookmill_store::Recorded {
        run,
        run_complete: true,
        ordinal: None,
        again: false,
        due: None,
        queued: false,
    });
    assert_eq!(loads(&mut yard), [Load::Due]);
    assert!(yard.window_or_wait(LANE, true).is_some());
    yard.due_loaded(LANE, Vec::new(), None);
    assert_eq!(loads(&mut yard), [Load::Queue]);
}

/// One that comes due while another read is under way is read after that.
#[test]
fn what_comes_due_during_a_read_is_read_after_it() {
    let mut yard = served(limits());
    yard.committed(accepted_with(2, 1, &[1], false, 10));
    assert_eq!(loads(&mut yard), [Load::Queue]);
    yard.set_due(LANE, Time::from_millis(10));
    yard.tick(Time::from_millis(20));
    assert!(loads(&mut yard).is_empty(), "one read at a time");
    yard.queue_loaded(LANE, Vec::new(), true);
    assert_eq!(loads(&mut yard), [Load::Due]);
}

/// However steadily new ones come: what was held for their target is asked for.
#[test]
fn what_is_held_is_asked_for_while_first_attempts_wait() {
    let mut yard = served(limits());
    let mut asked = false;
    let mut under_way = std::collections::VecDeque::new();
    for number in 1..100 {
        // Three come for each one that is sent: most are held.
        (0..3).for_each(|more| {
            yard.offer_sending(sending(number * 10 + more, 1, 1, None, false));
        });
        under_way.extend(yard.take_sending());
        if let Some(ended) = under_way.pop_front() {
            yard.attempt_ended(&ended, Pace::Answered, None, &mut After::default());
        }
        asked |= loads(&mut yard).contains(&Load::Held(None));
    }
    assert!(asked);
}

/// A target that is gone is not asked for what was held for it until its integration is changed, and a change that came meanwhile counts.
#[test]
fn a_target_that_is_gone_waits_for_a_change() {
    let mut yard = served(limits());
    let ended = |yard: &mut Yard, version| {
        assert!(yard.offer_sending(sending(1, 1, 1, None, false)).is_none());
        let taken = yard.take_sending().expect("it waits");
        yard.attempt_ended(&taken, Pace::Answered, Some(version), &mut After::default())
            .held
    };
    assert!(ended(&mut yard, 1));
    yard.held_woken(LANE, None, true, Time::from_millis(0));
    yard.tick(Time::from_millis(1));
    assert_eq!(loads(&mut yard), [Load::Due], "there are more, and they stay where they are");
    yard.due_loaded(LANE, Vec::new(), None);
    yard.set_standing(LANE, OWNER, 3, None, false, &mut After::default());
    assert!(!ended(&mut yard, 1), "that was before the change");
    yard.held_woken(LANE, None, true, Time::from_millis(2));
    yard.tick(Time::from_millis(3));
    assert!(loads(&mut yard).contains(&Load::Held(None)));
}

/// A lane whose integration is deleted goes, and nothing of it stays behind.
#[test]
fn the_lane_of_a_deleted_integration_goes() {
    let mut yard = served(limits());
    assert!(yard.offer_sending(sending(1, 1, 1, None, false)).is_none());
    let taken = yard.take_sending().expect("it waits");
    yard.set_due(LANE, Time::from_millis(10));
    yard.set_standing(LANE, OWNER, i64::MAX, Some(Hold::Deleted), false, &mut After::default());
    yard.forget(LANE);
    assert!(yard.lanes.contains_key(&LANE), "an attempt is under way");
    yard.attempt_ended(&taken, Pace::Answered, None, &mut After::default());
    yard.forget(LANE);
    assert!(yard.lanes.is_empty() && yard.timers.is_empty());
    assert_eq!(yard.under_way(), (0, 0));
}

/// A hold that comes while what is due waits for memory does not make it forgotten.
#[test]
fn what_is_due_and_waits_for_memory_outlasts_a_hold() {
    let mut yard = served(memory_for_two());
    assert!(yard.gives_place(OWNER, &pinned(1), 1000, &mut 0));
    yard.committed(accepted_with(1, 1, &[1], true, 1000));
    yard.set_due(LANE, Time::from_millis(10));
    yard.tick(Time::from_millis(20));
    assert_eq!(loads(&mut yard), [Load::Due]);
    assert_eq!(yard.window_or_wait(LANE, true), None);
    let mut after = After::default();
    // What leaves memory by it is offered at once, to a lane that is held.
    yard.set_standing(LANE, OWNER, 2, Some(Hold::Paused), false, &mut after);
    assert!(loads(&mut yard).is_empty());
    yard.set_standing(LANE, OWNER, 3, None, false, &mut after);
    yard.tick(Time::from_millis(30));
    // Its run has gone to the queue, whose read has begun.
    assert_eq!(loads(&mut yard), [Load::Queue]);
    yard.queue_loaded(LANE, Vec::new(), true);
    assert_eq!(loads(&mut yard), [Load::Due]);
}

fn large(number: i64, bytes: usize) -> Sending {
    let mut sending = sending(number, 1, 1, None, false);
    sending.request.body = vec![0; bytes].into();
    sending
}

/// All that waited for a late target has left memory, and nothing is under way: it is asked for at once.
#[test]
fn what_has_left_memory_is_asked_for_when_nothing_is_under_way() {
    let mut yard = served(Limits::default());
    for number in 1..=3 {
        assert!(yard.offer_sending(large(number, 1_200_000)).is_none());
    }
    let taken = yard.take_sending().expect("three wait");
    let mut after = After::default();
    yard.attempt_ended(&taken, Pace::Hung, None, &mut after);
    assert_eq!(after.records.len(), 2, "each of them is more than it needs");
    assert_eq!(loads(&mut yard), [Load::Held(None)]);
    // What comes out now for it waits on disk as soon as there is enough.
    assert!(yard.offer_sending(large(4, 1_200_000)).is_none());
    assert!(yard.offer_sending(large(5, 1_200_000)).is_some());
}

/// A late target asks with half of what it may have in memory, and gets no more than fits.
#[test]
fn a_late_target_asks_for_what_it_has_room_for() {
    let mut yard = served(Limits::default());
    for number in 1..=3 {
        assert!(yard.offer_sending(large(number, 700_000)).is_none());
    }
    let end_one = |yard: &mut Yard| {
        let taken = yard.take_sending().expect("one waits");
        yard.attempt_ended(&taken, Pace::Slow, None, &mut After::default());
    };
    end_one(&mut yard);
    assert!(loads(&mut yard).is_empty(), "one that waits is more than half");
    end_one(&mut yard);
    assert_eq!(loads(&mut yard), [Load::Held(None)]);
    assert!(yard.offer_sending(large(4, 300_000)).is_none());
    let all = WindowMax {
        count: 64,
        bytes: 8_000_000,
    };
    let room = yard.room_for_held(LANE, &None, all);
    assert_eq!((room.count, room.bytes), (64, 1024 * 1024 - 300_000));
    // What is read for it fits, too, also where it has neighbours that are not late.
    assert!(yard.offer_sending(sending(5, 1, 1, Some("review"), false)).is_none());
    assert_eq!(yard.window_or_wait(LANE, true), Some(1024 * 1024));
    assert!(yard.window_or_wait(LANE, false) > Some(1024 * 1024));
}

/// However many are held at once for a target with nothing under way, they are asked for once, and those that came too late once more.
#[test]
fn what_is_held_is_asked_for_once_at_a_time() {
    let mut yard = served(Limits::default());
    (0..3).for_each(|_| yard.ask_for_held(LANE, None));
    assert_eq!(loads(&mut yard), [Load::Held(None)]);
    yard.held_woken(LANE, None, false, Time::from_millis(1));
    assert_eq!(loads(&mut yard), [Load::Held(None)]);
    yard.held_woken(LANE, None, false, Time::from_millis(1));
    assert!(loads(&mut yard).is_empty());
}

/// What is held while others are made due is asked for by the end of an attempt, also where there were no more when it was looked for.
#[test]
fn what_is_held_during_a_wake_is_not_forgotten() {
    let mut yard = served(limits());
    let offer = |yard: &mut Yard, number| yard.offer_sending(sending(number, 1, 1, None, false)).is_some();
    let mut number = 0;
    let mut fill = |yard: &mut Yard| {
        while !offer(yard, number) {
            number += 1;
        }
    };
    let end_one = |yard: &mut Yard| {
        let taken = yard.take_sending().expect("some wait");
        yard.attempt_ended(&taken, Pace::Answered, None, &mut After::default());
    };
    fill(&mut yard);
    end_one(&mut yard);
    assert_eq!(loads(&mut yard), [Load::Held(None)]);
    // The wake has been made, and its commit is on its way.
    fill(&mut yard);
    yard.held_woken(LANE, None, false, Time::from_millis(1));
    assert!(loads(&mut yard).is_empty());
    end_one(&mut yard);
    assert_eq!(loads(&mut yard), [Load::Held(None)]);
}

/// What comes due while as many wait as are read ahead is read as soon as fewer do: nobody needs a clock for that.
#[test]
fn what_is_due_is_read_when_there_is_room() {
    let mut limits = limits();
    limits.delivery.in_flight_max_per_target = 1;
    let mut yard = served(limits);
    for number in 1..=2 {
        assert!(yard.offer_sending(sending(number, 1, 1, None, true)).is_none());
    }
    yard.set_due(LANE, Time::from_millis(10));
    assert_eq!(yard.tick(Time::from_millis(20)), None);
    assert!(loads(&mut yard).is_empty());
    let taken: Vec<Sending> = (0..2)
        .filter_map(|_| {
            let taken = yard.take_sending()?;
            yard.attempt_ended(&taken, Pace::Answered, None, &mut After::default());
            Some(taken)
        })
        .collect();
    assert_eq!(taken.len(), 2);
    assert_eq!(loads(&mut yard), [Load::Due]);
    assert!(yard.timers.is_empty());
}

/// A window that was asked for before somebody began to work on the lane's rows, and read while he did, tells of rows that are no more.
#[test]
fn what_is_read_while_the_rows_are_worked_on_is_not_taken_up() {
    let mut yard = served(limits());
    yard.committed(accepted_with(1, 1, &[1], true, 10));
    let run = yard.take_run().expect("it has its place");
    yard.call_again(run, &mut After::default());
    let run = yard.take_run().expect("it is called once more");
    yard.committed(accepted_with(2, 1, &[1], false, 10));
    yard.suspend(LANE, OWNER, &mut After::default());
    assert_eq!(loads(&mut yard), [Load::Queue]);
    yard.go_on(LANE, OWNER);
    let old = Run {
        run: RunRef {
            event: Key::from_i64(2).expect("positive"),
            ..run.run
        },
        ..run
    };
    yard.queue_loaded(LANE, vec![old], true);
    assert!(yard.take_run().is_none(), "its row may have been ordered anew");
    assert_eq!(loads(&mut yard), [Load::Queue], "it is read again");
}

/// A read that failed is made again, also where something came due during it.
#[test]
fn a_read_that_failed_is_made_again() {
    let mut yard = served(limits());
    yard.set_due(LANE, Time::from_millis(10));
    yard.tick(Time::from_millis(20));
    assert_eq!(loads(&mut yard), [Load::Due]);
    yard.set_due(LANE, Time::from_millis(15));
    yard.tick(Time::from_millis(20));
    yard.read_later(LANE, &Load::Due, Time::from_millis(500));
    yard.tick(Time::from_millis(500));
    assert_eq!(loads(&mut yard), [Load::Due]);
}
