//! The state of all lanes: who has work, whose turn it is, and what is under way. A plain value: it waits for nothing, asks no clock, and
//! each of its steps takes a bounded time.

use std::collections::{BTreeSet, HashSet, VecDeque};

use hookmill_domain::integration::{Hold, IntegrationKey, OrganizationKey};
use hookmill_domain::key::Key;
use hookmill_domain::limits::Limits;
use hookmill_domain::revision::Pinned;
use hookmill_domain::time::Time;
use hookmill_store::{Accepted, Committed, DeliveryRef, Record, Recorded, RunRef};

use super::lane::{Lane, Map, Standing};
use super::work::{Open, Pins, RowFollows, Run, Sending, Stage, place_bytes};

/// A place is given up for a row of the queue once so many newer events stand above it, so that a start has little to look through.
const NEWER_EVENTS_MAX: u64 = 10_000;
/// Runs in memory of one lane below which more are read from its queue.
const READY_MIN: usize = 64;

/// Targets that a lane remembers while nothing waits for them: most integrations have no more, and making one anew takes longer than its turn.
const IDLE_TARGETS_MAX: usize = 8;

/// How long a lane with something due waits for a read of it that is under way.
const LOADING_WAIT_MS: u64 = 20;

/// What is to be read for a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Load {
    /// How its integration stands.
    Standing,
    /// The next window of its queue.
    Queue,
    /// The next window of what is due.
    Due,
    /// What was written down as held for a target that has room now.
    Held(Option<String>),
}

#[derive(Debug, Default)]
struct Organization {
    /// Payload bytes in memory.
    bytes: u64,
    /// Plugin calls under way.
    calls: u32,
    in_flight: u32,
    /// Lanes with runs that may be taken.
    lanes: VecDeque<IntegrationKey>,
    in_lanes_ring: bool,
    /// Targets with deliveries that may be taken.
    targets: VecDeque<(IntegrationKey, Option<String>)>,
    in_targets_ring: bool,
}

/// All lanes.
#[derive(Debug)]
pub(crate) struct Yard {
    limits: Limits,
    calls_max: u32,
    lanes: Map<IntegrationKey, Lane>,
    organizations: Map<OrganizationKey, Organization>,
    /// Organizations with runs that may be taken, in turn.
    runners: VecDeque<OrganizationKey>,
    /// Organizations with deliveries that may be taken, in turn.
    senders: VecDeque<OrganizationKey>,
    loads: VecDeque<(IntegrationKey, Load)>,
    timers: BTreeSet<(Time, IntegrationKey)>,
    pins: Pins,
    accepted_since_mark: u64,
    bytes: u64,
    /// Runs that wait for their plugin.
    ready: usize,
    calls: u32,
    in_flight: u32,
    closing: bool,
}

/// What a step leaves to be done outside.
#[derive(Debug, Default)]
pub(crate) struct After {
    /// To be handed to the store.
    pub(crate) records: Vec<Record>,
    /// To be saved with the next commit.
    pub(crate) mark: Option<Key>,
}

impl Yard {
    pub(crate) fn new(limits: Limits, calls_max: u32) -> Yard {
        Yard {
            limits,
            calls_max,
            lanes: Map::default(),
            organizations: Map::default(),
            runners: VecDeque::new(),
            senders: VecDeque::new(),
            loads: VecDeque::new(),
            timers: BTreeSet::new(),
            pins: Pins::default(),
            accepted_since_mark: 0,
            bytes: 0,
            ready: 0,
            calls: 0,
            in_flight: 0,
            closing: false,
        }
    }

    // Places

    /// Whether a run with that much data gets a place; if not, it is to be queued. `asked`: what the same call has asked for so far. The
    /// place is charged when its event is on disk.
    pub(crate) fn gives_place(&mut self, organization: OrganizationKey, pinned: &Pinned, data: usize, asked: &mut u64) -> bool {
        let bytes = place_bytes(data);
        if !self.has_memory(organization, asked.saturating_add(bytes)) || !self.lane(pinned.key, organization).gives_places() {
            return false;
        }
        *asked += bytes;
        true
    }

