//! The documented payload, to the byte.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{KINDS, body, payload};
use crate::parts::client::Client;
use crate::parts::host::Host;
use crate::parts::looks::problem;
use crate::parts::receiver::{Received, Receiver};

/// The documented payloads as a receiver gets them, to the byte.
const DOCUMENTED: [&str; 5] = [
    r#"{"event": "document_text", "organization": "contractfit1", "data": {"id": "5e7a0daf255bf93741177061", "text": "example document text"}}"#,
    r#"{"event": "document_split", "organization": "contractfit1", "data": {"id": "5e7a0daf255bf93741177061", "sections": [{"document_type": "invoice", "format": "5e7a0daf255bf93741177061", "confidence": "90", "page": "1"}]}}"#,
    r#"{"event": "document_predict", "organization": "contractfit1", "data": {"id": "5e7a0daf255bf93741177061", "inbox": "5e6f3b1c255bf93741170a11", "original_filename": "a.pdf", "page_count": 1}}"#,
    r#"{"event": "document_evaluate", "organization": "contractfit1", "data": {"id": "5e7a0daf255bf93741177061", "inbox": "5e6f3b1c255bf93741170a11", "original_filename": "a.pdf", "page_count": 1, "feedback": {"gold": true}}}"#,
    r#"{"event": "document_delete", "organization": "contractfit1", "data": {"id": "5e7a0daf255bf93741177061"}}"#,
];

const SAMPLES: [&str; 8] = [
    include_str!("../../samples/document_text.json"),
    include_str!("../../samples/document_split.json"),
    include_str!("../../samples/document_predict.json"),
    include_str!("../../samples/document_predict_low_confidence.json"),
    include_str!("../../samples/document_evaluate.json"),
    include_str!("../../samples/document_delete.json"),
    include_str!("../../samples/document_fail.json"),
    include_str!("../../samples/document_reject.json"),
];

#[derive(Deserialize)]
struct Sample<'a> {
    event: &'a str,
    inbox: Option<&'a str>,
    project: Option<&'a str>,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// Posts, and gives what the one receiver gets of it.
