//! A host's API, for commands whose answer comes line by line.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use hookmill_domain::address::AddressPolicy;
use hookmill_domain::names::OrganizationName;
use hookmill_domain::target::TargetUrl;
use hookmill_egress::{Client, ClientConfig, Endpoint, Failure, Outgoing, Stream};
use http::{HeaderValue, Method, header};
use serde::Deserialize;

/// How long the host may take until it answers: it may have to compile first.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// The longest silence of an answer; a host says something each second.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// The longest line.
const LINE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Which host, and who asks.
#[derive(Debug, Args)]
pub(crate) struct Host {
    /// Where the host's API is
    #[arg(long, value_name = "URL", env = "HOOKMILL_URL", default_value = "http://127.0.0.1:8080")]
    url: TargetUrl,
    /// An API key of an admin: better in the environment, where other users of the machine do not see it
    #[arg(long, value_name = "KEY", env = "HOOKMILL_KEY", hide_env_values = true)]
    key: String,
    /// The organization, for an operator's key
    #[arg(long, value_name = "NAME")]
    pub(crate) organization: Option<OrganizationName>,
}

/// What the API answers where it refuses (RFC 9457).
#[derive(Debug, Deserialize)]
pub(crate) struct Problem {
    pub(crate) detail: String,
}

/// An answer, line by line. Dropping it ends what the host does for it.
pub(crate) struct Lines {
    url: String,
    stream: Stream,
    read: Vec<u8>,
    /// Connections that are shared live as long as it.
    _client: Client,
}

impl Host {
    /// Posts JSON. What the host refuses is an error that says why.
    pub(crate) async fn post(&self, path: &str, body: String) -> anyhow::Result<Lines> {
        let endpoint = Endpoint::new(0, &self.url);
        let mut headers = endpoint.headers();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let is_sendable = self.key.bytes().all(|byte| byte.is_ascii_graphic());
        anyhow::ensure!(is_sendable, "the key can not be sent: keys are printable ASCII characters");
        let mut key = HeaderValue::from_str(&format!("Bearer {}", self.key))?;
        key.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, key);
        let outgoing = Outgoing {
            path_and_query: self.url.join(Some(path), &[])?,
            endpoint,
            method: Method::POST,
            headers,
            body: body.into(),
            timeout: Some(HEAD_TIMEOUT),
            // Whoever calls names the host: nothing is kept from them.
            policy: Arc::new(AddressPolicy::parse(["0.0.0.0/0", "::/0"])?),
            // No answer is waited for again.
            wall_seconds: 0,
        };
        let client = Client::new(ClientConfig {
            user_agent: HeaderValue::from_static(concat!("hookmill/", env!("CARGO_PKG_VERSION"))),
            ..ClientConfig::default()
        });
        let url = self.url.to_string();
        let stream = client.open(outgoing).await.map_err(|failure| failed(&url, &failure))?;
        let status = stream.status();
        let mut lines = Lines {
            url,
            stream,
            read: Vec::new(),
            _client: client,
        };
        if status.is_success() {
            return Ok(lines);
        }
        let said = lines.next().await?.unwrap_or_default();
        let said = serde_json::from_str(&said).map_or_else(|_| "it does not say why".to_owned(), |problem: Problem| told(&problem));
        anyhow::bail!("{} answers {status}: {said}", lines.url)
    }
}

impl Lines {
    /// The next line; `None`: the answer has ended as it should.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<String>> {
        let mut looked_at = 0;
        loop {
            if let Some(end) = self.read[looked_at..].iter().position(|byte| *byte == b'\n') {
                let rest = self.read.split_off(looked_at + end + 1);
                return self.text(rest).map(Some);
            }
            looked_at = self.read.len();
            anyhow::ensure!(looked_at <= LINE_BYTES_MAX, "{} answers with more than can be read", self.url);
            let piece = tokio::time::timeout(SILENCE_MAX, self.stream.piece()).await;
            let piece = piece.with_context(|| format!("{} says nothing for {} s", self.url, SILENCE_MAX.as_secs()))?;
            match piece {
                Some(Ok(piece)) => self.read.extend_from_slice(&piece),
                Some(Err(failure)) => return Err(failed(&self.url, &failure)),
                None if self.read.is_empty() => return Ok(None),
                None => return self.text(Vec::new()).map(Some),
            }
        }
    }

    fn text(&mut self, rest: Vec<u8>) -> anyhow::Result<String> {
        let line = std::mem::replace(&mut self.read, rest);
        String::from_utf8(line).with_context(|| format!("the answer of {} is not text", self.url))
    }
}

fn failed(url: &str, failure: &Failure) -> anyhow::Error {
    anyhow::anyhow!("{url}: {} ({})", failure.detail, failure.code.as_str())
}

/// What a problem says, as it can be printed.
pub(crate) fn told(problem: &Problem) -> String {
    problem.detail.chars().filter(|character| !character.is_control()).collect()
}
