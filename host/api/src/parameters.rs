//! Query parameters: each known by name, none of them twice, and whatever is wrong named.

use std::fmt;
use std::str::FromStr;

use url::form_urlencoded;

use crate::problem::FieldError;

/// The most parameters that are read.
const PARAMETERS_MAX: usize = 32;

/// The parameters of one request.
#[derive(Debug, Default)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads a query; parameters other than `known` are refused.
    pub(crate) fn read(query: &str, known: &[&str]) -> Result<Parameters, FieldError> {
        let mut found: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()).take(PARAMETERS_MAX) {
            if !known.contains(&name.as_ref()) {
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(FieldError::parameter(name, format!("unknown parameter; known here: {known}")));
            }
            if found.iter().any(|(earlier, _)| *earlier == name) {
                return Err(FieldError::parameter(name, "is given more than once"));
            }
            found.push((name.into_owned(), value.into_owned()));
        }
        Ok(Parameters(found))
    }

    /// A parameter's value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A parameter that is read as something else.
    pub(crate) fn parsed<T: FromStr<Err: fmt::Display>>(&self, name: &str) -> Result<Option<T>, FieldError> {
        let value = self.get(name).map(str::parse).transpose();
        value.map_err(|error: T::Err| FieldError::parameter(name, error.to_string()))
    }

    /// A parameter that must be there.
    pub(crate) fn need<T: FromStr<Err: fmt::Display>>(&self, name: &str) -> Result<T, FieldError> {
        self.parsed(name)?.ok_or_else(|| FieldError::parameter(name, "is missing"))
    }

    /// `true` or `false`; `default` if it is not given.
    pub(crate) fn flag(&self, name: &str, default: bool) -> Result<bool, FieldError> {
        match self.get(name) {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(_) => Err(FieldError::parameter(name, "must be true or false")),
        }
    }

    /// One of some words.
    pub(crate) fn one_of<T: Copy>(&self, name: &str, all: &[T], text: impl Fn(T) -> &'static str) -> Result<Option<T>, FieldError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let found = all.iter().copied().find(|one| text(*one) == value);
        found.map(Some).ok_or_else(|| {
            let known: Vec<&str> = all.iter().map(|one| text(*one)).collect();
            FieldError::parameter(name, format!("unknown; known are {}", known.join(", ")))
        })
    }
}

#[cfg(test)]
mod tests {
    use hookmill_domain::state::RunState;

    use super::*;

    fn refused<T>(result: Result<T, FieldError>, parameter: &str, message: &str) {
        let Err(error) = result else { panic!("{parameter} is wrong") };
        let found = serde_json::to_value(&error).expect("JSON");
        assert_eq!(found["parameter"], parameter, "{found}");
        assert!(found["message"].as_str().is_some_and(|found| found.contains(message)), "{found}");
    }

    #[test]
    fn parameters_are_read_by_name() {
        let parameters = Parameters::read("state=parked&limit=%35&data=true&", &["state", "limit", "data"]).expect("a query");
        assert_eq!(
            parameters.one_of("state", RunState::ALL, RunState::as_str).expect("known"),
            Some(RunState::Parked)
        );
        assert_eq!(parameters.need::<u32>("limit").expect("a number"), 5);
        assert!(parameters.flag("data", false).expect("a flag"));
        assert!(parameters.flag("activate", true).expect("absent"));
        assert_eq!(parameters.parsed::<u32>("cursor").expect("absent"), None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        refused(
            Parameters::read("stat=parked", &["state", "limit"]),
            "stat",
            "known here: state, limit",
        );
        refused(Parameters::read("api_key=secret", &[]), "api_key", "known here: none");
        refused(Parameters::read("limit=1&limit=2", &["limit"]), "limit", "more than once");
        let parameters = Parameters::read("state=Parked&limit=x&data=1", &["state", "limit", "data"]).expect("a query");
        refused(
            parameters.one_of("state", RunState::ALL, RunState::as_str),
            "state",
            "known are pending, queued",
        );
        refused(parameters.parsed::<u32>("limit"), "limit", "invalid digit");
        refused(parameters.flag("data", false), "data", "true or false");
        refused(parameters.need::<u32>("name"), "name", "is missing");
    }
}