    /// Whether there is room for so many bytes. A single larger piece goes alone.
    fn has_memory(&self, organization: OrganizationKey, bytes: u64) -> bool {
        let limits = &self.limits.intake;
        let of_organization = self.organizations.get(&organization).map_or(0, |organization| organization.bytes);
        let own = of_organization == 0 || of_organization.saturating_add(bytes) <= limits.payload_memory_bytes_max_per_organization;
        let all = self.bytes == 0 || self.bytes.saturating_add(bytes) <= limits.payload_memory_bytes_max;
        own && all
    }

    fn charge(&mut self, organization: OrganizationKey, bytes: u64) {
        self.bytes += bytes;
        self.organizations.entry(organization).or_default().bytes += bytes;
    }

    fn discharge(&mut self, organization: OrganizationKey, bytes: u64) {
        self.bytes = self.bytes.saturating_sub(bytes);
        if let Some(organization) = self.organizations.get_mut(&organization) {
            organization.bytes = organization.bytes.saturating_sub(bytes);
        }
    }

    fn lane(&mut self, integration: IntegrationKey, organization: OrganizationKey) -> &mut Lane {
        let loads = &mut self.loads;
        self.lanes.entry(integration).or_insert_with(|| {
            let mut lane = Lane::new(organization);
            lane.loading = true;
            loads.push_back((integration, Load::Standing));
            lane
        })
    }

    // What commits bring

    /// Takes in what a commit has put on disk.
    pub(crate) fn committed(&mut self, committed: Committed) -> After {
        let mut after = After::default();
        for recorded in committed.recorded {
            self.recorded(&recorded);
        }
        for accepted in committed.accepted {
            self.accepted(accepted, &mut after);
        }
        while let Some(runs) = self.pins.overdue(NEWER_EVENTS_MAX) {
            for run in runs {
                self.unpin(run, &mut after);
            }
        }
        if self.accepted_since_mark >= NEWER_EVENTS_MAX {
            self.accepted_since_mark = 0;
            after.mark = self.pins.mark();
        }
        after
    }

    fn accepted(&mut self, accepted: Accepted, after: &mut After) {
        self.accepted_since_mark += 1;
        let Accepted { event, snapshot, owed } = accepted;
        let run = |integration| RunRef {
            event: event.key,
            generation: 0,
            integration,
            organization: event.organization,
        };
        let places = owed.iter().filter(|owed| owed.place).map(|owed| run(owed.pinned.key)).collect();
        self.pins.accepted(event.key, places);
        for owed in owed {
            let run = run(owed.pinned.key);
            let bytes = place_bytes(event.data.len());
            let lane = self.lane(run.integration, run.organization);
            if !owed.place {
                lane.has_queued();
                self.look(run.integration);
                continue;
            }
            lane.open.insert(
                run,
                Open {
                    bytes,
                    unrecorded: 0,
                    queued: false,
                },
            );
            let runs = lane.runs();
            self.charge(run.organization, bytes);
            if runs {
                self.ready += 1;
                let lane = self.lane(run.integration, run.organization);
                lane.ready.push_back(Run {
                    run,
                    event: event.clone(),
                    pinned: owed.pinned,
                    organization: snapshot.name.clone(),
                    salt: event.salt,
                    recorded: Vec::new(),
                    second_try: false,
                });
                self.offer_lane(run.integration);
            } else {
                // Held since the place was reserved.
                self.drop_place(run, after);
            }
        }
    }

