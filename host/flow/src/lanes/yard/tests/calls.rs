//! Whose plugin is called next.

use super::*;

#[test]
fn organizations_take_turns_at_the_plugins() {
    let mut yard = Yard::new(Limits::default(), 16);
    for integration in [1, 2, 3] {
        serve(&mut yard, integration, if integration == 3 { 2 } else { 1 });
    }
    for number in 1..=20 {
        yard.committed(accepted(number, 1, &[1, 2], true));
    }
    yard.committed(accepted(21, 2, &[3], true));
    yard.committed(accepted(22, 2, &[3], true));
    let turns: Vec<i64> = (0..4).map(|_| yard.take_run().expect("there are many").run.integration.0).collect();
    assert_eq!(turns, [1, 3, 2, 3]);
}

/// However many organizations keep their calls for long, and however much they owe: one more finds room at once.
#[test]
fn calls_that_last_leave_room_for_the_next_organization() {
    let mut yard = Yard::new(Limits::default(), 16);
    let mut held = Vec::new();
    for organization in 1..=5 {
        serve(&mut yard, organization, organization);
        for number in 0..100 {
            yard.committed(accepted(organization * 1000 + number, organization, &[organization], true));
        }
        let taken = std::iter::from_fn(|| yard.take_run()).count();
        held.push(taken);
    }
    assert_eq!(held, [8, 4, 2, 1, 1]);
    // One call of the first ends: it is not the first's again, which still holds more than is free.
    let ended = RunRef {
        event: Key::from_i64(1000).expect("positive"),
        generation: 0,
        integration: IntegrationKey(1),
        organization: OrganizationKey(1),
    };
    yard.call_ended(ended, Vec::new());
    assert!(yard.take_run().is_none(), "none of these may have the last one");
    serve(&mut yard, 9, 9);
    yard.committed(accepted(9000, 9, &[9], true));
    assert_eq!(yard.take_run().map(|run| run.run.organization), Some(OrganizationKey(9)));
}
