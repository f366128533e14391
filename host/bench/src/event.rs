//! The event that is posted: a `document_text` of 1 KiB as the product sends it, each with a document of its own, so
//! that the receiver can tell which one has arrived.

use anyhow::{Context, Result};
use std::ops::Range;

/// The size of each event, in bytes, before a plugin has seen it.
pub(crate) const EVENT_BYTES: usize = 1024;
/// Whose events they are.
pub(crate) const ORGANIZATION: &str = "contractfit1";
/// Their kind.
pub(crate) const KIND: &str = "document_text";

/// As the plugin is told it, where it is called without a river around it.
pub(crate) const ID: &str = "evt_01m3250v00e50r2rt5cy4tqkff";
/// The integration that it is told.
pub(crate) const INTEGRATION_ID: &str = "int_01ksr49200ew3re1r70w3ge1r7";
/// When such an event was accepted, in milliseconds since the epoch.
pub(crate) const ACCEPTED_AT_MS: i64 = 1_790_000_000_120;
/// The same as text.
pub(crate) const ACCEPTED_AT: &str = "2026-09-21T14:13:20.120Z";

/// What stands before the text of the document. The last eight digits of its id are the document's number.
const START: &str = r#"{"event": "document_text", "organization": "contractfit1", "data": {"id": "5e7a0daf255bf937"#;
const DATA_START: &str = r#"{"id": "5e7a0daf255bf937"#;
const ID_MARK: &[u8] = br#""id": "5e7a0daf255bf937"#;
const NUMBER_DIGITS: usize = 8;
/// What a scanner reads from an invoice.
const TEXT: &str = concat!(
    r"ACME Office Supplies NV\nKortrijksesteenweg 1093\nB-9051 Gent\nVAT BE0665922717\n\nINVOICE 10.837.642\n",
    r"Invoice date 05/10/2017   Due date 03/11/2017\nCustomer 77-1042   Order PO-2017-00318\n\n",
    r"Description   Qty   Price   Amount\nCopy paper A4 80 g   20   4.35   87.00\nToner cartridge, black   1   56.50   56.50\n\n",
    r"Net amount   143.50\nVAT 6 %   8.61\nTotal amount payable EUR   152.11\n\n",
    r"Please pay to BE90 2900 5080 0032, \u00e9tablissement principal, quoting the invoice number.\n",
);

/// A request that is written again and again, with another document each time.
pub(crate) struct Request {
    bytes: Vec<u8>,
    number: Range<usize>,
}

impl Request {
    /// The request line and the headers come from the caller; `content-length` is added here.
    pub(crate) fn new(head: &str) -> Request {
        let mut bytes = format!("{head}content-length: {EVENT_BYTES}\r\n\r\n").into_bytes();
        let body_start = bytes.len();
        bytes.extend_from_slice(START.as_bytes());
        let number = bytes.len()..bytes.len() + NUMBER_DIGITS;
        let text_bytes = EVENT_BYTES - START.len() - NUMBER_DIGITS - r#"", "text": ""}}"#.len();
        bytes.extend_from_slice(format!(r#"00000000", "text": "{}"}}}}"#, text(text_bytes)).as_bytes());
        debug_assert_eq!(bytes.len() - body_start, EVENT_BYTES);
        Request { bytes, number }
    }

    /// The request that posts this document.
    pub(crate) fn of(&mut self, number: u32) -> &[u8] {
        let digits = format!("{number:08x}");
        self.bytes[self.number.clone()].copy_from_slice(digits.as_bytes());
        &self.bytes
    }
}

/// A small event of this document for whoever listens to that inbox of the organization.
pub(crate) fn for_inbox(organization: &str, inbox: u32, number: u32) -> String {
    format!(
        r#"{{"event": "{KIND}", "organization": "{organization}", "inbox": "inbox-{inbox}", "data": {DATA_START}{number:08x}", "text": ""}}}}"#
    )
}

/// An event as it is posted, which is how the passthrough delivers it, and its `data`.
pub(crate) fn posted_and_data() -> (Vec<u8>, String) {
    let request = Request::new("").bytes;
    let posted = request[request.len() - EVENT_BYTES..].to_vec();
    let data = &posted[START.len() - DATA_START.len()..EVENT_BYTES - 1];
    (posted.clone(), String::from_utf8_lossy(data).into_owned())
}

/// The number of the document that a delivered payload carries.
pub(crate) fn number_in(payload: &[u8]) -> Result<u32> {
    let mark = payload.windows(ID_MARK.len()).position(|bytes| bytes == ID_MARK);
    let digits = mark.and_then(|at| payload.get(at + ID_MARK.len()..at + ID_MARK.len() + NUMBER_DIGITS));
    let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
    digits
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .context("find the document's number in a delivery")
}

/// So many bytes of text, cut where no escape is broken and filled up with dots.
fn text(bytes: usize) -> String {
    let long = TEXT.repeat(bytes / TEXT.len() + 1);
    let escape = long[..bytes].rfind('\\').filter(|at| bytes - at < r"\u00e9".len()).unwrap_or(bytes);
    format!("{}{}", &long[..escape], ".".repeat(bytes - escape))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_carries_its_document_in_one_kibibyte_of_json() {
        let mut request = Request::new("POST /events HTTP/1.1\r\n");
        for number in [0, 7, 0x00ab_cdef, u32::MAX] {
            let bytes = request.of(number);
            let body = &bytes[bytes.len() - EVENT_BYTES..];
            assert_eq!(number_in(body).expect("it carries one"), number);
            let event: serde_json::Value = serde_json::from_slice(body).expect("it is JSON");
            assert_eq!((&event["event"], &event["organization"]), (&KIND.into(), &ORGANIZATION.into()));
        }
        let (posted, data) = posted_and_data();
        let event: serde_json::Value = serde_json::from_slice(&posted).expect("it is JSON");
        let data: serde_json::Value = serde_json::from_str(&data).expect("it is JSON");
        assert_eq!((posted.len(), &event["data"]), (EVENT_BYTES, &data));
    }

    #[test]
    fn a_text_is_as_long_as_asked_for_and_ends_in_no_escape() {
        for bytes in 1..2_000 {
            let text = text(bytes);
            assert_eq!(text.len(), bytes);
            serde_json::from_str::<String>(&format!("\"{text}\"")).expect("it is a JSON string");
        }
    }
}
