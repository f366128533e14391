//! What waits for a target that hangs leaves memory: it would be there for long, and others need it.

use hookmill_domain::integration::IntegrationKey;

use super::places::HUNG_BYTES_MAX;
use super::{After, Yard};
use crate::lanes::work::{Sending, Stage, held};

impl Yard {
    /// An attempt at a target has hung. What waits for it, and for its lane's plugin if all targets of the lane have hung, goes to disk but
    /// for a little.
    pub(super) fn leave_memory(&mut self, integration: IntegrationKey, name: &Option<String>, after: &mut After) {
        while let Some(sending) = self.pop_last_waiting(integration, name) {
            match sending.stage {
                Stage::First { .. } => {
                    let row = self.row_follows(sending.delivery.run);
                    after.records.push(held(sending, row));
                }
                // It has its row: it is read again.
                Stage::Again { was_due, bytes, .. } => {
                    let run = sending.delivery.run;
                    if let Some(lane) = self.lanes.get_mut(&integration) {
                        lane.again.remove(&sending.delivery);
                    }
                    self.discharge(integration, run.organization, bytes);
                    self.set_due(integration, was_due);
                }
            }
        }
        while let Some(lane) = self.lanes.get_mut(&integration)
            && lane.hangs()
            && lane.bytes > HUNG_BYTES_MAX
            && let Some(run) = lane.ready.pop_back()
        {
            self.ready = self.ready.saturating_sub(1);
            self.drop_place(run.run, after);
        }
    }

    /// The last that waits for a target which has hung, if that holds more than it needs.
    fn pop_last_waiting(&mut self, integration: IntegrationKey, name: &Option<String>) -> Option<Sending> {
        let target = self.lanes.get_mut(&integration)?.targets.get_mut(name)?;
        if !target.window.has_hung() || target.bytes <= HUNG_BYTES_MAX {
            return None;
        }
        let last = target.first.pop_back();
        // It is asked for again when the target answers.
        target.held |= last.is_some();
        let last = last.or_else(|| target.again.pop_back())?;
        target.bytes = target.bytes.saturating_sub(last.body_bytes().max(1));
        Some(last)
    }
}
