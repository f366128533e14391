//! Lists of runs and deliveries, page by page, those of the newest events first. The work for one page is bounded.

use hookmill_domain::integration::{IntegrationKey, OrganizationKey};
use hookmill_domain::key::Key;
use hookmill_domain::names::ProductId;
use hookmill_domain::state::{DeliveryState, RunState};
use rusqlite::params;

use super::viewer::Viewer;
use super::{DELIVERY_BYTES, DeliveryView, EventView, RunView};
use crate::StoreError;
use crate::codes::{self, NOT_WELL};
use crate::desk::key;
use crate::history::keys_of;
use crate::records::RunRef;
use crate::store::Store;

/// What a list is to show. An organization always limits it; the rest narrows it.
#[derive(Debug, Clone)]
pub struct Filter {
    /// Whose.
    pub organization: OrganizationKey,
    /// Of one integration.
    pub integration: Option<IntegrationKey>,
    /// Of one event.
    pub event: Option<Key>,
    /// Of events of these inboxes alone.
    pub inboxes: Option<Vec<ProductId>>,
}

/// Where a page of a list ends: the next one begins below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The event.
    pub event: Key,
    /// The run's generation.
    pub generation: u32,
    /// The run's integration.
    pub integration: IntegrationKey,
    /// The delivery's number.
    pub ordinal: u16,
}

impl Position {
    /// Stands above every other.
    pub const TOP: Position = Position {
        event: Key::MAX,
        generation: u32::MAX,
        integration: IntegrationKey(i64::MAX),
        ordinal: u16::MAX,
    };

    /// Where a list goes on of which everything of an event has been seen.
    fn past(event: Key) -> Position {
        Position {
            event: Key::from_i64(event.as_i64() - 1).unwrap_or(Key::ZERO),
            ..Position::TOP
        }
    }

    /// Stands below everything of an event.
    fn below(event: Key) -> Position {
        Position {
            event,
            generation: 0,
            integration: IntegrationKey(i64::MIN),
            ordinal: 0,
        }
    }
}

/// How much one page of a list may hold.
#[derive(Debug, Clone, Copy)]
pub struct ListMax {
    /// At most so many items.
    pub items: usize,
    /// No further one past so many bytes that they take while they are answered: as they are read, as they are shown, and as JSON.
    pub bytes: usize,
}

/// A page of a list.
#[derive(Debug)]
pub struct Listed<T, P> {
    /// Its items. One that takes more than a page may hold stands alone.
    pub items: Vec<T>,
    /// Where the next page begins, if there is one.
    pub next: Option<P>,
    /// It ends here since more would take more than [`ListMax::bytes`].
    pub is_full: bool,
    /// So many bytes its items take while they are answered.
    pub bytes: usize,
}

/// A page as it fills.
pub(crate) struct Filling<T> {
    max: ListMax,
    items: Vec<T>,
    bytes: usize,
    is_full: bool,
}

impl<T> Filling<T> {
    pub(crate) fn new(max: ListMax) -> Filling<T> {
        Filling {
            max,
            items: Vec::new(),
            bytes: 0,
            is_full: false,
        }
    }

    /// Whether there is room for one more item, of so many bytes. If there is none, the page has come to its end.
    pub(crate) fn has_room(&mut self, bytes: usize) -> bool {
        if self.items.len() >= self.max.items {
            return false;
        }
        let with_it = self.bytes.saturating_add(bytes);
        self.is_full = !self.items.is_empty() && with_it > self.max.bytes;
        if !self.is_full {
            self.bytes = with_it;
        }
        !self.is_full
    }

    pub(crate) fn push(&mut self, item: T) {
        self.items.push(item);
    }

    pub(crate) fn end<P>(self, next: Option<P>) -> Listed<T, P> {
        Listed {
            items: self.items,
            next,
            is_full: self.is_full,
            bytes: self.bytes,
        }
    }
}

/// Events looked at for one page; a page may hold fewer than were asked for, and still have a next one.
const EVENTS_SCANNED: usize = 2000;
/// Runs looked at for one page, of however few events.
const RUNS_SCANNED: usize = 10_000;
/// Events read at once.
const EVENTS_AT_ONCE: usize = 100;

/// Which rows tell of what a list looks for.
#[derive(Debug, Clone, Copy)]
enum Hint {
    /// Rows in a state that the partial indexes hold.
    Row(i64),
    /// Rows of the queue.
    Queue,
    /// None: all events are looked at.
    All,
}

impl Hint {
    fn of_code(code: Option<i64>) -> Hint {
        match code {
            // What went well is in no index.
            Some(1 | 16) | None => Hint::All,
            Some(code) => Hint::Row(code),
        }
    }
}

