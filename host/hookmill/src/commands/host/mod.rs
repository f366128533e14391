//! A host as commands reach it: by its API, with the key of whoever calls.

mod lines;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use clap::Args;
use hookmill_domain::address::AddressPolicy;
use hookmill_domain::names::OrganizationName;
use hookmill_domain::target::TargetUrl;
use hookmill_egress::{BodyEnd, Client, ClientConfig, Endpoint, Failure, Outgoing, Response};
use http::{HeaderValue, Method, StatusCode, header};
use serde::Deserialize;

use super::configured::Configured;

pub(crate) use self::lines::Lines;

/// Where a host listens if nobody says otherwise.
const URL: &str = "http://127.0.0.1:8080";
/// How long a call without a body may take: its turn, and its answer's way over a slow line.
const TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// The longest answer that is read: an event's data, written as a text of JSON, is longer than it was posted.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Which host, and who calls.
#[derive(Debug, Args)]
pub(crate) struct Host {
    /// Where the host's API is [default: http://127.0.0.1:8080]
    #[arg(long, value_name = "URL", env = "HOOKMILL_URL")]
    url: Option<String>,
    /// An API key: better in the environment or a file, where other users of the machine do not see it
    #[arg(long, value_name = "KEY", env = "HOOKMILL_KEY", hide_env_values = true)]
    key: Option<String>,
    /// The organization, for an operator's key; an upload without one is the host's, for all organizations
    #[arg(long, value_name = "NAME")]
    pub(crate) organization: Option<OrganizationName>,
    #[command(flatten)]
    configured: Configured,
}

/// One call of the API.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    pub(crate) path: &'a str,
    pub(crate) query: Vec<(String, String)>,
    /// The type of the body, where there is one.
    pub(crate) content_type: Option<&'static str>,
    pub(crate) body: Bytes,
    /// How long it may take until it is answered: its way over a slow line, its turn, perhaps some compiling.
    pub(crate) timeout: Duration,
}

/// What the API answers where it refuses (RFC 9457).
#[derive(Debug, Deserialize)]
pub(crate) struct Problem {
    pub(crate) detail: String,
    pub(crate) code: Option<String>,
}

impl Problem {
    /// What it says. It is a host's word, and printed as one: without what a terminal would obey.
    pub(crate) fn told(&self) -> String {
        match &self.code {
            Some(code) => format!("{code}: {}", self.detail),
            None => self.detail.clone(),
        }
    }
}

/// The URL and the key that are meant.
struct Reached {
    url: TargetUrl,
    key: String,
}

impl Host {
    /// Calls without a body, for the organization that is named.
    pub(crate) fn ask(&self, method: Method, path: &str) -> anyhow::Result<Bytes> {
        self.call(Call {
            method,
            path,
            query: self
                .organization
                .iter()
                .map(|name| ("organization".to_owned(), name.to_string()))
                .collect(),
            content_type: None,
            body: Bytes::new(),
            timeout: TIMEOUT,
        })
    }

    /// Calls the host, and gives the answer's body where it is a success.
    pub(crate) fn call(&self, call: Call<'_>) -> anyhow::Result<Bytes> {
        let reached = self.reached()?;
        let timeout = call.timeout;
        let outgoing = reached.outgoing(call)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let answer = runtime.block_on(async {
            let client = client(timeout);
            let answer = client.send(outgoing).await;
            client.close().await;
            answer
        });
        runtime.shutdown_background();
        reached.read(answer.result.map_err(|failure| failed(&reached.url, &failure))?)
    }

    /// Calls the host for an answer that comes line by line.
    pub(crate) async fn lines(&self, call: Call<'_>) -> anyhow::Result<Lines> {
        let reached = self.reached()?;
        let client = client(call.timeout);
        let outgoing = reached.outgoing(call)?;
        let stream = client.open(outgoing).await.map_err(|failure| failed(&reached.url, &failure))?;
        Lines::open(reached.url, stream, client).await
    }

    /// Flags and the environment stand over the file. What is empty is not set: scripts have variables of which nothing came.
    fn reached(&self) -> anyhow::Result<Reached> {
        let file = self.configured.load()?.client;
        let set = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let key = set(&self.key).or(set(&file.key.map(|key| key.0)));
        let key = key.context("there is no API key: HOOKMILL_KEY holds one, or `key` under [client] in the configuration file")?;
        let is_sendable = key.bytes().all(|byte| byte.is_ascii_graphic());
        anyhow::ensure!(is_sendable, "the key can not be sent: keys are printable ASCII characters");
        let url = match (set(&self.url), file.url) {
            (Some(url), _) => TargetUrl::parse(&url).with_context(|| format!("`{url}` is no URL of a host"))?,
            (None, Some(url)) => url,
            (None, None) => TargetUrl::parse(URL)?,
        };
        Ok(Reached { url, key })
    }
}

impl Reached {
    fn outgoing(&self, call: Call<'_>) -> anyhow::Result<Outgoing> {
        let endpoint = Endpoint::new(0, &self.url);
        let mut headers = endpoint.headers(2);
        if let Some(content_type) = call.content_type {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        let mut key = HeaderValue::from_str(&format!("Bearer {}", self.key))?;
        key.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, key);
        Ok(Outgoing {
            path_and_query: self.url.join(Some(call.path), &call.query)?,
            endpoint,
            method: call.method,
            headers,
            body: call.body,
            timeout: Some(call.timeout),
            // Whoever calls names the host: nothing is kept from them.
            policy: Arc::new(AddressPolicy::parse(["0.0.0.0/0", "::/0"])?),
            // No answer is waited for again.
            wall_seconds: 0,
        })
    }

    fn read(&self, response: Response) -> anyhow::Result<Bytes> {
        if !response.status.is_success() {
            return Err(refused(&self.url, response.status, &response.body));
        }
        let is_whole = response.body_end == BodyEnd::Complete && !response.body_is_cut;
        is_whole
            .then_some(response.body)
            .with_context(|| format!("the answer of {} did not come whole", self.url))
    }
}

fn client(timeout: Duration) -> Client {
    Client::new(ClientConfig {
        response_kept_bytes_max: ANSWER_BYTES_MAX,
        response_kept_bytes_max_of_success: ANSWER_BYTES_MAX,
        response_read_bytes_max: ANSWER_BYTES_MAX,
        success_body_timeout: timeout,
        user_agent: HeaderValue::from_static(concat!("hookmill/", env!("CARGO_PKG_VERSION"))),
        ..ClientConfig::default()
    })
}

fn failed(url: &TargetUrl, failure: &Failure) -> anyhow::Error {
    anyhow::anyhow!("{url}: {} ({})", failure.detail, failure.code.as_str())
}

fn refused(url: &TargetUrl, status: StatusCode, body: &[u8]) -> anyhow::Error {
    let said = serde_json::from_slice::<Problem>(body).map_or_else(|_| "it does not say why".to_owned(), |problem| problem.told());
    anyhow::anyhow!("{url} answers {status}: {said}")
}
