//! Attempts as they are answered.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hookmill_domain::time::Time;
use hookmill_store::Attempt;
use serde::Serialize;

/// One attempt.
#[derive(Debug, Serialize)]
pub(crate) struct AttemptShown {
    number: u32,
    ended_at: Time,
    duration_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(flatten)]
    response: Option<ResponseShown>,
}

/// What is kept of a response's body: its text, or its bytes in base64, which the second field then says.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct ResponseShown {
    response: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_encoding: Option<&'static str>,
}

impl From<Attempt> for AttemptShown {
    fn from(attempt: Attempt) -> AttemptShown {
        AttemptShown {
            number: attempt.number,
            ended_at: attempt.ended_at,
            duration_ms: attempt.duration_us as f64 / 1000.0,
            status: attempt.status,
            code: attempt.code,
            detail: attempt.detail,
            response: (!attempt.response.is_empty()).then(|| shown(&attempt.response)),
        }
    }
}

fn shown(response: &[u8]) -> ResponseShown {
    let text = match std::str::from_utf8(response) {
        Ok(text) => Some(text),
        // What is kept may end within a character.
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&response[..error.valid_up_to()]).ok(),
        Err(_) => None,
    };
    match text {
        Some(text) => ResponseShown {
            response: text.to_owned(),
            response_encoding: None,
        },
        None => ResponseShown {
            response: BASE64.encode(response),
            response_encoding: Some("base64"),
        },
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn responses_are_text_where_they_can_be() {
        let check = |bytes: &[u8]| {
            let shown = shown(bytes);
            (shown.response, shown.response_encoding)
        };
        assert_eq!(check("né".as_bytes()), ("né".to_owned(), None));
        assert_eq!(check(&"né".as_bytes()[..2]), ("n".to_owned(), None), "cut within a character");
        assert_eq!(check(b"\xff\x00n"), ("/wBu".to_owned(), Some("base64")));
    }

    #[test]
    fn attempts_are_shown() {
        let mut attempt = Attempt {
            number: 2,
            ended_at: Time::from_millis(1_790_000_000_120),
            duration_us: 1_042,
            status: Some(503),
            code: Some("status".to_owned()),
            detail: None,
            response: b"busy".as_slice().into(),
        };
        let check = |attempt: &Attempt| serde_json::to_string(&AttemptShown::from(attempt.clone())).expect("JSON");
        expect![[
            r#"{"number":2,"ended_at":"2026-09-21T14:13:20.120Z","duration_ms":1.042,"status":503,"code":"status","response":"busy"}"#
        ]]
        .assert_eq(&check(&attempt));
        attempt.response = bytes::Bytes::new();
        attempt.status = None;
        expect![[r#"{"number":2,"ended_at":"2026-09-21T14:13:20.120Z","duration_ms":1.042,"code":"status"}"#]].assert_eq(&check(&attempt));
    }
}
