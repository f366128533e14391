//! What commits bring: events with their runs, and records that are on disk.

use hookmill_domain::key::Key;
use hookmill_store::{Accepted, Committed, DeliveryRef, Record, Recorded, RunRef};

use super::{After, Yard};
use crate::lanes::work::{Open, Run, place_bytes};

/// A place is given up for a row of the queue once so many newer events stand above it, so that a start has little to look through.
const NEWER_EVENTS_MAX: u64 = 10_000;

impl Yard {
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

    pub(super) fn accepted(&mut self, accepted: Accepted, after: &mut After) {
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
                    output_bytes: 0,
                    unrecorded: 0,
                    queued: false,
                },
            );
            let runs = lane.runs();
            self.charge(run.integration, run.organization, bytes);
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
                    loaded: None,
                });
                self.offer_lane(run.integration);
            } else {
                // Held since the place was reserved.
                self.drop_place(run, after);
            }
        }
    }

    pub(super) fn recorded(&mut self, recorded: &Recorded) {
        let run = recorded.run;
        if recorded.run_complete {
            self.pins.release(run);
            let open = self.lanes.get_mut(&run.integration).and_then(|lane| lane.open.remove(&run));
            if let Some(open) = open {
                self.discharge_run(run, &open);
            }
            if let Some(lane) = self.lanes.get_mut(&run.integration) {
                lane.shrink();
            }
        }
        // Its first record may come here after it has been read as due: then it has been taken up, and stays so.
        if let Some(ordinal) = recorded.ordinal
            && recorded.again
            && let Some(lane) = self.lanes.get_mut(&run.integration)
        {
            let bytes = lane.again.remove(&DeliveryRef { run, ordinal }).unwrap_or(0);
            self.discharge(run.integration, run.organization, bytes);
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
        self.forget(run.integration);
    }

    /// A run gets a row of the queue, and goes on.
    pub(super) fn unpin(&mut self, run: RunRef, after: &mut After) {
        // Also if its last row is on its way: should that not be written, the row of the queue stands; else it is found to be complete.
        if let Some(open) = self.lanes.get_mut(&run.integration).and_then(|lane| lane.open.get_mut(&run)) {
            open.queued = true;
            after.records.push(Record::Enqueue(run));
        }
    }

    /// A run that no plugin has seen leaves memory for its row of the queue.
    pub(super) fn drop_place(&mut self, run: RunRef, after: &mut After) {
        let Some(lane) = self.lanes.get_mut(&run.integration) else { return };
        let Some(open) = lane.open.remove(&run) else { return };
        lane.has_queued();
        if !open.queued {
            after.records.push(Record::Enqueue(run));
            self.pins.release(run);
        }
        self.discharge_run(run, &open);
    }

    /// The mark as it stands.
    pub(crate) fn mark(&self) -> Option<Key> {
        self.pins.mark()
    }
}