    fn recorded(&mut self, recorded: &Recorded) {
        let run = recorded.run;
        if recorded.run_complete {
            self.pins.release(run);
            let open = self.lanes.get_mut(&run.integration).and_then(|lane| lane.open.remove(&run));
            if let Some(open) = open {
                self.discharge(run.organization, open.bytes);
            }
        }
        // Its first record may come here after it has been read as due: then it has been taken up, and stays so.
        if let Some(ordinal) = recorded.ordinal
            && recorded.again
            && let Some(lane) = self.lanes.get_mut(&run.integration)
        {
            let bytes = lane.again.remove(&DeliveryRef { run, ordinal }).unwrap_or(0);
            self.discharge(run.organization, bytes);
        }
        if let Some(due) = recorded.due {
            self.set_due(run.integration, due);
        }
        if recorded.queued
            && let Some(lane) = self.lanes.get_mut(&run.integration)
            && !lane.open.contains_key(&run)
        {
            lane.has_queued();
        }
        self.look(run.integration);
    }

    /// A run gets a row of the queue, and goes on.
    fn unpin(&mut self, run: RunRef, after: &mut After) {
        // Also if its last row is on its way: should that not be written, the row of the queue stands; else it is found to be complete.
        if let Some(open) = self.lanes.get_mut(&run.integration).and_then(|lane| lane.open.get_mut(&run)) {
            open.queued = true;
            after.records.push(Record::Enqueue(run));
        }
    }

    /// A run that no plugin has seen leaves memory for its row of the queue.
    fn drop_place(&mut self, run: RunRef, after: &mut After) {
        let Some(lane) = self.lanes.get_mut(&run.integration) else { return };
        let Some(open) = lane.open.remove(&run) else { return };
        lane.has_queued();
        if !open.queued {
            after.records.push(Record::Enqueue(run));
            self.pins.release(run);
        }
        self.discharge(run.organization, open.bytes);
    }

    /// The mark as it stands.
    pub(crate) fn mark(&self) -> Option<Key> {
        self.pins.mark()
    }

    // Runs

    /// The next run whose plugin may be called: organizations take turns, then their integrations. One organization holds at most half
    /// of all calls while others wait.
    pub(crate) fn take_run(&mut self) -> Option<Run> {
        if self.closing || self.calls >= self.calls_max {
            return None;
        }
        for _ in 0..self.runners.len() {
            let key = self.runners.pop_front()?;
            let others = !self.runners.is_empty();
            let Some(organization) = self.organizations.get_mut(&key) else {
                continue;
            };
            if others && organization.calls >= (self.calls_max / 2).max(1) {
                self.runners.push_back(key);
                continue;
            }
            let run = self.take_run_of(key);
            let organization = self.organizations.entry(key).or_default();
            if organization.lanes.is_empty() {
                organization.in_lanes_ring = false;
            } else {
                self.runners.push_back(key);
            }
            if let Some(run) = run {
                organization.calls += 1;
                self.calls += 1;
                return Some(run);
            }
        }
        None
    }

    fn take_run_of(&mut self, key: OrganizationKey) -> Option<Run> {
        let load_max = self.target_load_max();
        let organization = self.organizations.get_mut(&key)?;
        for _ in 0..organization.lanes.len() {
            let integration = organization.lanes.pop_front()?;
            let Some(lane) = self.lanes.get_mut(&integration) else { continue };
            let run = if lane.runs() && lane.has_room(load_max) {
                lane.ready.pop_front()
            } else {
                None
            };
            lane.in_ring = lane.runs() && lane.has_room(load_max);
            if lane.in_ring {
                organization.lanes.push_back(integration);
            }
            if run.is_some() {
                self.ready = self.ready.saturating_sub(1);
                self.look(integration);
                return run;
            }
        }
        None
    }

    /// Puts a lane into its organization's ring if it has a run that may be taken.
    fn offer_lane(&mut self, integration: IntegrationKey) {
        let load_max = self.target_load_max();
        let Some(lane) = self.lanes.get_mut(&integration) else { return };
        if lane.in_ring || !lane.runs() || !lane.has_room(load_max) {
            return;
        }
        lane.in_ring = true;
        let key = lane.organization;
        let organization = self.organizations.entry(key).or_default();
        organization.lanes.push_back(integration);
        if !organization.in_lanes_ring {
            organization.in_lanes_ring = true;
            self.runners.push_back(key);
        }
    }

