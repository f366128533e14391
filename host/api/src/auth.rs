//! Who calls: the key that a request presents, and what its holder may do. Keys come in headers alone; in a URL they would end up in logs.

use std::sync::Arc;

use hookmill_domain::api_key::{ApiKey, Role};
use hookmill_domain::integration::OrganizationKey;
use hookmill_domain::names::ProductId;
use hookmill_flow::River;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::problem::Problem;

const X_API_KEY: &str = "X-API-Key";
const AUTHORIZATION: &str = "Authorization";

/// Somebody with a key that holds.
#[derive(Debug, Clone)]
pub(crate) struct Caller(Arc<ApiKey>);

impl Caller {
    /// Finds out who presents these headers.
    pub(crate) fn of(headers: &HeaderMap, river: &River) -> Result<Caller, Problem> {
        let text = presented(headers).map_err(|error| challenge(error.to_string(), r#"Bearer realm="hookmill""#))?;
        match river.key_of(text) {
            Some(key) => Ok(Caller(key)),
            None => Err(challenge(
                "the key is unknown or has expired".to_owned(),
                r#"Bearer realm="hookmill", error="invalid_token""#,
            )),
        }
    }

    /// A caller with that key.
    #[cfg(test)]
    pub(crate) fn with(key: ApiKey) -> Caller {
        Caller(Arc::new(key))
    }

    /// The key.
    pub(crate) fn key(&self) -> &ApiKey {
        &self.0
    }

    /// Whether the caller is an operator: of no organization, and of all.
    pub(crate) fn is_operator(&self) -> bool {
        self.0.role == Role::Operator
    }

    /// The caller's organization; `None` for an operator.
    pub(crate) fn organization(&self) -> Option<OrganizationKey> {
        self.0.organization.as_ref().map(|(key, _)| *key)
    }

    /// The inboxes that the key is limited to, if it is.
    pub(crate) fn inboxes(&self) -> Option<&[ProductId]> {
        self.0.inboxes.as_deref()
    }

    /// Whether events of that inbox may be posted and seen.
    pub(crate) fn may_see(&self, inbox: Option<&ProductId>) -> bool {
        self.inboxes()
            .is_none_or(|inboxes| inbox.is_some_and(|inbox| inboxes.contains(inbox)))
    }

    /// Whether things with that scope lie wholly within the key's: things without a scope do so for unlimited keys alone.
    pub(crate) fn may_scope(&self, scope: Option<&[ProductId]>) -> bool {
        let within = |scope: &[ProductId]| scope.iter().all(|inbox| self.may_see(Some(inbox)));
        self.inboxes().is_none() || scope.is_some_and(within)
    }

    /// Refuses who may not post events.
    pub(crate) fn need_ingest(&self) -> Result<(), Problem> {
        self.need(self.0.role.may_ingest(), "post events")
    }

    /// Refuses who may not read.
    pub(crate) fn need_read(&self) -> Result<(), Problem> {
        self.need(self.0.role.may_read(), "read")
    }

    /// Refuses who may not change anything.
    pub(crate) fn need_change(&self) -> Result<(), Problem> {
        self.need(self.0.role.may_change(), "change anything or see secrets")
    }

    /// Refuses whoever is no operator.
    pub(crate) fn need_operator(&self) -> Result<(), Problem> {
        self.need(self.is_operator(), "do what operators do")
    }

    /// Refuses keys that are limited to inboxes, for what concerns all of an organization.
    pub(crate) fn need_unlimited(&self) -> Result<(), Problem> {
        match self.inboxes() {
            None => Ok(()),
            Some(_) => Err(forbidden(
                "a key that is limited to inboxes may not do what concerns all of them".to_owned(),
            )),
        }
    }

    fn need(&self, may: bool, what: &str) -> Result<(), Problem> {
        if may {
            Ok(())
        } else {
            Err(forbidden(format!("a key of the role {} may not {what}", self.0.role.as_str())))
        }
    }
}

fn forbidden(detail: String) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, detail)
}

