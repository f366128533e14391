//! Whether what arrived is what was promised. Judged by the receiver's own notes and by bytes, never by what the host says of itself; the
//! host's word is only used to tell what became of what did not arrive.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::plan::{ORGANIZATION, Route, Shape};
use super::play::{PATIENCE, Parcel};

/// What holds of a parcel.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Each request's signature verified.
    pub(crate) is_signed: bool,
    /// Each request carried the promised header.
    pub(crate) is_authorized: bool,
    /// The payload is the one that was promised.
    pub(crate) is_as_promised: bool,
    /// All that does not hold.
    pub(crate) faults: Vec<String>,
}

/// What was posted.
#[derive(Deserialize)]
struct Posted<'a> {
    event: &'a str,
    inbox: Option<&'a str>,
    project: Option<&'a str>,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// Judges one parcel of a route.
pub(crate) fn judge(route: &Route, parcel: &Parcel) -> Verdict {
    let Some(last) = parcel.arrivals.last() else {
        return Verdict {
            faults: vec![format!("it did not arrive within {} s{}", PATIENCE.as_secs(), what_became(parcel))],
            ..Verdict::default()
        };
    };
    let arrivals = &parcel.arrivals;
    let mut faults = Vec::new();
    let is_signed = arrivals.iter().all(|arrival| arrival.signature_fault.is_none());
    if let Some(fault) = arrivals.iter().find_map(|arrival| arrival.signature_fault.as_ref()) {
        faults.push(format!("its signature does not hold: {fault}"));
    }
    let is_authorized = arrivals.iter().all(|arrival| arrival.is_authorized);
    if !is_authorized {
        faults.push("it came without the promised Authorization".to_owned());
    }
    if !last.is_taken() {
        faults.push(format!("it was not taken within {} s{}", PATIENCE.as_secs(), what_became(parcel)));
    }
    if let Some(stray) = arrivals.iter().find(|arrival| arrival.path != parcel.door.path) {
        faults.push(format!("it came to {} instead", stray.path));
    }
    if arrivals.iter().any(|arrival| arrival.body != last.body) {
        faults.push("its body changed between attempts".to_owned());
    }
    let refused = arrivals.iter().filter(|arrival| !arrival.is_taken()).count();
    if faults.is_empty() && refused != parcel.door.refusals as usize {
        faults.push(format!("it was refused {refused} times in place of {}", parcel.door.refusals));
    }
    let is_as_promised = match route.shape {
        Shape::Documented => documented(parcel.sample.text).is_some_and(|payload| payload.as_bytes() == last.body),
        Shape::Flat { .. } => is_flat_form_of(parcel.sample.text, &last.body),
    };
    if !is_as_promised {
        faults.push("its payload is not the promised one".to_owned());
    }
    Verdict {
        is_signed,
        is_authorized,
        is_as_promised,
        faults,
    }
}

/// The documented payload of what was posted, to the byte. The samples' names hold nothing that JSON escapes.
fn documented(posted: &str) -> Option<String> {
    let posted: Posted<'_> = serde_json::from_str(posted).ok()?;
    let optional = |name: &str, value: Option<&str>| value.map(|value| format!(", \"{name}\": \"{value}\"")).unwrap_or_default();
    Some(format!(
        "{{\"event\": \"{}\", \"organization\": \"{ORGANIZATION}\"{}{}, \"data\": {}}}",
        posted.event,
        optional("inbox", posted.inbox),
        optional("project", posted.project),
        posted.data
    ))
}

/// One object that says it is an invoice's, and of each other name the first value that the posted document has for it: what somebody
/// corrected, or else what was predicted.
fn is_flat_form_of(posted: &str, body: &[u8]) -> bool {
    let (Ok(Value::Object(mut form)), Ok(posted)) = (serde_json::from_slice(body), serde_json::from_str::<Value>(posted)) else {
        return false;
    };
    let found = ["/data/feedback/annotations", "/data/prediction/annotations"];
    let Some(found) = found.into_iter().find_map(|pointer| posted.pointer(pointer)) else {
        return false;
    };
    let is_invoice = form.remove("type").is_some_and(|kind| kind == "invoice");
    let is_found = |(name, value): (&String, &Value)| {
        let first = &found[name][0];
        first.get("gold").or(first.get("value")) == Some(value)
    };
    is_invoice && !form.is_empty() && form.iter().all(is_found)
}

