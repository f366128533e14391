//! `GET /events/{id}`: an event, its runs and their deliveries, and on request its data.

use std::str::FromStr;

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use hookmill_domain::ids::EventId;
use hookmill_domain::key::Key;
use hookmill_domain::names::{ClientEventId, Kind, OrganizationName, ProductId};
use hookmill_domain::state::EventState;
use hookmill_domain::time::Time;
use hookmill_store::{EventOwner, EventView};
use serde::Serialize;

use crate::answers::Room;
use crate::call::{Call, PathPart};
use crate::held::Holds;
use crate::problem::Problem;
use crate::reception::Reception;
use crate::runs::RunShown;
use crate::tenant::{self, Named, ORGANIZATION};

/// An event as it is answered.
#[derive(Debug, Serialize)]
struct EventShown {
    id: EventId,
    organization: OrganizationName,
    #[serde(rename = "event")]
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    inbox: Option<ProductId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<ProductId>,
    document: ProductId,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<ClientEventId>,
    accepted_at: Time,
    state: EventState,
    payload_present: bool,
    runs: Vec<RunShown>,
}

/// `GET /events/{id}`.
pub(crate) async fn get(State(reception): State<Reception>, call: Call, PathPart(id): PathPart) -> Result<Response, Problem> {
    call.caller.need_read()?;
    let parameters = call.parameters(&[ORGANIZATION, "data"])?;
    let with_data = parameters.flag("data", false)?;
    let named = Named::by(&parameters)?;
    let id = read_id::<EventId>(&id, "event")?;
    let owner = visible(&reception, &call, &named, id.parts().map(|(key, _)| key), "event").await?;
    if owner.id != id {
        return Err(Problem::not_found("event"));
    }
    let data_bytes = match with_data {
        true => reception.store().event_data_bytes(owner.key).await?.unwrap_or(0),
        false => 0,
    };
    let (room, event) = read(&reception, &call, owner.key, data_bytes, "event").await?;
    let data = match with_data {
        true => reception.store().event_data(owner.key).await?,
        false => None,
    };
    let mut holds = Holds::new(&reception);
    let mut runs = Vec::with_capacity(event.runs.len());
    for run in event.runs {
        runs.push(RunShown::of(run, &mut holds).await?);
    }
    let shown = EventShown {
        id: event.id,
        organization: event.organization_name,
        kind: event.kind,
        inbox: event.inbox,
        project: event.project,
        document: event.document,
        client_id: event.client_id,
        accepted_at: event.accepted_at,
        state: event.state,
        payload_present: event.payload_present,
        runs,
    };
    let text = crate::json::to_pieces(&shown).map_err(|_| Problem::internal())?;
    Ok(match data {
        Some(data) => room.json(with_field(text, "data", data)),
        None => room.json(text),
    })
}

/// An id in a path. What is no id is the id of nothing.
pub(crate) fn read_id<T: FromStr>(text: &str, what: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::not_found(what))
}

/// Whose the event with that key is, if the caller may see it; `what` is what the caller asked for. It is asked before anything is claimed: how
/// long a claim waits would tell of others' events.
async fn visible(reception: &Reception, call: &Call, named: &Named, key: Option<Key>, what: &str) -> Result<EventOwner, Problem> {
    let tenant = tenant::tenant_if_named(reception, &call.caller, named).await?;
    let owner = match key {
        Some(key) => reception.store().event_owner(key).await?,
        None => None,
    };
    let is_visible =
        |owner: &EventOwner| tenant.is_none_or(|tenant| tenant.key == owner.organization) && call.caller.may_see(owner.inbox.as_ref());
    owner.filter(is_visible).ok_or_else(|| Problem::not_found(what))
}

/// An event that the caller may see, with room for it and for so many bytes more.
async fn read(reception: &Reception, call: &Call, key: Key, more_bytes: u64, what: &str) -> Result<(Room, EventView), Problem> {
    let bytes = reception.store().event_answer_bytes(key).await?.saturating_add(more_bytes);
    let room = reception.room(&call.caller, bytes).await?;
    let event = reception.store().event(key).await?;
    Ok((room, event.ok_or_else(|| Problem::not_found(what))?))
}

/// The event with that key, if the caller may see it, with room for what it takes; `what` is what the caller asked for. Who keeps a part of it
/// lets the room go before asking for another.
pub(crate) async fn visible_event(
    reception: &Reception,
    call: &Call,
    named: &Named,
    key: Option<Key>,
    what: &str,
) -> Result<(Room, EventView), Problem> {
    let owner = visible(reception, call, named, key, what).await?;
    read(reception, call, owner.key, 0, what).await
}

/// Adds a field to a JSON object in parts, its value byte for byte. The value is not copied, for it may be large.
fn with_field(mut object: Vec<Bytes>, name: &str, value: Bytes) -> Vec<Bytes> {
    // The brace that closes the object goes behind the field.
    if let Some(last) = object.last_mut() {
        last.truncate(last.len().saturating_sub(1));
    }
    object.extend([format!(",\"{name}\":").into(), value, Bytes::from_static(b"}")]);
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_added_byte_for_byte() {
        for parts in [[r#"{"id":"#, r#""x"}"#], [r#"{"id":"x""#, "}"]] {
            let parts = parts.map(|part| Bytes::from_static(part.as_bytes()));
            let text = with_field(parts.to_vec(), "data", Bytes::from_static(br#"{ "n":1e400,"n":1.10 }"#));
            assert_eq!(text.concat(), br#"{"id":"x","data":{ "n":1e400,"n":1.10 }}"#);
        }
    }
}
