//! `POST /events`: the hot path. A key is looked up, the body read whole, the envelope parsed, the event handed to the river; when it is on
//! disk, 202. No layer lies before it, nothing is logged for it, and its answer is put together by hand.

use std::fmt::Write as _;

use bytes::Bytes;
use hookmill_domain::event::{BadEvent, Envelope, Posted, parse, parse_lines};
use hookmill_domain::integration::OrganizationKey;
use hookmill_domain::names::OrganizationName;
use hookmill_flow::River;
use hookmill_store::Receipt;
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use serde::de::IgnoredAny;

use crate::auth::Caller;
use crate::body::{Reading, discard_refused, read_whole};
use crate::failures::post_problem;
use crate::media;
use crate::parameters::Parameters;
use crate::problem::{FieldError, Problem};
use crate::reception::Reception;
use crate::tenant::{self, Named, ORGANIZATION, Tenant};

/// Bodies up to this size are parsed where they are read; parsing larger ones would hold up the requests of others.
pub(crate) const PARSED_IN_PLACE_BYTES_MAX: usize = 256 * 1024;

/// Answers `POST /events`.
pub(crate) async fn post(reception: &Reception, request: Request<Incoming>) -> Response<Full<Bytes>> {
    match accept(reception, request).await {
        Ok(body) => accepted(body),
        Err(problem) => problem.answer(),
    }
}

async fn accept(reception: &Reception, request: Request<Incoming>) -> Result<String, Problem> {
    let (parts, body) = request.into_parts();
    let limits = &reception.river.limits().intake;
    let reading = Reading::new(
        &parts.headers,
        "event_body_bytes_max",
        limits.event_body_bytes_max,
        limits.request_read_timeout_ms,
    );
    let (caller, in_query) = match admit(reception, &parts) {
        Ok(admitted) => admitted,
        Err(problem) => {
            discard_refused(body, reading).await;
            return Err(problem);
        }
    };
    let whole = read_whole(body, reading, reception.claim(&caller)).await?;
    let shape = if media::is_lines(&parts.headers) {
        Shape::Lines
    } else {
        Shape::Json
    };
    let (events, is_batch) = read(&reception.river, &whole.bytes, shape).await?;
    check_inboxes(&caller, &events, is_batch)?;
    let organization = organization(reception, &caller, in_query, &events, is_batch).await?;
    let receipts = reception.river.post_events(organization, whole.bytes, events).await;
    let receipts = receipts.map_err(|error| post_problem(error, is_batch))?;
    receipt_text(&receipts, is_batch).ok_or_else(Problem::internal)
}

/// Lets a caller in, before anything of the body is read.
fn admit(reception: &Reception, parts: &Parts) -> Result<(Caller, Option<OrganizationName>), Problem> {
    let caller = Caller::of(&parts.headers, &reception.river)?;
    caller.need_ingest()?;
    media::need_plain(&parts.headers)?;
    let in_query = match parts.uri.query() {
        None => None,
        Some(query) => Parameters::read(query, &[ORGANIZATION])?.parsed(ORGANIZATION)?,
    };
    Ok((caller, in_query))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// An object, or an array of them.
    Json,
    /// A line of JSON for each event.
    Lines,
}

/// The body's events, and whether they came as a batch.
async fn read(river: &River, body: &Bytes, shape: Shape) -> Result<(Vec<Envelope>, bool), Problem> {
    if body.len() <= PARSED_IN_PLACE_BYTES_MAX {
        return read_now(river, body, shape);
    }
    let (river, body) = (river.clone(), body.clone());
    let read = tokio::task::spawn_blocking(move || read_now(&river, &body, shape)).await;
    read.map_err(|_| Problem::internal())?
}

fn read_now(river: &River, body: &[u8], shape: Shape) -> Result<(Vec<Envelope>, bool), Problem> {
    let batch_max = river.limits().intake.batch_events_max as usize;
    match shape {
        Shape::Json => match parse(body, river.kinds(), batch_max) {
            Ok(Posted::One(event)) => Ok((vec![event], false)),
            Ok(Posted::Batch(events)) => Ok((events, true)),
            Err(error) => Err(refused(body, error, batch_max)),
        },
        Shape::Lines => match parse_lines(body, river.kinds(), batch_max) {
            None => Err(too_many(batch_max)),
            Some(Ok(events)) => Ok((events, true)),
            Some(Err(error)) => Err(FieldError::body(error.pointer, error.message).into()),
        },
    }
}