    /// A call has ended with these requests: they wait for their targets. Those whose target has too many come back, to be written down as
    /// held; with each, whether it is its run's last row.
    pub(crate) fn call_ended(&mut self, run: RunRef, sendings: Vec<Sending>) -> Vec<(Sending, RowFollows)> {
        self.count_call_end(run.organization);
        let output: u64 = sendings.iter().map(|sending| sending.request.body.len() as u64).sum();
        let open = self.lanes.get_mut(&run.integration).and_then(|lane| lane.open.get_mut(&run));
        if let Some(open) = open {
            open.unrecorded = u16::try_from(sendings.len()).unwrap_or(u16::MAX);
            open.bytes += output;
            self.charge(run.organization, output);
        }
        let refused: Vec<Sending> = sendings.into_iter().filter_map(|sending| self.offer_sending(sending)).collect();
        self.offer_lane(run.integration);
        refused.into_iter().map(|sending| (sending, self.row_follows(run))).collect()
    }

    fn count_call_end(&mut self, organization: OrganizationKey) {
        self.calls = self.calls.saturating_sub(1);
        if let Some(organization) = self.organizations.get_mut(&organization) {
            organization.calls = organization.calls.saturating_sub(1);
        }
    }

    /// A run failed by a fault of the host's own: it is called once more.
    pub(crate) fn call_again(&mut self, run: Run, after: &mut After) {
        self.count_call_end(run.run.organization);
        let integration = run.run.integration;
        let Some(lane) = self.lanes.get_mut(&integration) else { return };
        if !lane.runs() {
            return self.drop_place(run.run, after);
        }
        self.ready += 1;
        lane.ready.push_back(Run { second_try: true, ..run });
        self.offer_lane(integration);
    }

    /// Counts a fault, or the end of a row of them. `true`: it was one too many, and the lane's calls are stopped.
    pub(crate) fn count_fault(&mut self, integration: IntegrationKey, fault: bool, after: &mut After) -> bool {
        let faults_max = self.limits.plugin.faults_in_a_row_max;
        let Some(lane) = self.lanes.get_mut(&integration) else {
            return false;
        };
        if !fault {
            lane.faults_in_a_row = 0;
            return false;
        }
        lane.faults_in_a_row += 1;
        let Standing::Known { hold, stopped: false } = lane.standing else {
            return false;
        };
        if lane.faults_in_a_row < faults_max {
            return false;
        }
        lane.standing = Standing::Known { hold, stopped: true };
        self.empty(integration, after);
        true
    }

    /// What waits for the plugin of a lane that is not served leaves memory for the queue.
    fn empty(&mut self, integration: IntegrationKey, after: &mut After) {
        let Some(lane) = self.lanes.get_mut(&integration) else { return };
        let ready = std::mem::take(&mut lane.ready);
        self.ready = self.ready.saturating_sub(ready.len());
        for run in ready {
            self.drop_place(run.run, after);
        }
    }

    // Deliveries

    fn target_load_max(&self) -> usize {
        self.limits.delivery.in_flight_max_per_target as usize
    }

    /// Lets a delivery wait for its target. It comes back if the target has too many.
    fn offer_sending(&mut self, sending: Sending) -> Option<Sending> {
        let waiting_max = self.target_load_max() * 2;
        let integration = sending.delivery.run.integration;
        let name = sending.target().map(str::to_owned);
        let lane = self.lane(integration, sending.delivery.run.organization);
        let target = lane.targets.entry(name.clone()).or_default();
        if target.waiting_like(&sending) >= waiting_max {
            target.held = true;
            return Some(sending);
        }
        target.push(sending);
        self.offer_target(integration, name);
        None
    }

