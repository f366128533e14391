//! Calls of the API that many tests make.

use bytes::Bytes;
use serde_json::{Value, json};

use super::client::{Answer, Client};
use super::disk::DatabaseLog;
use super::host::{folder_at, text};
use super::receiver::PATIENCE;

impl Client {
    /// Uploads a component; `query` follows `/plugins?`.
    pub async fn upload(&self, query: &str, component: impl Into<Bytes>) -> Answer {
        let path = format!("/plugins?{query}");
        let answer = self
            .try_call("POST", &path, &[("content-type", "application/wasm")], component)
            .await;
        answer.unwrap_or_else(|| panic!("POST {path}: the host does not answer"))
    }

    /// Makes a component a plugin of that name that is there for sure.
    pub async fn plugin(&self, name: &str, component: impl Into<Bytes>) -> Value {
        let answer = self.upload(&format!("name={name}"), component).await;
        assert!(answer.status.is_success(), "{name}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    /// Makes an integration for `document_text` to that URL, with these fields beside; gives its id.
    pub async fn integration(&self, target: &str, more: Value) -> String {
        let mut body = json!({"type": "webhook", "events": ["document_text"], "target": target});
        let Value::Object(more) = more else {
            panic!("fields are an object: {more}")
        };
        body.as_object_mut().expect("it is one").extend(more);
        text(&self.post("/integrations", &body).await.expect(201), "/id").to_owned()
    }

    /// Posts an event as it is; gives its id.
    pub async fn event(&self, body: impl AsRef<[u8]>) -> String {
        let body = Bytes::copy_from_slice(body.as_ref());
        text(&self.call("POST", "/events", body).await.expect(202), "/id").to_owned()
    }

    /// Posts an event of the kind `document_text`; gives its id.
    pub async fn text_event(&self, document: &str) -> String {
        self.event(json!({"event": "document_text", "data": {"id": document, "text": "some text"}}).to_string())
            .await
    }

    /// The event as it stands, once it stands so.
    pub async fn event_when(&self, id: &str, so: impl Fn(&Value) -> bool) -> Value {
        self.when(&format!("/events/{id}"), so).await
    }

    /// The event once nothing of it is open any more.
    pub async fn settled(&self, id: &str) -> Value {
        self.event_when(id, |event| event["state"] != "pending").await
    }

    /// The event once its one run has ended, whatever became of it.
    pub async fn run_of(&self, id: &str) -> Value {
        let event = self
            .event_when(id, |event| !matches!(text(event, "/runs/0/state"), "pending" | "queued"))
            .await;
        event["runs"][0].clone()
    }

    /// What is answered there, once it is so. Answers are made of rows: it is asked again whenever the host has committed something.
    pub async fn when(&self, path: &str, so: impl Fn(&Value) -> bool) -> Value {
        let answer = self.get(path).await.expect(200);
        if so(&answer) {
            return answer;
        }
        let mut log = DatabaseLog::watch(&folder_at(self.address));
        let watch = async {
            loop {
                let answer = self.get(path).await.expect(200);
                if so(&answer) {
                    return answer;
                }
                log.written().await;
            }
        };
        match tokio::time::timeout(PATIENCE, watch).await {
            Ok(answer) => answer,
            Err(_) => panic!("{path} never stood so: {}", String::from_utf8_lossy(&self.get(path).await.body)),
        }
    }
}

/// The one item of a list for which that holds.
pub fn one(list: &Value, so: impl Fn(&Value) -> bool) -> &Value {
    let items = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
    let mut found = items.iter().filter(|item| so(item));
    match (found.next(), found.next()) {
        (Some(one), None) => one,
        _ => panic!("not one of that kind: {list}"),
    }
}

/// The fields that a problem document names: JSON Pointers, or parameters.
pub fn fields(answer: &Answer) -> Vec<String> {
    let document = answer.json();
    let errors = document["errors"].as_array().cloned().unwrap_or_default();
    let name = |error: Value| {
        error["pointer"]
            .as_str()
            .or(error["parameter"].as_str())
            .unwrap_or_default()
            .to_owned()
    };
    errors.into_iter().map(name).collect()
}
