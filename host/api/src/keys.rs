//! API keys: made, listed and deleted by operators and by organizations' admins. A key's text is shown once, when it is made.

use crate::json::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hookmill_domain::api_key::{ApiKey, Role};
use hookmill_domain::ids::ApiKeyId;
use hookmill_domain::names::{OrganizationName, ProductId};
use hookmill_domain::time::Time;
use hookmill_flow::NewApiKey;
use http::{StatusCode, header};
use serde::Serialize;

use crate::auth::Caller;
use crate::call::{Call, JsonBody, PathPart};
use crate::events::read::read_id;
use crate::fields::{Form, Given};
use crate::pages::{self, Cursor, Page};
use crate::problem::{FieldError, Problem};
use crate::reception::Reception;
use crate::tenant::{self, Named, ORGANIZATION};

const FIELDS_MAX: usize = 16;
const DESCRIPTION_BYTES_MAX: usize = 1024;
/// The most inboxes that a key is limited to.
const INBOXES_MAX: usize = 256;

/// A key as it is answered: never its text.
#[derive(Debug, Serialize)]
struct KeyShown<'a> {
    id: ApiKeyId,
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<&'a OrganizationName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inboxes: Option<&'a [ProductId]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    created_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Time>,
    /// When it is made, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
}

impl<'a> KeyShown<'a> {
    fn of(key: &'a ApiKey) -> KeyShown<'a> {
        KeyShown {
            id: key.id,
            role: key.role.as_str(),
            organization: key.organization.as_ref().map(|(_, name)| name),
            inboxes: key.inboxes.as_deref(),
            description: key.description.as_deref(),
            created_at: key.created_at,
            expires_at: key.expires_at,
            key: None,
        }
    }
}

/// Keys are listed by id, which is by age.
impl Cursor for ApiKeyId {
    const TAG: u8 = b'k';