    /// Puts a target into its organization's ring if it has a delivery that may be taken.
    fn offer_target(&mut self, integration: IntegrationKey, name: Option<String>) {
        let per_target = self.limits.delivery.in_flight_max_per_target;
        let Some(lane) = self.lanes.get_mut(&integration) else { return };
        let key = lane.organization;
        if let Some(target) = lane.targets.get_mut(&name)
            && !target.in_ring
            && target.is_waiting()
            && target.in_flight < per_target
        {
            target.in_ring = true;
            self.organizations.entry(key).or_default().targets.push_back((integration, name));
        }
        self.offer_sender(key);
    }

    /// Puts an organization into the ring of those with deliveries that may be taken, if it has one.
    fn offer_sender(&mut self, key: OrganizationKey) {
        let per_organization = self.limits.delivery.in_flight_max_per_organization;
        let organization = self.organizations.entry(key).or_default();
        if !organization.in_targets_ring && !organization.targets.is_empty() && organization.in_flight < per_organization {
            organization.in_targets_ring = true;
            self.senders.push_back(key);
        }
    }

    /// The next delivery that may be sent: organizations take turns, then their targets.
    pub(crate) fn take_sending(&mut self) -> Option<Sending> {
        if self.closing || self.in_flight >= self.limits.delivery.in_flight_max {
            return None;
        }
        while let Some(key) = self.senders.pop_front() {
            let organization = self.organizations.entry(key).or_default();
            organization.in_targets_ring = false;
            let Some((integration, name)) = organization.targets.pop_front() else {
                continue;
            };
            let sending = self.take_sending_of(key, integration, name);
            self.offer_sender(key);
            if sending.is_some() {
                return sending;
            }
        }
        None
    }

    fn take_sending_of(&mut self, key: OrganizationKey, integration: IntegrationKey, name: Option<String>) -> Option<Sending> {
        let per_target = self.limits.delivery.in_flight_max_per_target;
        let target = self.lanes.get_mut(&integration)?.targets.get_mut(&name)?;
        target.in_ring = false;
        let sending = target.pop()?;
        target.in_flight += 1;
        let more = target.is_waiting() && target.in_flight < per_target;
        target.in_ring = more;
        let organization = self.organizations.entry(key).or_default();
        organization.in_flight += 1;
        self.in_flight += 1;
        if more {
            organization.targets.push_back((integration, name));
        }
        Some(sending)
    }

    /// An attempt has ended, or was not made.
    /// `absent`: its target is gone or was removed, so that nothing more is asked of it until the integration is changed.
    pub(crate) fn attempt_ended(&mut self, sending: &Sending, absent: bool) -> RowFollows {
        let run = sending.delivery.run;
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Some(organization) = self.organizations.get_mut(&run.organization) {
            organization.in_flight = organization.in_flight.saturating_sub(1);
        }
        let name = sending.target().map(str::to_owned);
        let load_max = self.target_load_max();
        if let Some(lane) = self.lanes.get_mut(&run.integration)
            && let Some(target) = lane.targets.get_mut(&name)
        {
            target.in_flight = target.in_flight.saturating_sub(1);
            if let Some(due) = lane.due {
                self.timers.insert((due, run.integration));
            }
            target.held &= !absent;
            if target.held && target.load() <= load_max / 2 {
                target.held = false;
                self.loads.push_back((run.integration, Load::Held(name.clone())));
            } else if target.load() == 0 && !target.in_ring && !target.held && lane.targets.len() > IDLE_TARGETS_MAX {
                lane.targets.remove(&name);
            }
        }
        let row = match sending.stage {
            Stage::First { .. } => self.row_follows(run),
            Stage::Again { .. } => RowFollows {
                last: false,
                queued: false,
            },
        };
        self.offer_target(run.integration, name);
        self.offer_lane(run.integration);
        row
    }