impl Viewer<'_> {
    /// The keys of events at or below `top`, the newest first, that may hold what a list is to show.
    fn candidates(&self, filter: &Filter, hint: Hint, top: Key, limit: usize) -> rusqlite::Result<Vec<Key>> {
        let keys = |sql: &str, params: &[&dyn rusqlite::ToSql]| -> rusqlite::Result<Vec<Key>> {
            let mut read = self.connection.prepare_cached(sql)?;
            read.query_map(params, |row| row.get(0).map(key))?.collect()
        };
        if let Some(event) = filter.event {
            return Ok(if event <= top { vec![event] } else { Vec::new() });
        }
        match (hint, filter.integration) {
            (Hint::Row(state), Some(integration)) => keys(
                &format!(
                    "SELECT DISTINCT event FROM outcome
                     WHERE integration = ?1 AND state = ?2 AND {NOT_WELL} AND event <= ?3 ORDER BY event DESC LIMIT ?4"
                ),
                params![integration.0, state, top.as_i64(), limit],
            ),
            (Hint::Row(state), None) => keys(
                &format!(
                    "SELECT DISTINCT event FROM outcome
                     WHERE organization = ?1 AND state = ?2 AND {NOT_WELL} AND event <= ?3 ORDER BY event DESC LIMIT ?4"
                ),
                params![filter.organization.0, state, top.as_i64(), limit],
            ),
            (Hint::Queue, Some(integration)) => keys(
                "SELECT DISTINCT event FROM queue WHERE integration = ?1 AND event <= ?2 ORDER BY event DESC LIMIT ?3",
                params![integration.0, top.as_i64(), limit],
            ),
            _ => keys_of(self.connection, filter.organization, top, limit),
        }
    }

    /// A page of what `pick` takes from events, the newest first, and where the next one begins.
    fn page<T>(
        &mut self,
        filter: &Filter,
        hint: Hint,
        below: Position,
        max: ListMax,
        pick: impl Fn(EventView) -> Vec<(Position, T)>,
        answer_bytes: impl Fn(&T) -> usize,
    ) -> rusqlite::Result<Listed<T, Position>> {
        let (mut page, mut below, mut scanned, mut runs) = (Filling::new(max), below, 0, 0);
        while scanned < EVENTS_SCANNED && runs < RUNS_SCANNED {
            let candidates = self.candidates(filter, hint, below.event, EVENTS_AT_ONCE)?;
            let last_batch = candidates.len() < EVENTS_AT_ONCE;
            scanned += candidates.len();
            for candidate in candidates {
                if runs >= RUNS_SCANNED {
                    // Not within the event that was seen last: the next page would have read all of its runs once more, and end here again.
                    return Ok(page.end(Some(Position::past(below.event))));
                }
                let Some(event) = self.event(candidate)? else { continue };
                runs += event.runs.len();
                if event.organization == filter.organization && in_inboxes(&event, filter.inboxes.as_deref()) {
                    let mut picked = pick(event);
                    picked.retain(|(position, _)| {
                        *position < below && filter.integration.is_none_or(|integration| position.integration == integration)
                    });
                    picked.sort_by_key(|(position, _)| std::cmp::Reverse(*position));
                    for (position, item) in picked {
                        if !page.has_room(answer_bytes(&item)) {
                            return Ok(page.end(Some(below)));
                        }
                        page.push(item);
                        below = position;
                    }
                }
                below = below.min(Position::below(candidate));
            }
            if last_batch {
                return Ok(page.end(None));
            }
            below = Position::past(below.event);
        }
        Ok(page.end(Some(below)))
    }
}

impl Store {
    /// Runs, those of the newest events first, at most `max`, below a position; and where the next page begins, if there is one. A page
    /// may be short, since the work for it is bounded.
    pub async fn runs(
        &self,
        filter: Filter,
        state: Option<RunState>,
        below: Position,
        max: ListMax,
    ) -> Result<Listed<RunView, Position>, StoreError> {
        let salts = self.salts();
        self.read_list(move |connection| {
            let mut viewer = Viewer::new(connection, &salts);
            let hint = match state {
                Some(RunState::Queued) => Hint::Queue,
                state => Hint::of_code(state.and_then(codes::of_run)),
            };
            let pick = |event: EventView| {
                let runs = event.runs.into_iter().filter(|run| state.is_none_or(|state| run.state == state));
                runs.map(|view| (position(view.run, 0), view)).collect()
            };
            viewer.page(&filter, hint, below, max, pick, RunView::answer_bytes)
        })
        .await
    }

    /// Deliveries, in the manner of [`Store::runs`].
    pub async fn deliveries(
        &self,
        filter: Filter,
        state: Option<DeliveryState>,
        below: Position,
        max: ListMax,
    ) -> Result<Listed<DeliveryView, Position>, StoreError> {
        let salts = self.salts();
        self.read_list(move |connection| {
            let mut viewer = Viewer::new(connection, &salts);
            let hint = match state {
                // A delivery without a row is pending too, and so is one of a deleted integration cancelled.
                Some(DeliveryState::Pending) | None => Hint::All,
                Some(state) => Hint::of_code(Some(codes::of_delivery(state))),
            };
            let pick = |event: EventView| {
                let deliveries = event.runs.into_iter().flat_map(|run| run.deliveries);
                let deliveries = deliveries.filter(|delivery| state.is_none_or(|state| delivery.state == state));
                deliveries
                    .map(|view| (position(view.delivery.run, view.delivery.ordinal), view))
                    .collect()
            };
            viewer.page(&filter, hint, below, max, pick, |_| DELIVERY_BYTES)
        })
        .await
    }
}

fn position(run: RunRef, ordinal: u16) -> Position {
    Position {
        event: run.event,
        generation: run.generation,
        integration: run.integration,
        ordinal,
    }
}

fn in_inboxes(event: &EventView, inboxes: Option<&[ProductId]>) -> bool {
    inboxes.is_none_or(|inboxes| event.inbox.as_ref().is_some_and(|inbox| inboxes.contains(inbox)))
}
