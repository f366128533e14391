//! One integration's lane: what waits for its plugin, and for each of its targets.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use hookmill_domain::integration::{Hold, OrganizationKey};
use hookmill_domain::time::Time;
use hookmill_store::{DeliveryRef, RunRef, WindowMax};

use super::window::{Pace, Window};
use super::work::{Open, Run, Sending, Stage};

/// Maps of the lanes. Their keys are numbers that the house gives out, so the hash need not stand up to anyone.
pub(crate) type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// What a late target, or a lane of late targets, has in memory at most: it will be there for long, and little of it is needed ahead.
pub(crate) const LATE_BYTES_MAX: u64 = 1024 * 1024;
/// So many attempts in a row that are answered soon make a late target one like others.
const SOON_AGAIN: u8 = 4;
/// Runs that wait for the plugin of one lane; more wait on disk. A change of the integration takes all of them out of memory in one step.
const READY_MAX: usize = 4096;

/// Places that a lane's lists keep when nothing is in them: there may be many lanes.
const SPARE: usize = 64;

/// What is known of an integration that decides whether its lane is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Not read yet: nothing is served, and new events go to the queue.
    Unknown,
    /// As it is now.
    Known {
        hold: Option<Hold>,
        /// Ten faults in a row have stopped its plugin's calls; deliveries go on.
        stopped: bool,
    },
}

#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) organization: OrganizationKey,
    pub(crate) standing: Standing,
    /// The integration's version that `standing` is of.
    pub(crate) version: i64,
    pub(crate) faults_in_a_row: u32,
    /// Runs that wait for the plugin.
    pub(crate) ready: VecDeque<Run>,
    /// Bytes in memory.
    pub(crate) bytes: u64,
    /// Every run in memory, also those under way.
    pub(crate) open: Map<RunRef, Open>,
    /// There may be rows of the queue that are not in memory.
    pub(crate) backlog: bool,
    /// Rows of the queue have been written since the last read of it began.
    pub(crate) queued_since_load: bool,
    /// Nobody has worked on its rows since the last read of its queue began: what that reads may be taken up.
    pub(crate) window_holds: bool,
    /// When the first delivery that is not in memory is due.
    pub(crate) due: Option<Time>,
    /// Deliveries in memory that have a row of their own, from their reading until their next row is on disk, and what each weighs.
    pub(crate) again: Map<DeliveryRef, u64>,
    pub(crate) targets: BTreeMap<Option<String>, Target>,
    /// What is due is to be read as soon as a read may be: it came due while another was under way, or waited for memory.
    pub(crate) due_now: bool,
    /// Whether a read for it is under way: one at a time.
    pub(crate) loading: bool,
    /// Its next read waits until there is memory for it.
    pub(crate) waits_for_memory: bool,
    /// Whether it stands among those that wait for memory; it may do so longer than it waits.
    pub(crate) in_memory_ring: bool,
    /// Whether it stands in its organization's ring of lanes with runs.
    pub(crate) in_ring: bool,
    /// Its first run's component is being loaded: no run is taken before that has ended.
    pub(crate) waits_for_component: bool,
    /// Takes are suspended for as long as somebody works on its rows.
    pub(crate) suspended: u32,
}

/// What waits for one target.
#[derive(Debug, Default)]
pub(crate) struct Target {
    pub(crate) first: VecDeque<Sending>,
    pub(crate) again: VecDeque<Sending>,
    pub(crate) in_flight: u32,
    /// Bytes of what waits and what is under way.
    pub(crate) bytes: u64,
    pub(crate) window: Window,
    /// Attempts that must be answered soon before it counts as late no more.
    late: u8,
    /// It is gone, or the integration has none of that name: nothing is asked of it until the integration is changed.
    pub(crate) absent: bool,
    /// Deliveries were written down as held since it had too many: they are woken when it has room.
    pub(crate) held: bool,
    /// Some of what is held is being made due.
    pub(crate) is_asked_for: bool,
    pub(crate) in_ring: bool,
    turn: u8,
}

impl Target {
    pub(crate) fn load(&self) -> usize {
        self.first.len() + self.again.len() + self.in_flight as usize
    }

    /// How many wait that stand where this one does: for a first attempt, or for another.
    pub(crate) fn waiting_like(&self, sending: &Sending) -> usize {
        match sending.stage {
            Stage::First { .. } => self.first.len(),
            Stage::Again { .. } => self.again.len(),
        }
    }

    /// Whether what was held for it is to be asked for now: there is room for more of those that wait for another attempt. How many wait for
    /// their first does not count, or a steady stream of them would keep what is held waiting for ever. A late target asks with half of what
    /// it may have in memory, and so for many at once.
    pub(crate) fn has_room_for_held(&self, waiting_max: usize) -> bool {
        let has_room = self.again.len() <= waiting_max / 2 && !(self.is_late() && self.bytes > LATE_BYTES_MAX / 2);
        has_room && self.held && !self.absent && !self.is_asked_for
    }