    /// A row of a run is about to be written.
    pub(crate) fn row_follows(&mut self, run: RunRef) -> RowFollows {
        match self.lanes.get_mut(&run.integration).and_then(|lane| lane.open.get_mut(&run)) {
            Some(open) => {
                open.unrecorded = open.unrecorded.saturating_sub(1);
                RowFollows {
                    last: open.unrecorded == 0,
                    queued: open.queued,
                }
            }
            None => RowFollows { last: true, queued: true },
        }
    }

    // Reading ahead

    /// Asks for what the lane needs from disk, one read at a time.
    fn look(&mut self, integration: IntegrationKey) {
        let Some(lane) = self.lanes.get_mut(&integration) else { return };
        if lane.loading || self.closing {
            return;
        }
        let load = if lane.standing == Standing::Unknown {
            Load::Standing
        } else if lane.backlog && lane.runs() && lane.ready.len() < READY_MIN {
            Load::Queue
        } else {
            return;
        };
        lane.loading = true;
        self.loads.push_back((integration, load));
    }

    /// The next thing to be read.
    pub(crate) fn take_load(&mut self) -> Option<(IntegrationKey, Load)> {
        if self.closing {
            return None;
        }
        let (integration, load) = self.loads.pop_front()?;
        if load == Load::Queue
            && let Some(lane) = self.lanes.get_mut(&integration)
        {
            lane.queued_since_load = false;
            lane.window_holds = true;
        }
        Some((integration, load))
    }

    pub(crate) fn taken_runs(&self, integration: IntegrationKey) -> HashSet<RunRef> {
        self.lanes.get(&integration).map(Lane::taken).unwrap_or_default()
    }

    pub(crate) fn taken_deliveries(&self, integration: IntegrationKey) -> HashSet<DeliveryRef> {
        self.lanes
            .get(&integration)
            .map(|lane| lane.again.keys().copied().collect())
            .unwrap_or_default()
    }

    /// Bytes that a window of the lane may hold now; `None`: its organization's memory is full, and the lane is asked again later.
    pub(crate) fn window_bytes(&self, integration: IntegrationKey) -> Option<u64> {
        let lane = self.lanes.get(&integration)?;
        let limits = &self.limits.intake;
        let own = self
            .organizations
            .get(&lane.organization)
            .map_or(0, |organization| organization.bytes);
        let left = limits.payload_memory_bytes_max_per_organization.saturating_sub(own);
        let left = left.min(limits.payload_memory_bytes_max.saturating_sub(self.bytes));
        (left > 0 || own == 0).then_some(left.max(1))
    }

    /// A window of the queue has been read. `complete`: there was nothing beyond it.
    pub(crate) fn queue_loaded(&mut self, integration: IntegrationKey, runs: Vec<Run>, complete: bool) {
        let Some(lane) = self.lanes.get_mut(&integration) else { return };
        lane.loading = false;
        let mut charged = 0;
        let serves = lane.runs() && lane.window_holds;
        let organization = lane.organization;
        if serves {
            lane.backlog = !complete || lane.queued_since_load;
            for run in runs {
                if lane.open.contains_key(&run.run) {
                    continue;
                }
                let bytes = place_bytes(run.event.data.len());
                charged += bytes;
                lane.open.insert(
                    run.run,
                    Open {
                        bytes,
                        unrecorded: 0,
                        queued: true,
                    },
                );
                self.ready += 1;
                lane.ready.push_back(run);
            }
        }
        self.charge(organization, charged);
        self.offer_lane(integration);
        self.look(integration);
    }

    /// It could not be read, or its organization's memory is full: the lane is asked again by the clock.
    pub(crate) fn read_later(&mut self, integration: IntegrationKey, load: &Load, again_at: Time) {
        match load {
            Load::Held(target) => {
                // Not a read of the lane's own turn.
                if let Some(lane) = self.lanes.get_mut(&integration) {
                    lane.targets.entry(target.clone()).or_default().held = true;
                }
                self.set_due(integration, again_at);
            }
            Load::Due => {
                self.read_has_ended(integration);
                self.set_due(integration, again_at);
            }
            Load::Standing | Load::Queue => {
                self.read_has_ended(integration);
                self.timers.insert((again_at, integration));
            }
        }
    }

