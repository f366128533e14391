//! States as rows hold them. Below 16 a delivery's, from 16 on those of a run without requests. A released number never changes.

use hookmill_domain::state::{DeliveryState, RunState};

/// The SQL condition of the partial indexes on what is open or went wrong; a query names it in these words, or SQLite does not use them.
pub(crate) const NOT_WELL: &str = "state NOT IN (1, 16)";

/// What one outcome row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowState {
    Delivery(DeliveryState),
    Run(RunState),
}

pub(crate) fn of_delivery(state: DeliveryState) -> i64 {
    match state {
        DeliveryState::Delivered => 1,
        DeliveryState::Waiting => 2,
        DeliveryState::Exhausted => 3,
        DeliveryState::Pending => 4,
        DeliveryState::Cancelled => 5,
        DeliveryState::Expired => 6,
        DeliveryState::Erased => 7,
    }
}

/// The number of a run's state; `None` for those that no row holds.
pub(crate) fn of_run(state: RunState) -> Option<i64> {
    match state {
        RunState::Pending | RunState::Queued | RunState::Done => None,
        RunState::Skipped => Some(16),
        RunState::Parked => Some(17),
        RunState::Resumed => Some(18),
        RunState::Cancelled => Some(19),
        RunState::Expired => Some(20),
        RunState::Erased => Some(21),
    }
}

pub(crate) const PARKED: i64 = 17;
pub(crate) const RESUMED: i64 = 18;

/// What a number says; `None` for one that this release does not write.
pub(crate) fn read(code: i64) -> Option<RowState> {
    let delivery = DeliveryState::ALL.iter().copied().find(|state| of_delivery(*state) == code);
    let run = || RunState::ALL.iter().copied().find(|state| of_run(*state) == Some(code));
    delivery.map(RowState::Delivery).or_else(|| run().map(RowState::Run))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for state in DeliveryState::ALL {
            assert_eq!(read(of_delivery(*state)), Some(RowState::Delivery(*state)));
        }
        for state in RunState::ALL {
            if let Some(code) = of_run(*state) {
                assert_eq!(read(code), Some(RowState::Run(*state)));
            }
        }
        assert_eq!((of_run(RunState::Parked), of_run(RunState::Resumed)), (Some(PARKED), Some(RESUMED)));
        assert_eq!(read(0), None);
    }
}
