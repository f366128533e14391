//! Whose plugin is called next.

use hookmill_domain::integration::PluginOwner;
use hookmill_domain::outcome::{Fault, ParkCode};

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

/// An event that is owed to these integrations, each with its plugin's owner and component.
fn accepted_of(number: i64, organization: i64, integrations: &[(i64, PluginOwner, i64)]) -> Committed {
    let keys: Vec<i64> = integrations.iter().map(|(key, ..)| *key).collect();
    let mut committed = accepted(number, organization, &keys, true);
    for (owed, (_, owner, component)) in committed.accepted[0].owed.iter_mut().zip(integrations) {
        let pinned = Arc::get_mut(&mut owed.pinned).expect("nobody else has it");
        pinned.facts.plugin.owner = *owner;
        pinned.digest = Digest::of(&component.to_le_bytes());
    }
    committed
}

/// Takes runs until none may be taken, and gives each back since its component is not loaded.
fn find_all_cold(yard: &mut Yard) -> Vec<Cold> {
    let mut cold = Vec::new();
    while let Some(run) = yard.take_run() {
        cold.extend(yard.call_waits(run, &mut After::default()));
    }
    cold
}

/// However many organizations have runs whose components are to be compiled: none of them holds a call meanwhile.
#[test]
fn runs_that_wait_for_their_component_hold_no_call() {
    let mut yard = Yard::new(Limits::default(), 16);
    for organization in 1..=5 {
        serve(&mut yard, organization, organization);
        for number in 0..100 {
            yard.committed(accepted(organization * 1000 + number, organization, &[organization], true));
        }
    }
    assert_eq!(find_all_cold(&mut yard).len(), 5, "one load for each lane");
    assert_eq!(yard.under_way(), (0, 0));
    serve(&mut yard, 9, 9);
    for number in 0..8 {
        yard.committed(accepted(9000 + number, 9, &[9], true));
    }
    let taken = std::iter::from_fn(|| yard.take_run()).filter(|run| run.run.organization == OrganizationKey(9));
    assert_eq!(taken.count(), 8, "as if it were alone");
}

#[test]
fn what_came_of_a_load_goes_to_the_run_that_came_first() {
    let mut yard = Yard::new(Limits::default(), 16);
    serve(&mut yard, 1, 1);
    for number in 1..=3 {
        yard.committed(accepted(number, 1, &[1], true));
    }
    let [first, second] = [(); 2].map(|()| yard.take_run().expect("three wait"));
    let cold = yard.call_waits(second, &mut After::default()).expect("nobody loads for it yet");
    assert!(yard.call_waits(first, &mut After::default()).is_none());
    assert!(yard.take_run().is_none(), "the third waits with them");
    let fault = Fault::new(ParkCode::Unavailable, "why");
    assert!(yard.component_came(&cold, Err(fault)).is_none());
    let taken = std::iter::from_fn(|| yard.take_run()).map(|run| (run.run.event.as_i64(), run.loaded.is_some()));
    assert_eq!(taken.collect::<Vec<_>>(), [(1, true), (2, false), (3, false)]);
}

#[test]
fn components_of_one_organization_are_loaded_a_few_at_a_time() {
    let mut yard = Yard::new(Limits::default(), 16);
    for integration in 1..=8 {
        serve(&mut yard, integration, if integration == 8 { 2 } else { 1 });
    }
    let own = |integration: i64| (integration, PluginOwner::Organization, integration);
    yard.committed(accepted_of(1, 1, &[1, 2, 3, 4, 5, 6, 7].map(own)));
    let mut loading = find_all_cold(&mut yard);
    assert_eq!(loading.len(), 4);
    yard.committed(accepted_of(2, 2, &[own(8)]));
    assert_eq!(find_all_cold(&mut yard).len(), 1, "others load theirs");
    // What has no run any more is not loaded.
    yard.set_standing(
        IntegrationKey(6),
        OrganizationKey(1),
        2,
        Some(Hold::Paused),
        false,
        &mut After::default(),
    );
    let mut served = Vec::new();
    while let Some(cold) = loading.pop() {
        loading.extend(yard.component_came(&cold, Err(Fault::new(ParkCode::Unavailable, "why"))));
        assert!(loading.len() <= 4);
        served.extend(std::iter::from_fn(|| yard.take_run()).map(|run| run.run.integration.0));
    }
    served.sort_unstable();
    assert_eq!(served, [1, 2, 3, 4, 5, 7]);
    // And once more: nobody's turn to load was lost.
    yard.committed(accepted_of(3, 1, &[1, 2, 3, 4, 5].map(own)));
    assert_eq!(find_all_cold(&mut yard).len(), 4);
}

