//! Which organization a call is about. A key of one organization speaks for that one and need not name it; an operator names it, in the
//! body or in the query.

use hookmill_domain::integration::OrganizationKey;
use hookmill_domain::names::OrganizationName;
use http::StatusCode;

use crate::auth::Caller;
use crate::fields::Given;
use crate::parameters::Parameters;
use crate::problem::{FieldError, Problem};
use crate::reception::Reception;

/// The name of the query parameter, and of the field.
pub(crate) const ORGANIZATION: &str = "organization";

/// An organization, as a call is about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tenant {
    /// Its number.
    pub(crate) key: OrganizationKey,
    /// Its name.
    pub(crate) name: OrganizationName,
}

/// Where a call names an organization, and which.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Named {
    /// In the query.
    pub(crate) in_query: Option<OrganizationName>,
    /// In the body: the pointer to it, and the name.
    pub(crate) in_body: Option<(String, OrganizationName)>,
    /// Whether it could be named in a body.
    pub(crate) has_body: bool,
}

impl Named {
    /// Named by the query alone.
    pub(crate) fn by(parameters: &Parameters) -> Result<Named, Problem> {
        Ok(Named {
            in_query: parameters.parsed(ORGANIZATION)?,
            ..Named::default()
        })
    }

    /// Named by the query, or by a field of the body.
    pub(crate) fn with(parameters: &Parameters, field: Option<&Given<'_>>) -> Result<Named, Problem> {
        let in_body = field.map(|field| field.parsed().map(|name| (field.pointer().to_owned(), name)));
        Ok(Named {
            in_body: in_body.transpose()?,
            has_body: true,
            ..Named::by(parameters)?
        })
    }

    /// Its one name.
    pub(crate) fn one(&self) -> Result<Option<&OrganizationName>, FieldError> {
        match (&self.in_query, &self.in_body) {
            (Some(query), Some((pointer, body))) if query != body => Err(FieldError::body(
                pointer.clone(),
                format!("is another one than the query's, {query}"),
            )),
            (query, body) => Ok(query.as_ref().or(body.as_ref().map(|(_, name)| name))),
        }
    }

    fn unknown(&self) -> Problem {
        match &self.in_body {
            Some((pointer, _)) => FieldError::body(pointer.clone(), "there is no such organization").into(),
            None => Problem::not_found("organization"),
        }
    }
}

/// The organization that a call is about. Of a call that names none, an operator's, it can not be told.
pub(crate) async fn tenant(reception: &Reception, caller: &Caller, named: &Named) -> Result<Tenant, Problem> {
    match tenant_if_named(reception, caller, named).await? {
        Some(tenant) => Ok(tenant),
        None if named.has_body => Err(missing("/organization")),
        None => Err(Problem::field(
            StatusCode::UNPROCESSABLE_ENTITY,
            FieldError::parameter(ORGANIZATION, "is missing: an operator names the organization"),
        )),
    }
}

/// The organization that a call is about; `None` for an operator who names none.
pub(crate) async fn tenant_if_named(reception: &Reception, caller: &Caller, named: &Named) -> Result<Option<Tenant>, Problem> {
    let name = named.one()?;
    if let Some((key, own)) = &caller.key().organization {
        return match name {
            Some(name) if name != own => Err(Problem::not_found("organization")),
            _ => Ok(Some(Tenant {
                key: *key,
                name: own.clone(),
            })),
        };
    }
    let Some(name) = name else { return Ok(None) };
    match reception.river.organization(name).await? {
        Some(key) => Ok(Some(Tenant { key, name: name.clone() })),
        None => Err(named.unknown()),
    }
}

/// An operator has not named an organization in the body, nor in the query.
pub(crate) fn missing(pointer: impl Into<String>) -> Problem {
    FieldError::body(
        pointer,
        "is missing: an operator names the organization, here or as a query parameter",
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_twice() {
        let name = |text: &str| text.parse::<OrganizationName>().expect("a name");
        let named = |query: Option<&str>, body: Option<&str>| Named {
            in_query: query.map(name),
            in_body: body.map(|body| ("/organization".to_owned(), name(body))),
            has_body: true,
        };
        assert_eq!(named(None, None).one().expect("none"), None);
        assert_eq!(named(Some("a"), None).one().expect("one"), Some(&name("a")));
        assert_eq!(named(None, Some("b")).one().expect("one"), Some(&name("b")));
        assert_eq!(named(Some("a"), Some("a")).one().expect("the same"), Some(&name("a")));
        assert!(named(Some("a"), Some("b")).one().is_err());
    }
}