/// Tells what is no JSON (400) and what is too much (413) from what means nothing (422). Off the hot path, so it reads the body again.
fn refused(body: &[u8], error: BadEvent, batch_max: usize) -> Problem {
    let field = FieldError::body(error.pointer, error.message);
    if std::str::from_utf8(body).is_err() || serde_json::from_slice::<IgnoredAny>(body).is_err() {
        return Problem::field(StatusCode::BAD_REQUEST, field);
    }
    match serde_json::from_slice::<Vec<IgnoredAny>>(body) {
        Ok(items) if items.len() > batch_max => too_many(batch_max),
        _ => field.into(),
    }
}

fn too_many(batch_max: usize) -> Problem {
    Problem::too_large("", format!("holds more than {batch_max} events"), "batch_events_max")
}

/// A key that is limited to inboxes posts events of these inboxes alone.
fn check_inboxes(caller: &Caller, events: &[Envelope], is_batch: bool) -> Result<(), Problem> {
    if caller.inboxes().is_none() {
        return Ok(());
    }
    match events.iter().position(|event| !caller.may_see(event.inbox.as_ref())) {
        None => Ok(()),
        Some(position) => Err(Problem::field(
            StatusCode::FORBIDDEN,
            FieldError::body(pointer(is_batch, position, "inbox"), "the key is limited to other inboxes"),
        )),
    }
}

/// Whose the events are. A key's own organization is known without asking anyone.
async fn organization(
    reception: &Reception,
    caller: &Caller,
    in_query: Option<OrganizationName>,
    events: &[Envelope],
    is_batch: bool,
) -> Result<OrganizationKey, Problem> {
    if let Some((key, own)) = &caller.key().organization {
        let is_own = |name: &OrganizationName| name == own;
        return match in_query
            .iter()
            .chain(events.iter().flat_map(|event| &event.organization))
            .all(is_own)
        {
            true => Ok(*key),
            false => Err(Problem::not_found("organization")),
        };
    }
    let named = one_organization(in_query, events, is_batch)?;
    let Tenant { key, .. } = tenant::tenant(reception, caller, &named).await?;
    Ok(key)
}

/// The one organization that an operator's events name.
fn one_organization(in_query: Option<OrganizationName>, events: &[Envelope], is_batch: bool) -> Result<Named, Problem> {
    let at = |position: usize| pointer(is_batch, position, ORGANIZATION);
    let first = events.first().and_then(|event| event.organization.as_ref());
    let Some(one) = in_query.as_ref().or(first) else {
        return Err(tenant::missing(at(0)));
    };
    for (position, event) in events.iter().enumerate() {
        match &event.organization {
            Some(name) if name != one => {
                return Err(FieldError::body(at(position), format!("is another one than {one}: a batch is of one organization")).into());
            }
            None if in_query.is_none() => return Err(tenant::missing(at(position))),
            _ => {}
        }
    }
    let in_body = first.map(|name| (at(0), name.clone()));
    Ok(Named {
        in_query,
        in_body,
        has_body: true,
    })
}

fn pointer(is_batch: bool, position: usize, field: &str) -> String {
    if is_batch {
        format!("/{position}/{field}")
    } else {
        format!("/{field}")
    }
}