/// Four of an organization's own take long to compile: what is the host's own does not wait for them, and those that wait for the same
/// component are one load.
#[test]
fn what_is_the_hosts_own_does_not_wait_for_an_organizations_own() {
    let mut yard = Yard::new(Limits::default(), 16);
    (1..=12).for_each(|integration| serve(&mut yard, integration, 1));
    yard.committed(accepted_of(
        1,
        1,
        &[1, 2, 3, 4, 5].map(|number| (number, PluginOwner::Organization, number)),
    ));
    assert_eq!(find_all_cold(&mut yard).len(), 4);
    yard.committed(accepted_of(2, 1, &[6, 7, 8].map(|number| (number, PluginOwner::Host, 6))));
    let mut of_host = find_all_cold(&mut yard);
    assert_eq!(of_host.len(), 1, "all three wait for one load, which begins at once");
    yard.committed(accepted_of(3, 1, &[(9, PluginOwner::Host, 9)]));
    assert_eq!(find_all_cold(&mut yard).len(), 1);
    // It parks one run; the others have it tried again.
    let mut served = Vec::new();
    while let Some(cold) = of_host.pop() {
        of_host.extend(yard.component_came(&cold, Err(Fault::new(ParkCode::Unavailable, "why"))));
        served.extend(std::iter::from_fn(|| yard.take_run()).map(|run| run.run.integration.0));
    }
    assert_eq!(served, [6, 7, 8]);
}

#[test]
fn lanes_that_wait_for_the_same_component_take_one_load() {
    let mut yard = Yard::new(Limits::default(), 16);
    (1..=12).for_each(|integration| serve(&mut yard, integration, 1));
    let of = |component| move |integration: i64| (integration, PluginOwner::Organization, component);
    yard.committed(accepted_of(1, 1, &[1, 2, 3, 4, 5].map(of(1))));
    yard.committed(accepted_of(2, 1, &[6, 7].map(of(6))));
    let loading = find_all_cold(&mut yard);
    assert_eq!(loading.len(), 2, "the second waits behind none of the first's");
    // One lane's run has left memory: it keeps none of the others.
    let paused = Some(Hold::Paused);
    yard.set_standing(IntegrationKey(6), OrganizationKey(1), 2, paused, false, &mut After::default());
    let fault = || Err(Fault::new(ParkCode::Unavailable, "why"));
    assert!(yard.component_came(&loading[1], fault()).is_none());
    let served = std::iter::from_fn(|| yard.take_run()).map(|run| run.run.integration.0);
    assert_eq!(served.collect::<Vec<_>>(), [7]);
}

#[test]
fn waiting_runs_keep_as_many_components_as_there_can_be_calls() {
    let mut yard = Yard::new(Limits::default(), 16);
    let mut kept = Vec::new();
    let mut keep_all = |organization| {
        let before = kept.len();
        kept.extend(std::iter::from_fn(|| yard.may_keep(OrganizationKey(organization))));
        kept.len() - before
    };
    assert_eq!(
        [1, 2, 3, 4, 5, 6].map(&mut keep_all),
        [8, 4, 2, 1, 1, 0],
        "each leaves some to the next"
    );
    // One of the first's is called, or leaves memory: its place is another's.
    kept.remove(0);
    assert!(yard.may_keep(OrganizationKey(1)).is_none(), "it has more than is free");
    assert!(yard.may_keep(OrganizationKey(6)).is_some());
    kept.clear();
    assert_eq!(yard.kept.get(), 0);
}