    fn read_has_ended(&mut self, integration: IntegrationKey) {
        if let Some(lane) = self.lanes.get_mut(&integration) {
            lane.loading = false;
        }
    }

    /// Deliveries that are due have been read. `next`: when the first of the rest is due. Those whose target has too many come back, to be
    /// written down as held.
    pub(crate) fn due_loaded(&mut self, integration: IntegrationKey, sendings: Vec<Sending>, next: Option<Time>) -> Vec<Sending> {
        let Some(lane) = self.lanes.get_mut(&integration) else {
            return Vec::new();
        };
        lane.loading = false;
        let (organization, sends) = (lane.organization, lane.sends());
        let mut refused = Vec::new();
        for sending in sendings {
            let Stage::Again { was_due, bytes, .. } = sending.stage else {
                continue;
            };
            if !sends {
                self.set_due(integration, was_due);
                continue;
            }
            let Some(lane) = self.lanes.get_mut(&integration) else { break };
            if lane.again.contains_key(&sending.delivery) {
                continue;
            }
            lane.again.insert(sending.delivery, bytes);
            self.charge(organization, bytes);
            refused.extend(self.offer_sending(sending));
        }
        if let Some(next) = next {
            self.set_due(integration, next);
        }
        self.look(integration);
        refused
    }

    /// Deliveries held for a target have been made due. `more`: there are further ones, to be made due when it has room again.
    pub(crate) fn held_woken(&mut self, integration: IntegrationKey, target: Option<String>, more: bool, now: Time) {
        if let Some(lane) = self.lanes.get_mut(&integration)
            && more
        {
            lane.targets.entry(target).or_default().held = true;
        }
        self.set_due(integration, now);
    }

    /// Says that a delivery which is not in memory is due then.
    pub(crate) fn set_due(&mut self, integration: IntegrationKey, at: Time) {
        let Some(lane) = self.lanes.get_mut(&integration) else { return };
        if lane.due.is_none_or(|due| at < due) {
            if let Some(due) = lane.due.replace(at) {
                self.timers.remove(&(due, integration));
            }
            self.timers.insert((at, integration));
        }
    }

    /// The time has come to that point: lanes with something due are read. Gives the next time.
    pub(crate) fn tick(&mut self, now: Time) -> Option<Time> {
        let load_max = self.target_load_max();
        while let Some((at, integration)) = self.timers.first().copied() {
            if at > now {
                return Some(at);
            }
            self.timers.remove(&(at, integration));
            let Some(lane) = self.lanes.get_mut(&integration) else { continue };
            if lane.due.is_none_or(|due| due > now) {
                self.look(integration);
                continue;
            }
            if !lane.sends() && lane.standing != Standing::Unknown {
                // Its due time stays known, and is looked at when the hold ends.
                continue;
            }
            if lane.loading {
                // One read at a time; the clock asks again.
                self.timers.insert((now.plus_millis(LOADING_WAIT_MS), integration));
                continue;
            }
            if lane.retries_are_full(load_max) {
                // It is looked at again when one of them has had its attempt.
                continue;
            }
            lane.loading = true;
            if lane.standing == Standing::Unknown {
                self.loads.push_back((integration, Load::Standing));
            } else {
                lane.due = None;
                self.loads.push_back((integration, Load::Due));
            }
        }
        None
    }

    // Standing

    /// A lane is known to have work on disk: at a start, and after an order.
    pub(crate) fn wake(&mut self, integration: IntegrationKey, organization: OrganizationKey, queue: bool, due: Option<Time>) {
        let lane = self.lane(integration, organization);
        if queue {
            lane.has_queued();
        }
        if let Some(due) = due {
            self.set_due(integration, due);
        }
        self.look(integration);
    }