/// What the host says of what did not arrive.
fn what_became(parcel: &Parcel) -> String {
    let Some(run) = &parcel.run else {
        return "; no run of it was recorded".to_owned();
    };
    let reason = run.reason.as_ref().map(|reason| format!(", {reason}")).unwrap_or_default();
    match run.deliveries.first() {
        None => format!("; its run is {}{reason}", run.state),
        Some(delivery) => {
            let status = delivery.status.map(|status| format!(", last status {status}")).unwrap_or_default();
            format!("; its delivery is {} after {} attempts{status}", delivery.state, delivery.attempts)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use bytes::Bytes;
    use http::StatusCode;

    use super::super::plan::{ROUTES, SAMPLES};
    use super::super::receiver::Arrival;
    use super::*;

    fn arrival(path: &'static str, status: u16, body: &str) -> Arrival {
        Arrival {
            path,
            id: "dlv_1".to_owned(),
            at: Instant::now(),
            status: StatusCode::from_u16(status).expect("a status"),
            signature_fault: None,
            is_authorized: true,
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    /// The faults of the first sample on the route of all other events.
    fn faults(arrivals: Vec<Arrival>) -> String {
        let parcel = Parcel {
            sample: &SAMPLES[0],
            door: &ROUTES[2].door,
            run: None,
            attempts: Vec::new(),
            arrivals,
        };
        judge(&ROUTES[2], &parcel).faults.join("; ")
    }

    const PAYLOAD: &str = r#"{"event": "document_text", "organization": "contractfit1", "data": {"id": "5e7a0daf255bf93741177061", "text": "example document text"}}"#;

    #[test]
    fn what_was_promised_has_no_faults() {
        assert_eq!(faults(vec![arrival("/alfred/events", 200, PAYLOAD)]), "");
        assert!(documented(SAMPLES[2].text).is_some_and(|payload| {
            payload.starts_with(
                r#"{"event": "document_predict", "organization": "contractfit1", "inbox": "5e6f3b1c255bf93741170a11", "project": "5e6f3b02255bf93741170a0f", "data": {"#,
            )
        }));
    }

    #[test]
    fn each_fault_is_told() {
        assert_eq!(faults(vec![]), "it did not arrive within 20 s; no run of it was recorded");
        let at = |path, status, body| faults(vec![arrival(path, status, body)]);
        assert_eq!(at("/alfred/events", 200, "{}"), "its payload is not the promised one");
        assert_eq!(at("/archive", 200, PAYLOAD), "it came to /archive instead");
        let refused = "it was not taken within 20 s; no run of it was recorded";
        assert_eq!(at("/alfred/events", 503, PAYLOAD), refused);
        let mut wrong = arrival("/alfred/events", 401, PAYLOAD);
        wrong.signature_fault = Some("signature invalid".to_owned());
        wrong.is_authorized = false;
        let told = faults(vec![wrong, arrival("/alfred/events", 200, PAYLOAD)]);
        assert_eq!(
            told,
            "its signature does not hold: signature invalid; it came without the promised Authorization"
        );
    }

    #[test]
    fn flat_forms() {
        let posted = r#"{"data": {"prediction": {"annotations": {"IBAN": [{"value": "BE90"}, {"value": "BE44"}], "net_amount": [{"value": 143.5}]}}}}"#;
        let is_flat = |body: &str| is_flat_form_of(posted, body.as_bytes());
        assert!(is_flat(r#"{"IBAN": "BE90", "net_amount": 143.5, "type": "invoice"}"#));
        assert!(!is_flat(r#"{"IBAN": "BE44", "net_amount": 143.5, "type": "invoice"}"#));
        assert!(!is_flat(r#"{"IBAN": "BE90", "net_amount": 143.5}"#));
        assert!(!is_flat(r#"{"event": "document_predict", "data": {}, "type": "invoice"}"#));
        assert!(!is_flat(r#"{"type": "invoice"}"#) && !is_flat("[]"));
    }
}
