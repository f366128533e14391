//! What waits for a target that is late leaves memory: it would be there for long, and others need it.

use hookmill_domain::integration::IntegrationKey;
use hookmill_store::{Next, Record};

use super::{After, Yard};
use crate::lanes::lane::LATE_BYTES_MAX;
use crate::lanes::work::{Sending, Stage, held};

impl Yard {
    /// An attempt at a target has ended. If the target is late, what waits for it goes to disk but for a little, and so does what waits for
    /// its lane's plugin if all targets of the lane are.
    pub(super) fn leave_memory(&mut self, integration: IntegrationKey, name: &Option<String>, after: &mut After) {
        // It stays charged until it is on disk.
        let mut leaving = 0;
        while let Some(sending) = self.pop_last_waiting(integration, name) {
            leaving += sending.body_bytes();
            let record = match sending.stage {
                Stage::First { .. } => {
                    let row = self.row_follows(sending.delivery.run);
                    held(sending, row)
                }
                Stage::Again { was_due, counted, .. } => Record::Again {
                    delivery: sending.delivery,
                    was_due,
                    attempt: None,
                    counted,
                    next: Next::Held,
                },
            };
            after.records.push(record);
        }
        while let Some(lane) = self.lanes.get_mut(&integration)
            && lane.is_late()
            && lane.bytes.saturating_sub(leaving) > LATE_BYTES_MAX
            && let Some(run) = lane.ready.pop_back()
        {
            self.ready = self.ready.saturating_sub(1);
            self.drop_place(run.run, after);
        }
    }

    /// The last that waits for a target which is late, if that holds more than it needs. It is asked for again when the target has room.
    fn pop_last_waiting(&mut self, integration: IntegrationKey, name: &Option<String>) -> Option<Sending> {
        let target = self.lanes.get_mut(&integration)?.targets.get_mut(name)?;
        if !target.holds_enough() {
            return None;
        }
        let last = target.first.pop_back().or_else(|| target.again.pop_back())?;
        target.held = true;
        target.bytes = target.bytes.saturating_sub(last.body_bytes().max(1));
        Some(last)
    }
}