    /// How an integration stands has been read.
    pub(crate) fn standing_loaded(
        &mut self,
        integration: IntegrationKey,
        version: i64,
        hold: Option<Hold>,
        stopped: bool,
        after: &mut After,
    ) {
        let Some(lane) = self.lanes.get_mut(&integration) else { return };
        lane.loading = false;
        let organization = lane.organization;
        self.set_standing(integration, organization, version, hold, stopped, after);
    }

    /// How an integration stands after a change, which `version` counts: an earlier one says nothing any more.
    pub(crate) fn set_standing(
        &mut self,
        integration: IntegrationKey,
        organization: OrganizationKey,
        version: i64,
        hold: Option<Hold>,
        stopped: bool,
        after: &mut After,
    ) {
        let lane = self.lane(integration, organization);
        if version < lane.version {
            return self.look(integration);
        }
        lane.version = version;
        if !stopped {
            lane.faults_in_a_row = 0;
        }
        self.stand(integration, Standing::Known { hold, stopped }, after);
    }

    fn stand(&mut self, integration: IntegrationKey, standing: Standing, after: &mut After) {
        let Some(lane) = self.lanes.get_mut(&integration) else { return };
        lane.standing = standing;
        let due = lane.due;
        if !lane.runs() {
            self.empty(integration, after);
        }
        // What is due is looked at again, whether its time passed during the hold or not.
        if let Some(due) = due {
            self.timers.insert((due, integration));
        }
        self.offer_lane(integration);
        self.look(integration);
    }

    /// No run of the lane is taken up until [`Yard::go_on`]; says which are in memory. Those that no plugin has seen leave it, and what is
    /// being read is not taken up.
    pub(crate) fn suspend(&mut self, integration: IntegrationKey, organization: OrganizationKey, after: &mut After) -> HashSet<RunRef> {
        let lane = self.lane(integration, organization);
        lane.suspended += 1;
        lane.window_holds = false;
        self.empty(integration, after);
        self.taken_runs(integration)
    }

    /// Runs are taken up again, also those that have come into the queue meanwhile.
    pub(crate) fn go_on(&mut self, integration: IntegrationKey, organization: OrganizationKey) {
        let lane = self.lane(integration, organization);
        lane.suspended = lane.suspended.saturating_sub(1);
        lane.has_queued();
        self.offer_lane(integration);
        self.look(integration);
    }

    /// Lanes that hold work and are not served.
    pub(crate) fn held(&self) -> Vec<(IntegrationKey, OrganizationKey)> {
        let held = |lane: &&Lane| !lane.runs() && (lane.backlog || lane.due.is_some());
        self.lanes
            .iter()
            .filter(|(_, lane)| held(lane))
            .map(|(key, lane)| (*key, lane.organization))
            .collect()
    }

    // The end

    /// Nothing is taken up any more.
    pub(crate) fn close(&mut self) {
        self.closing = true;
    }

    /// Calls and attempts under way.
    pub(crate) fn under_way(&self) -> (u32, u32) {
        (self.calls, self.in_flight)
    }

    /// The first time that something is due.
    pub(crate) fn first_timer(&self) -> Option<Time> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Whether there is a run to take, limits apart.
    pub(crate) fn has_runs(&self) -> bool {
        !self.closing && !self.runners.is_empty()
    }

    /// About how many runs there are to take.
    pub(crate) fn ready_runs(&self) -> usize {
        if self.has_runs() { self.ready.max(1) } else { 0 }
    }

    pub(crate) fn has_sendings(&self) -> bool {
        !self.closing && !self.senders.is_empty() && self.in_flight < self.limits.delivery.in_flight_max
    }

    pub(crate) fn has_loads(&self) -> bool {
        !self.closing && !self.loads.is_empty()
    }

    /// Payload bytes in memory.
    #[cfg(test)]
    pub(crate) fn payload_bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests;
