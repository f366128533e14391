//! What a plugin answers, and how a call of it can fail.

use bytes::Bytes;
use serde::de::IgnoredAny;

/// The answer of a plugin to one event, as the guest gave it: checked for shape by the plugin room, and nothing more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// These requests are owed. An empty list means the same as a skip.
    Deliver(Vec<GuestRequest>),
    /// Nothing is owed, and that is right: why.
    Skip(String),
    /// This event can not be handled: why. The run is parked.
    Reject(String),
}

impl Outcome {
    /// What is sent all the same, and its receiver may not like: JSON that is none. It reads every such body, so it is for those who try a
    /// plugin, and not for runs.
    pub fn warnings(&self) -> Vec<String> {
        let Outcome::Deliver(requests) = self else { return Vec::new() };
        let warned = requests.iter().enumerate().filter_map(|(number, request)| {
            let Body::Json(json) = &request.body else { return None };
            let error = serde_json::from_slice::<IgnoredAny>(json).err()?;
            Some(format!("request {}: the body is not JSON: {error}", number + 1))
        });
        warned.collect()
    }
}

/// A request as the guest asked for it. [`crate::request::plan`] judges it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestRequest {
    /// The body, of one of three kinds.
    pub body: Body,
    /// The name of a further target; absent: the default one.
    pub target: Option<String>,
    /// Absent in the guest: [`Method::Post`].
    pub method: Method,
    /// Appended below the target's path.
    pub path: Option<String>,
    /// Appended after the target's query.
    pub query: Vec<(String, String)>,
    /// Added to the target's headers.
    pub headers: Vec<(String, String)>,
    /// Absent: the default of the body's kind.
    pub content_type: Option<String>,
}

/// A request's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// JSON text, sent as it is: `application/json`.
    Json(Bytes),
    /// Text: `text/plain; charset=utf-8`.
    Text(Bytes),
    /// Bytes: `application/octet-stream`.
    Bytes(Bytes),
}

impl Body {
    /// The content type of a request that does not set its own.
    pub fn default_content_type(&self) -> &'static str {
        match self {
            Body::Json(_) => "application/json",
            Body::Text(_) => "text/plain; charset=utf-8",
            Body::Bytes(_) => "application/octet-stream",
        }
    }

    /// What is sent.
    pub fn bytes(&self) -> &Bytes {
        match self {
            Body::Json(bytes) | Body::Text(bytes) | Body::Bytes(bytes) => bytes,
        }
    }
}

/// The methods that a plugin may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// `POST`
    #[default]
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
}

impl Method {
    /// As it stands in a request line.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }

    /// The method of that request-line text.
    pub fn from_text(text: &str) -> Option<Method> {
        [Method::Post, Method::Put, Method::Patch, Method::Delete]
            .into_iter()
            .find(|method| method.as_str() == text)
    }
}

/// Why a run is parked: a fixed vocabulary, shown by the API as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParkCode {
    /// The plugin answered `reject`.
    Rejected,
    /// The plugin trapped: a panic, an uncaught exception, an exit.
    Trap,
    /// It used up its CPU time.
    CpuLimit,
    /// It used up its wall-clock time.
    TimeLimit,
    /// It asked for more memory or tables than it may have.
    MemoryLimit,
    /// It answered with more bytes or requests than it may.
    OutputLimit,
    /// A request that it asked for breaks a rule; the message names the request and the field.
    InvalidRequest,
    /// The component can not be loaded.
    Unavailable,
}

impl ParkCode {
    const ALL: [ParkCode; 8] = [
        ParkCode::Rejected,
        ParkCode::Trap,
        ParkCode::CpuLimit,
        ParkCode::TimeLimit,
        ParkCode::MemoryLimit,
        ParkCode::OutputLimit,
        ParkCode::InvalidRequest,
        ParkCode::Unavailable,
    ];

    /// As the API shows it and rows hold it.
    pub fn as_str(self) -> &'static str {
        match self {
            ParkCode::Rejected => "rejected",
            ParkCode::Trap => "trap",
            ParkCode::CpuLimit => "cpu_limit",
            ParkCode::TimeLimit => "time_limit",
            ParkCode::MemoryLimit => "memory_limit",
            ParkCode::OutputLimit => "output_limit",
            ParkCode::InvalidRequest => "invalid_request",
            ParkCode::Unavailable => "unavailable",
        }
    }

    /// The code of that text.
    pub fn from_text(text: &str) -> Option<ParkCode> {
        ParkCode::ALL.into_iter().find(|code| code.as_str() == text)
    }

    /// Whether it counts towards the ten faults in a row that stop an integration's calls. A reject is an answer, and a component that can
    /// not be had is the host's fault.
    pub fn is_fault(self) -> bool {
        !matches!(self, ParkCode::Rejected | ParkCode::Unavailable)
    }
}

/// A call that did not end in an [`Outcome`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// What kind of end it was.
    pub code: ParkCode,
    /// For the plugin's author: what happened, with the guest's backtrace by function name where there is one. At most
    /// [`Fault::MESSAGE_BYTES_MAX`].
    pub message: String,
}

impl Fault {
    /// The longest message that is kept.
    pub const MESSAGE_BYTES_MAX: usize = 4096;

    /// A fault with its message cut to what is kept.
    pub fn new(code: ParkCode, message: impl Into<String>) -> Fault {
        let mut message = message.into();
        cut(&mut message, Fault::MESSAGE_BYTES_MAX);
        Fault { code, message }
    }
}

/// The longest reason of a skip or a reject that is kept.
pub const REASON_BYTES_MAX: usize = 1024;

/// Cuts a text to at most `bytes_max` bytes, at a character's boundary.
pub fn cut(text: &mut String, bytes_max: usize) {
    text.truncate(text.floor_char_boundary(bytes_max));
}

/// What is known of a call beside its answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallFacts {
    /// From instantiation to answer, in microseconds of wall clock.
    pub duration_us: u64,
    /// The largest sum of the instance's memories, in bytes.
    pub memory_bytes: u64,
    /// What the guest logged, a line each with its level in front, and what was cut, said.
    pub log: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_come_back() {
        for code in ParkCode::ALL {
            assert_eq!(ParkCode::from_text(code.as_str()), Some(code));
        }
        assert_eq!(ParkCode::from_text("TRAP"), None);
    }

    #[test]
    fn messages_are_cut_between_characters() {
        let fault = Fault::new(ParkCode::Trap, "é".repeat(3000));
        assert_eq!(fault.message.len(), 4096);
        let mut odd = "aé".to_owned();
        cut(&mut odd, 2);
        assert_eq!(odd, "a");
    }
}