    /// What of that it has room for, where no more than `max` comes at once.
    pub(crate) fn room_for_held(&self, waiting_max: usize, max: WindowMax) -> WindowMax {
        let bytes = if self.is_late() {
            LATE_BYTES_MAX.saturating_sub(self.bytes)
        } else {
            u64::MAX
        };
        WindowMax {
            count: max.count.min(waiting_max.saturating_sub(self.again.len())).max(1),
            bytes: max.bytes.min(usize::try_from(bytes).unwrap_or(usize::MAX)),
        }
    }

    /// Counts an attempt that has ended, for what it says of how long the next ones will take.
    pub(crate) fn count_late(&mut self, pace: Pace) {
        match pace {
            Pace::Slow | Pace::Hung => self.late = SOON_AGAIN,
            Pace::Answered => self.late = self.late.saturating_sub(1),
            Pace::Unknown => {}
        }
    }

    /// Whether it has hung or was answered late a short while ago: what waits for it is in memory for long.
    pub(crate) fn is_late(&self) -> bool {
        self.late > 0
    }

    /// Whether it is late, and has as much in memory as it can need.
    pub(crate) fn holds_enough(&self) -> bool {
        self.is_late() && self.bytes > LATE_BYTES_MAX
    }

    pub(crate) fn push(&mut self, sending: Sending) {
        match sending.stage {
            Stage::First { .. } => self.first.push_back(sending),
            Stage::Again { .. } => self.again.push_back(sending),
        }
    }

    /// The next one: three turns in four go to first attempts.
    pub(crate) fn pop(&mut self) -> Option<Sending> {
        self.turn = (self.turn + 1) % 4;
        if self.turn == 0 {
            self.again.pop_front().or_else(|| self.first.pop_front())
        } else {
            self.first.pop_front().or_else(|| self.again.pop_front())
        }
    }

    /// Whether one waits, and may be taken where a target gets at most `in_flight_max`.
    pub(crate) fn may_be_taken(&self, in_flight_max: u32) -> bool {
        let is_waiting = !self.first.is_empty() || !self.again.is_empty();
        is_waiting && self.in_flight < self.window.size(in_flight_max)
    }
}

impl Lane {
    pub(crate) fn new(organization: OrganizationKey) -> Lane {
        Lane {
            organization,
            standing: Standing::Unknown,
            version: 0,
            faults_in_a_row: 0,
            ready: VecDeque::new(),
            bytes: 0,
            open: Map::default(),
            backlog: false,
            queued_since_load: false,
            window_holds: true,
            due: None,
            again: Map::default(),
            targets: BTreeMap::new(),
            due_now: false,
            loading: false,
            waits_for_memory: false,
            in_memory_ring: false,
            in_ring: false,
            waits_for_component: false,
            suspended: 0,
        }
    }

    /// A row of the queue was written, or is about to be.
    pub(crate) fn has_queued(&mut self) {
        self.backlog = true;
        self.queued_since_load = true;
    }

    /// Whether its plugin may be called.
    pub(crate) fn runs(&self) -> bool {
        self.suspended == 0
            && matches!(
                self.standing,
                Standing::Known {
                    hold: None,
                    stopped: false
                }
            )
    }

    /// Whether its deliveries may be sent.
    pub(crate) fn sends(&self) -> bool {
        matches!(self.standing, Standing::Known { hold: None, .. })
    }

    /// Whether a new event gets a place in memory: not while older ones wait on disk, or it would overtake them all.
    pub(crate) fn gives_places(&self) -> bool {
        self.runs() && !self.backlog && self.ready.len() < READY_MAX
    }

    /// Whether a target of it is late: what is read for that one is to fit into the little that it may have in memory.
    pub(crate) fn has_late(&self) -> bool {
        self.targets.values().any(Target::is_late)
    }

    /// Whether each of its targets is late, so that what is in memory will be there for long.
    pub(crate) fn is_late(&self) -> bool {
        !self.targets.is_empty() && self.targets.values().all(Target::is_late)
    }

    /// Whether it has a run that may be taken.
    pub(crate) fn has_run(&self, waiting_max: usize) -> bool {
        self.runs() && !self.waits_for_component && self.has_room(waiting_max)
    }

    /// Whether the next run could hand its requests on: at least one of its targets has not too many that wait for their first attempt.
    /// What is under way does not count, or a target that is busy with retries would get no first attempts any more.
    fn has_room(&self, waiting_max: usize) -> bool {
        let Some(next) = self.ready.front() else { return false };
        let full = self.targets.values().filter(|target| target.first.len() >= waiting_max).count();
        full < next.pinned.facts.targets.len().max(1)
    }

    /// Whether as many retries wait for each of its targets as are read ahead.
    pub(crate) fn retries_are_full(&self, waiting_max: usize) -> bool {
        !self.targets.is_empty() && self.targets.values().all(|target| target.again.len() >= waiting_max)
    }

    /// Lets go of what its largest burst has grown its lists to, once that is over.
    pub(crate) fn shrink(&mut self) {
        if self.open.is_empty() && self.open.capacity() > SPARE {
            self.open = Map::default();
        }
        if self.ready.is_empty() && self.ready.capacity() > SPARE {
            self.ready = VecDeque::new();
        }
        if self.again.is_empty() && self.again.capacity() > SPARE {
            self.again = Map::default();
        }
    }

    /// Runs in memory.
    pub(crate) fn taken(&self) -> HashSet<RunRef> {
        self.open.keys().copied().collect()
    }
}