async fn delivered(client: &Client, receiver: &Receiver, posted: &str) -> Received {
    let before = receiver.received().len();
    let event = client.event(posted.to_owned()).await;
    let got = receiver.wait_for(before + 1).await.remove(before);
    let view = client.settled(&event).await;
    assert_eq!(view.pointer("/runs/0/deliveries/0/id"), Some(&json!(got.id())), "{view}");
    assert_eq!(view.pointer("/runs/0/deliveries/0/state"), Some(&json!("delivered")), "{view}");
    assert_eq!(receiver.received().len(), before + 1, "it came once");
    got
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_payload_to_the_byte() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    let more = json!({"events": KINDS, "headers": {"Authorization": "Bearer abcdefg1234567989"}});
    tenant.integration(&receiver.url("/alfred/document_predict?a=1"), more).await;

    // What is posted as it is documented to arrive, arrives as it was posted.
    for documented in DOCUMENTED {
        let got = delivered(&tenant, &receiver, documented).await;
        assert_eq!(body(&got), documented);
        assert_eq!((got.method.as_str(), got.path.as_str()), ("POST", "/alfred/document_predict?a=1"));
        assert_eq!(got.header("content-type"), "application/json");
        assert_eq!(got.header("authorization"), "Bearer abcdefg1234567989");
        assert_eq!(got.header("content-length"), documented.len().to_string());
    }
    for posted in SAMPLES {
        let sample: Sample<'_> = serde_json::from_str(posted).expect("a sample");
        let got = delivered(&tenant, &receiver, posted).await;
        assert_eq!(body(&got), payload(sample.event, sample.inbox, sample.project, sample.data.get()));
    }
    // Whatever order they were posted in.
    let posted = r#"{"data":{"id":"a"},"project":"p","event":"document_text","inbox":"i"}"#;
    let got = delivered(&tenant, &receiver, posted).await;
    assert_eq!(body(&got), payload("document_text", Some("i"), Some("p"), r#"{"id":"a"}"#));
    let posted = r#"{"project":"p","inbox":null,"event":"document_text","data":{"id":"a"}}"#;
    let got = delivered(&tenant, &receiver, posted).await;
    assert_eq!(body(&got), payload("document_text", None, Some("p"), r#"{"id":"a"}"#));
    let posted = r#"{"project":"p\u0022\\\u00e9","inbox":"a\/b 😀","event":"document_\u0074ext","data":{"id":"\u0061"}}"#;
    let got = delivered(&tenant, &receiver, posted).await;
    let found: Value = serde_json::from_str(body(&got)).expect("names are escaped");
    assert_eq!((&found["inbox"], &found["project"]), (&json!("a/b 😀"), &json!("p\"\\é")));
    assert!(body(&got).ends_with(r#", "data": {"id":"\u0061"}}"#), "{}", body(&got));
}

#[tokio::test(flavor = "multi_thread")]
async fn data_arrives_with_the_bytes_that_were_posted() {
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    tenant.integration(&receiver.url("/"), json!({})).await;
    let long = format!(
        r#"{{"text":"{}","id":"5e7a","n":[{}1.10]}}"#,
        "\u{1F600}é\\u00e9\\n".repeat(60_000),
        "1e400,".repeat(30_000)
    );
    let deep = format!(r#"{{"id":"5e7a","deep":{}1.0{}}}"#, "[".repeat(3_000), "]".repeat(3_000));
    let data = [
        r#"{"z":1.10,"n":1e400,"é":"\u00e9","id":"5e7a","d":{"a":1,"a":12345678901234567890,"a":{"a":[],"a":{}}}}"#,
        "{ \"zz\" : -0.0 ,\r\n\t\"id\"\t:\n\"5e7a\" , \"1\":1E+2,\"0\":0.10e-7 , \"e\" : [ ] , \"o\":{ } }",
        r#"{"id":"5e7a","x":{"id":1,"id":2},"":null,"t":"\ud83d\ude00\/\b\u0000\u007f","half":"\ud800","👍":"\"{}[],:"}"#,
        r#"{"b":18446744073709551616,"a":-99999999999999999999.5e-999,"id":"5e7a","c":0.1000000000000000055511151231257827}"#,
        &long,
        &deep,
    ];
    for data in data {
        let posted = format!("\n {{\"event\":\"document_text\" ,\"data\": {data}\t}} \r\n");
        let got = delivered(&tenant, &receiver, &posted).await;
        assert!(
            body(&got) == payload("document_text", None, None, data),
            "{} has become {}",
            cut(data),
            cut(body(&got))
        );
    }
    let event = tenant.event(format!(r#"{{"event":"document_text","data":{}}}"#, data[0])).await;
    let read = tenant.get(&format!("/events/{event}?data=true")).await;
    let read = String::from_utf8(read.body.to_vec()).expect("text");
    assert!(
        read.ends_with(&format!(r#","data":{}}}"#, data[0])),
        "the API shows it as it was posted: {read}"
    );
}

fn cut(text: &str) -> String {
    text.chars().take(300).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_event_arrives_whole() {
    /// The default limit of a body.
    const BYTES: usize = 16 * 1024 * 1024;
    let host = Host::start();
    let tenant = host.organization("contractfit1").await;
    let receiver = Receiver::start().await;
    tenant.integration(&receiver.url("/"), json!({})).await;
    let filling = "\\u00e9 é ".repeat(BYTES / 10 - 10);
    let mut largest = format!(r#"{{"event":"document_text","data":{{"id":"d","text":"{filling}"}}}}"#);
    largest.push_str(&" ".repeat(BYTES - largest.len()));
    let got = delivered(&tenant, &receiver, &largest).await;
    let data = &largest[largest.find(r#"{"id""#).expect("data")..largest.trim_end().len() - 1];
    assert!(
        body(&got) == payload("document_text", None, None, data),
        "{} has become {}",
        cut(data),
        cut(body(&got))
    );
    problem(&tenant.call("POST", "/events", largest + " ").await, 413, "");
}