fn challenge(detail: String, challenge: &'static str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, detail).with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum NoKey {
    #[error("a key is needed, as `Authorization: Bearer …` or as `X-API-Key: …`")]
    Absent,
    #[error("only the scheme Bearer is known in `Authorization`")]
    Scheme,
    #[error("the request presents two different keys")]
    Two,
    #[error("the key in `{0}` is empty")]
    Empty(&'static str),
    #[error("what stands in `{0}` is no key: keys are printable ASCII characters")]
    NotText(&'static str),
}

/// The key's text.
fn presented(headers: &HeaderMap) -> Result<&str, NoKey> {
    let mut found = None;
    for value in headers.get_all(header::AUTHORIZATION) {
        let value = value.to_str().map_err(|_| NoKey::NotText(AUTHORIZATION))?.trim_ascii();
        let (scheme, key) = value.split_once(' ').unwrap_or((value, ""));
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(NoKey::Scheme);
        }
        found = Some(same(found, some(key, AUTHORIZATION)?)?);
    }
    for value in headers.get_all(X_API_KEY) {
        let value = value.to_str().map_err(|_| NoKey::NotText(X_API_KEY))?;
        found = Some(same(found, some(value, X_API_KEY)?)?);
    }
    found.ok_or(NoKey::Absent)
}

fn some<'a>(key: &'a str, header: &'static str) -> Result<&'a str, NoKey> {
    let key = key.trim_ascii();
    if key.is_empty() { Err(NoKey::Empty(header)) } else { Ok(key) }
}

fn same<'a>(found: Option<&'a str>, next: &'a str) -> Result<&'a str, NoKey> {
    match found {
        Some(found) if found != next => Err(NoKey::Two),
        _ => Ok(next),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&'static str, &'static str)], expected: Result<&str, NoKey>) {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect::<Vec<_>>()
            .into_iter()
            .fold(HeaderMap::new(), |mut all, (name, value)| {
                all.append(name, value);
                all
            });
        assert_eq!(presented(&headers), expected, "{headers:?}");
    }

    #[test]
    fn keys_come_in_headers() {
        check(&[], Err(NoKey::Absent));
        check(&[("authorization", "Bearer abc")], Ok("abc"));
        check(&[("authorization", "bEaReR  abc")], Ok("abc"));
        check(&[("x-api-key", "abc")], Ok("abc"));
        check(&[("x-api-key", "abc"), ("authorization", "Bearer abc")], Ok("abc"));
        check(&[("x-api-key", "abc"), ("authorization", "Bearer abd")], Err(NoKey::Two));
        check(&[("authorization", "Bearer a"), ("authorization", "Bearer b")], Err(NoKey::Two));
        check(&[("authorization", "Basic YTpi")], Err(NoKey::Scheme));
        check(&[("authorization", "abc")], Err(NoKey::Scheme));
        for empty in ["Bearer", "bearer ", "Bearer   "] {
            check(&[("authorization", empty)], Err(NoKey::Empty(AUTHORIZATION)));
        }
        check(&[("x-api-key", "")], Err(NoKey::Empty(X_API_KEY)));
        check(&[("x-api-key", " "), ("authorization", "Bearer abc")], Err(NoKey::Empty(X_API_KEY)));
    }

    #[test]
    fn limited_keys() {
        let id = |text: &str| text.parse::<ProductId>().expect("an id");
        let key = ApiKey {
            id: hookmill_domain::ids::ApiKeyId::from_bytes([1; 16]),
            role: Role::Admin,
            organization: None,
            inboxes: Some(vec![id("a"), id("b")]),
            description: None,
            created_at: Default::default(),
            expires_at: None,
        };
        let limited = Caller::with(key.clone());
        assert!(limited.may_see(Some(&id("a"))) && !limited.may_see(Some(&id("c"))) && !limited.may_see(None));
        assert!(limited.may_scope(Some(&[id("b")])) && !limited.may_scope(Some(&[id("b"), id("c")])) && !limited.may_scope(None));
        assert!(limited.need_unlimited().is_err());
        let unlimited = Caller::with(ApiKey {
            inboxes: None,
            role: Role::Read,
            ..key
        });
        assert!(unlimited.may_see(None) && unlimited.may_scope(None) && unlimited.need_unlimited().is_ok());
        assert!(unlimited.need_read().is_ok());
        assert_eq!(unlimited.need_ingest().expect_err("it reads").status(), StatusCode::FORBIDDEN);
        assert!(unlimited.need_change().is_err() && unlimited.need_operator().is_err());
    }
}