    fn to_bytes(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<ApiKeyId> {
        Some(ApiKeyId::from_bytes(bytes.try_into().ok()?))
    }
}

/// What a body asks for.
#[derive(Debug)]
struct Wanted {
    role: Role,
    inboxes: Option<Vec<ProductId>>,
    description: Option<String>,
    expires_at: Option<Time>,
}

/// `POST /keys`.
pub(crate) async fn create(State(reception): State<Reception>, call: Call, body: JsonBody) -> Result<Response, Problem> {
    call.caller.need_change()?;
    let parameters = call.parameters(&[ORGANIZATION])?;
    let mut form = Form::read(&body.text, FIELDS_MAX)?;
    let named = Named::with(&parameters, form.take(ORGANIZATION).as_ref())?;
    let wanted = read(form, reception.river.now())?;
    check_maker(&call.caller, &wanted)?;
    let organization = match wanted.role {
        Role::Operator => no_organization(&named)?,
        _ => {
            let tenant = tenant::tenant(&reception, &call.caller, &named).await?;
            Some((tenant.key, tenant.name))
        }
    };
    let new = NewApiKey {
        role: wanted.role,
        organization,
        inboxes: wanted.inboxes,
        description: wanted.description,
        expires_at: wanted.expires_at,
    };
    let (key, text) = reception.river.create_api_key(new).await?;
    let place = [(header::LOCATION, format!("/keys/{}", key.id))];
    let shown = KeyShown {
        key: Some(&text),
        ..KeyShown::of(&key)
    };
    Ok((StatusCode::CREATED, place, Json(shown)).into_response())
}

/// `GET /keys`: an operator's answer holds all of them, unless an organization is named.
pub(crate) async fn list(State(reception): State<Reception>, call: Call) -> Result<Response, Problem> {
    call.caller.need_change()?;
    let parameters = call.parameters(&[ORGANIZATION, "limit", "cursor"])?;
    let limit = pages::limit(&parameters)?;
    // The lowest id is nobody's.
    let after = pages::cursor(&parameters)?.unwrap_or(ApiKeyId::from_bytes([0; 16]));
    let tenant = tenant::tenant_if_named(&reception, &call.caller, &Named::by(&parameters)?).await?;
    let organization = tenant.map(|tenant| tenant.key);
    let read = |after, max| reception.store().some_api_keys(organization, after, max);
    let (room, mut keys, next) = pages::read(&reception, &call.caller, after, limit, read).await?;
    keys.retain(|key| is_visible(&call.caller, key));
    room.of(&Page::new(keys.iter().map(KeyShown::of).collect(), next))
}

/// `GET /keys/{id}`.
pub(crate) async fn get(State(reception): State<Reception>, call: Call, PathPart(id): PathPart) -> Result<Response, Problem> {
    call.caller.need_change()?;
    let key = find(&reception, &call, &id).await?;
    Ok(Json(KeyShown::of(&key)).into_response())
}

/// `DELETE /keys/{id}`. No key deletes itself, so the last operator does not lock the door from outside.
pub(crate) async fn delete(State(reception): State<Reception>, call: Call, PathPart(id): PathPart) -> Result<StatusCode, Problem> {
    call.caller.need_change()?;
    let key = find(&reception, &call, &id).await?;
    if key.id == call.caller.key().id {
        return Err(Problem::new(StatusCode::CONFLICT, "a key can not delete itself"));
    }
    let organization = call.caller.key().organization.as_ref().map(|(key, _)| *key);
    reception.river.delete_api_key(key.id, organization).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn find(reception: &Reception, call: &Call, id: &str) -> Result<ApiKey, Problem> {
    call.parameters(&[])?;
    let id = read_id::<ApiKeyId>(id, "key")?;
    let key = reception.store().api_key(id).await?;
    let key = key.filter(|key| is_visible(&call.caller, key));
    key.ok_or_else(|| Problem::not_found("key"))
}

/// Whether a caller may see a key: an operator all, an admin those of the organization, one limited to inboxes those that are limited to
/// some of them.
fn is_visible(caller: &Caller, key: &ApiKey) -> bool {
    let is_own = caller.is_operator() || key.organization == caller.key().organization;
    is_own && caller.may_scope(key.inboxes.as_deref())
}

fn read(mut form: Form<'_>, now: Time) -> Result<Wanted, FieldError> {
    let given = form.need("role")?;
    let text = given.text()?;
    let role = Role::from_text(&text).ok_or_else(|| {
        let known = Role::ALL.map(Role::as_str).join(", ");
        given.wrong(format!("unknown role; known are {known}"))
    })?;
    let inboxes = form.take("inboxes");
    if let (Some(given), Role::Operator) = (&inboxes, role) {
        return Err(given.wrong("an operator's key is not limited to inboxes"));
    }
    let wanted = Wanted {
        role,
        inboxes: inboxes.map(|given| some_inboxes(&given)).transpose()?,
        description: form
            .take("description")
            .map(|given| given.short_text(DESCRIPTION_BYTES_MAX))
            .transpose()?,
        expires_at: form.take("expires_at").map(|given| later(&given, now)).transpose()?,
    };
    form.finish()?;
    Ok(wanted)
}

fn some_inboxes(given: &Given<'_>) -> Result<Vec<ProductId>, FieldError> {
    let inboxes = given.set(INBOXES_MAX)?;
    if inboxes.is_empty() {
        return Err(given.wrong("holds at least one inbox; leave it out for all"));
    }
    Ok(inboxes)
}

fn later(given: &Given<'_>, now: Time) -> Result<Time, FieldError> {
    let at: jiff::Timestamp = given
        .text()?
        .parse()
        .map_err(|_| given.wrong("must be a time by RFC 3339, such as 2030-01-31T12:00:00Z"))?;
    if at.as_millisecond() <= now.millis() {
        return Err(given.wrong("has passed"));
    }
    Ok(Time::from_millis(at.as_millisecond()))
}

/// Nobody makes a key that may do more than the maker's.
fn check_maker(caller: &Caller, wanted: &Wanted) -> Result<(), Problem> {
    let forbidden = |pointer: &str, message: &str| Err(Problem::field(StatusCode::FORBIDDEN, FieldError::body(pointer, message)));
    if wanted.role == Role::Operator && !caller.is_operator() {
        return forbidden("/role", "only operators make operators");
    }
    if !caller.may_scope(wanted.inboxes.as_deref()) {
        return forbidden("/inboxes", "a key that is limited to inboxes makes keys for some of them");
    }
    Ok(())
}

fn no_organization<T>(named: &Named) -> Result<Option<T>, Problem> {
    match named.one()? {
        None => Ok(None),
        Some(_) => Err(FieldError::body("/organization", "an operator's key is of no organization").into()),
    }
}

#[cfg(test)]
mod tests {
    use hookmill_domain::integration::OrganizationKey;

    use super::*;

    fn key(role: Role, organization: Option<i64>, inboxes: Option<&[&str]>) -> ApiKey {
        let name = |key: i64| format!("o{key}").parse().expect("a name");
        ApiKey {
            id: ApiKeyId::from_bytes([1; 16]),
            role,
            organization: organization.map(|key| (OrganizationKey(key), name(key))),
            inboxes: inboxes.map(|ids| ids.iter().map(|id| id.parse().expect("an id")).collect()),
            description: None,
            created_at: Time::default(),
            expires_at: None,
        }
    }

    fn wanted(body: &str) -> Result<Wanted, String> {
        let form = Form::read(body, FIELDS_MAX).expect("an object");
        read(form, Time::from_millis(1_790_000_000_000)).map_err(|error| serde_json::to_string(&error).expect("JSON"))
    }

    #[test]
    fn bodies_are_read() {
        let full = wanted(r#"{"role":"ingest","inboxes":["a"],"description":"d","expires_at":"2026-09-21T16:13:21+02:00"}"#);
        let full = full.expect("a key");
        assert_eq!(full.expires_at, Some(Time::from_millis(1_790_000_001_000)));
        assert_eq!(full.role, Role::Ingest);
        for (bad, what) in [
            ("{}", r#"/role","message":"is missing"#),
            (r#"{"role":"root"}"#, "known are operator, admin, ingest, read"),
            (r#"{"role":"read","inboxes":[]}"#, "at least one"),
            (r#"{"role":"operator","inboxes":["a"]}"#, "not limited"),
            (r#"{"role":"read","expires_at":"2026-09-21T14:13:20Z"}"#, "has passed"),
            (r#"{"role":"read","expires_at":"tomorrow"}"#, "RFC 3339"),
            (r#"{"role":"read","expires_at":1790000001}"#, "must be a string"),
            (r#"{"role":"read","key":"x"}"#, r#"/key","message":"unknown field"#),
        ] {
            let error = wanted(bad).expect_err(bad);
            assert!(error.contains(what), "{bad}: {error}");
        }
    }

    #[test]
    fn nobody_makes_more_than_they_are() {
        let check = |caller: ApiKey, body: &str| check_maker(&Caller::with(caller), &wanted(body).expect("a key")).is_ok();
        assert!(check(key(Role::Operator, None, None), r#"{"role":"operator"}"#));
        assert!(!check(key(Role::Admin, Some(1), None), r#"{"role":"operator"}"#));
        assert!(check(key(Role::Admin, Some(1), None), r#"{"role":"admin"}"#));
        let limited = key(Role::Admin, Some(1), Some(&["a", "b"]));
        assert!(check(limited.clone(), r#"{"role":"admin","inboxes":["b"]}"#));
        assert!(!check(limited.clone(), r#"{"role":"admin"}"#));
        assert!(!check(limited, r#"{"role":"read","inboxes":["b","c"]}"#));
    }

    #[test]
    fn what_is_seen() {
        let check = |caller: &ApiKey, seen: &ApiKey| is_visible(&Caller::with(caller.clone()), seen);
        let (operator, admin) = (key(Role::Operator, None, None), key(Role::Admin, Some(1), None));
        let limited = key(Role::Admin, Some(1), Some(&["a"]));
        assert!(check(&operator, &admin) && check(&operator, &operator));
        assert!(check(&admin, &admin) && check(&admin, &limited));
        assert!(!check(&admin, &operator) && !check(&admin, &key(Role::Read, Some(2), None)));
        assert!(check(&limited, &limited) && !check(&limited, &admin));
    }
}