/// The answer's body; `None` if there is no receipt for a single event.
fn receipt_text(receipts: &[Receipt], is_batch: bool) -> Option<String> {
    /// An id and what stands around it.
    const BYTES: usize = 64;
    let mut text = String::with_capacity(16 + BYTES * receipts.len());
    if !is_batch {
        put(&mut text, receipts.first()?);
        return Some(text);
    }
    text.push_str(r#"{"items":["#);
    for (position, receipt) in receipts.iter().enumerate() {
        if position > 0 {
            text.push(',');
        }
        put(&mut text, receipt);
    }
    text.push_str("]}");
    Some(text)
}

fn put(text: &mut String, receipt: &Receipt) {
    // Writing into a string does not fail.
    let _ = write!(text, r#"{{"id":"{}""#, receipt.id);
    text.push_str(if receipt.duplicate { r#","duplicate":true}"# } else { "}" });
}

fn accepted(body: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = StatusCode::ACCEPTED;
    answer
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

#[cfg(test)]
mod tests {
    use hookmill_domain::api_key::{ApiKey, Role};
    use hookmill_domain::event::Kinds;
    use hookmill_domain::ids::{ApiKeyId, EventId, Salt};
    use hookmill_domain::key::Key;
    use hookmill_domain::time::Time;

    use super::*;

    fn events(body: &str) -> Vec<Envelope> {
        match parse(body.as_bytes(), &Kinds::default(), 10).expect("events") {
            Posted::One(event) => vec![event],
            Posted::Batch(events) => events,
        }
    }

    fn shown(problem: Problem) -> String {
        let document = String::from_utf8(problem.document()).expect("JSON");
        let document: serde_json::Value = serde_json::from_str(&document).expect("JSON");
        format!(
            "{} {}",
            document["status"],
            document["errors"][0]["pointer"].as_str().unwrap_or("-")
        )
    }

    #[test]
    fn receipts() {
        let id = |counter| EventId::new(Key::from_parts(Time::from_millis(1_790_000_000_000), 0, counter), Salt::new(7));
        let one = Receipt {
            id: id(1),
            duplicate: false,
        };
        let other = Receipt {
            id: id(2),
            duplicate: true,
        };
        assert_eq!(
            receipt_text(&[one], false).as_deref(),
            Some(format!(r#"{{"id":"{}"}}"#, id(1)).as_str())
        );
        assert_eq!(
            receipt_text(&[one, other], true).as_deref(),
            Some(format!(r#"{{"items":[{{"id":"{}"}},{{"id":"{}","duplicate":true}}]}}"#, id(1), id(2)).as_str())
        );
        assert_eq!(receipt_text(&[], false), None);
    }

    #[test]
    fn statuses_of_what_is_refused() {
        let check = |body: &str| {
            let error = parse(body.as_bytes(), &Kinds::default(), 2).expect_err(body);
            shown(refused(body.as_bytes(), error, 2))
        };
        assert_eq!(check("{"), "400 ");
        assert_eq!(check("[1,"), "400 ");
        assert_eq!(check("[1,2,3]"), "413 ");
        assert_eq!(check("[]"), "422 ");
        assert_eq!(check("[1,2]"), "422 /0");
        assert_eq!(check(r#"{"event":"document_text","data":{}}"#), "422 /data/id");
    }

    #[test]
    fn a_batch_is_of_one_organization() {
        const EVENT: &str = r#"{"event":"document_text","organization":"ORG","data":{"id":"a"}}"#;
        let batch = |names: &[&str]| {
            let events: Vec<String> = names.iter().map(|name| EVENT.replace("\"ORG\"", name)).collect();
            self::events(&format!("[{}]", events.join(",")))
        };
        let query = |name: &str| Some(name.parse::<OrganizationName>().expect("a name"));
        let check = |in_query, events: &[Envelope], is_batch| match one_organization(in_query, events, is_batch) {
            Ok(named) => named.one().expect("one").expect("named").to_string(),
            Err(problem) => shown(problem),
        };
        assert_eq!(check(None, &batch(&["\"a\"", "\"a\""]), true), "a");
        assert_eq!(check(None, &batch(&["\"a\"", "\"b\""]), true), "422 /1/organization");
        assert_eq!(check(None, &batch(&["\"a\"", "null"]), true), "422 /1/organization");
        assert_eq!(check(None, &batch(&["null"]), true), "422 /0/organization");
        assert_eq!(check(None, &batch(&["null"]), false), "422 /organization");
        assert_eq!(check(query("a"), &batch(&["null", "\"a\""]), true), "a");
        assert_eq!(check(query("b"), &batch(&["null", "\"a\""]), true), "422 /1/organization");
    }

    #[test]
    fn limited_keys_post_to_their_inboxes() {
        let caller = Caller::with(ApiKey {
            id: ApiKeyId::from_bytes([1; 16]),
            role: Role::Ingest,
            organization: None,
            inboxes: Some(vec!["i".parse().expect("an id")]),
            description: None,
            created_at: Time::default(),
            expires_at: None,
        });
        let batch =
            events(r#"[{"event":"document_text","inbox":"i","data":{"id":"a"}},{"event":"document_text","inbox":"j","data":{"id":"a"}}]"#);
        assert!(check_inboxes(&caller, &batch[..1], true).is_ok());
        assert_eq!(shown(check_inboxes(&caller, &batch, true).expect_err("j")), "403 /1/inbox");
        let none = events(r#"{"event":"document_text","data":{"id":"a"}}"#);
        assert_eq!(shown(check_inboxes(&caller, &none, false).expect_err("none")), "403 /inbox");
    }
}
