//! Where errors of the rooms below become answers. What a client reads is told here; what it does not need to know goes into the log.

use hookmill_flow::{ChangeError, PostError};
use hookmill_store::StoreError;
use http::StatusCode;

use crate::plugins;
use crate::problem::{FieldError, Problem};

/// Seconds after which it is worth trying again what had no room on the disk.
const ROOM_RETRY_S: u16 = 5;
/// Seconds after which it is worth trying again what had no turn.
const TURN_RETRY_S: u16 = 1;

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        match error {
            StoreError::NoRoom => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "there is no room on the host's disk")
                .with_limit("disk_free_bytes_min")
                .retry_after(ROOM_RETRY_S),
            StoreError::Closed => unavailable("the host is shutting down"),
            StoreError::Database(_) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
                Problem::internal()
            }
        }
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Problem {
        match error {
            ChangeError::NotFound => Problem::not_found("thing"),
            ChangeError::Moved => Problem::new(StatusCode::CONFLICT, "it was changed meanwhile: read it again"),
            ChangeError::TooMany { limit, .. } => Problem::new(StatusCode::TOO_MANY_REQUESTS, error.to_string()).with_limit(limit),
            ChangeError::Invalid { pointer, message } => FieldError::body(pointer, message).into(),
            ChangeError::Conflict { message } => Problem::new(StatusCode::CONFLICT, message),
            ChangeError::Unfit(unfit) => plugins::unfit_problem(unfit),
            ChangeError::Needed(needed) => plugins::needed_problem(*needed),
            ChangeError::Refused { code, message } => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, message).with_code(code),
            ChangeError::TooLarge { max } => Problem::too_large("", format!("is larger than {max} bytes"), "component_bytes_max"),
            ChangeError::Busy => unavailable("the host is busy"),
            ChangeError::Host { message } => {
                tracing::error!("{message}");
                Problem::internal()
            }
            ChangeError::Store(error) => error.into(),
        }
    }
}

/// The answer to events that were not accepted; pointers of a batch begin with an event's position.
pub(crate) fn post_problem(error: PostError, is_batch: bool) -> Problem {
    match error {
        PostError::NoOrganization => Problem::not_found("organization"),
        PostError::Conflict { position, other } => {
            let pointer = if is_batch { format!("/{position}/id") } else { "/id".to_owned() };
            let message = match other {
                Some(other) => format!("is that of event {other} too, which is another one"),
                None => "was used for another event".to_owned(),
            };
            Problem::field(StatusCode::CONFLICT, FieldError::body(pointer, message))
        }
        PostError::TooManyRuns { runs, max } => Problem::too_large("", format!("owes {runs} runs, more than {max}"), "batch_runs_max"),
        PostError::Unsettled => unavailable("the organization's configuration is being changed"),
        PostError::Store(error) => error.into(),
    }
}

fn unavailable(detail: &'static str) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(TURN_RETRY_S)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn shown(problem: Problem) -> String {
        String::from_utf8(problem.document()).expect("JSON")
    }

    #[test]
    fn the_database_is_never_told_of() {
        let problem = Problem::from(StoreError::Database("no such table: event".to_owned()));
        expect![[r#"{"type":"about:blank","title":"Internal Server Error","status":500,"detail":"the host failed; its log tells more"}"#]]
            .assert_eq(&shown(problem));
    }

    #[test]
    fn a_fault_of_the_host_is_none_of_the_client() {
        let problem = Problem::from(ChangeError::Host { message: "inner words" });
        expect![[r#"{"type":"about:blank","title":"Internal Server Error","status":500,"detail":"the host failed; its log tells more"}"#]]
            .assert_eq(&shown(problem));
    }

    #[test]
    fn conflicts_name_both_positions() {
        let conflict = |position, other, is_batch| shown(post_problem(PostError::Conflict { position, other }, is_batch));
        expect![[
            r#"{"type":"about:blank","title":"Conflict","status":409,"detail":"/3/id: is that of event 1 too, which is another one","errors":[{"pointer":"/3/id","message":"is that of event 1 too, which is another one"}]}"#
        ]]
        .assert_eq(&conflict(3, Some(1), true));
        assert!(conflict(0, None, false).contains(r#""pointer":"/id""#));
    }
}
