//! What lists of runs and deliveries are asked by: an organization, and perhaps an integration, an event, a state, a page.

use hookmill_domain::ids::{EventId, IntegrationId};
use hookmill_store::{Filter, ListMax, Listed, Position, StoreError};

use crate::answers::Room;
use crate::call::Call;
use crate::pages;
use crate::problem::Problem;
use crate::reception::Reception;
use crate::tenant::{self, Named, ORGANIZATION};

/// A list's question, read.
pub(crate) struct Listing<S> {
    /// What to show; `None` if nothing can match.
    pub(crate) filter: Option<Filter>,
    /// In that state alone.
    pub(crate) state: Option<S>,
    /// Where the page begins.
    pub(crate) below: Position,
    /// Its size.
    pub(crate) limit: u32,
}

impl<S: Copy> Listing<S> {
    /// Reads a list's parameters; `states` are those that there are.
    pub(crate) async fn read(
        reception: &Reception,
        call: &Call,
        states: &[S],
        text: impl Fn(S) -> &'static str,
    ) -> Result<Listing<S>, Problem> {
        call.caller.need_read()?;
        let parameters = call.parameters(&[ORGANIZATION, "integration", "event", "state", "limit", "cursor"])?;
        let state = parameters.one_of("state", states, text)?;
        let limit = pages::limit(&parameters)?;
        let below = pages::cursor(&parameters)?.unwrap_or(Position::TOP);
        let integration: Option<IntegrationId> = parameters.parsed("integration")?;
        let event: Option<EventId> = parameters.parsed("event")?;
        let tenant = tenant::tenant(reception, &call.caller, &Named::by(&parameters)?).await?;
        let mut filter = Some(Filter {
            organization: tenant.key,
            integration: None,
            event: None,
            inboxes: call.caller.inboxes().map(<[_]>::to_vec),
        });
        if let Some(id) = integration {
            let found = reception.store().integration_key(tenant.key, id).await?;
            filter = filter.zip(found).map(|(filter, key)| Filter {
                integration: Some(key),
                ..filter
            });
        }
        if let Some(id) = event {
            let found = event_key(reception, id).await?;
            filter = filter.zip(found).map(|(filter, key)| Filter {
                event: Some(key),
                ..filter
            });
        }
        Ok(Listing {
            filter,
            state,
            below,
            limit,
        })
    }

    /// Reads the page that is asked for.
    pub(crate) async fn page<T, F: Future<Output = Result<Listed<T, Position>, StoreError>>>(
        &self,
        reception: &Reception,
        call: &Call,
        read: impl Fn(Filter, Option<S>, Position, ListMax) -> F,
    ) -> Result<(Room, Vec<T>, Option<Position>), Problem> {
        match &self.filter {
            Some(filter) => {
                let read = |below, max| read(filter.clone(), self.state, below, max);
                pages::read(reception, &call.caller, self.below, self.limit, read).await
            }
            None => Ok((reception.room(&call.caller, 0).await?, Vec::new(), None)),
        }
    }
}

/// The key of an event with exactly that id.
async fn event_key(reception: &Reception, id: EventId) -> Result<Option<hookmill_domain::key::Key>, Problem> {
    let Some((key, _)) = id.parts() else { return Ok(None) };
    let event = reception.store().event(key).await?;
    Ok(event.filter(|event| event.id == id).map(|_| key))
}
