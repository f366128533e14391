//! `hookmill plugin push`: an upload, by the API of a host.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use clap::Args;
use hookmill_domain::address::AddressPolicy;
use hookmill_domain::names::{OrganizationName, PluginName};
use hookmill_domain::target::TargetUrl;
use hookmill_egress::{Client, ClientConfig, Endpoint, Outgoing, Response};
use http::{HeaderValue, Method, StatusCode, header};
use serde::Deserialize;

use super::component;
use super::configured::Configured;
use crate::screen::{Screen, bad, faint, good, odd, plain, strong};

/// Where a host listens if nobody says otherwise.
const URL: &str = "http://127.0.0.1:8080";
/// The largest file that is sent at all; what the host takes, it says.
const COMPONENT_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// How long an upload may take: its way over a slow line, its turn, its compiling.
const TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// The longest answer that is read: with a schema, it has some tens of KiB.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// The longest that the end of an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Uploads a component; bytes that the plugin has already are the version that they were. Ends with 0 where the version is there, and
/// active if it was to be.
#[derive(Debug, Args)]
pub(crate) struct Push {
    /// The component
    #[arg(value_name = "COMPONENT")]
    component: PathBuf,
    /// The plugin's name
    #[arg(long, value_name = "NAME")]
    name: PluginName,
    /// Where the host's API is [default: http://127.0.0.1:8080]
    #[arg(long, value_name = "URL", env = "HOOKMILL_URL")]
    url: Option<String>,
    /// An API key that may upload: better in the environment or a file, where other users of the machine do not see it
    #[arg(long, value_name = "KEY", env = "HOOKMILL_KEY", hide_env_values = true)]
    key: Option<String>,
    #[command(flatten)]
    configured: Configured,
    /// Leaves the version that is active as it is
    #[arg(long)]
    no_activate: bool,
    /// The organization, for an operator's key; without it the plugin is the host's, for all organizations
    #[arg(long, value_name = "NAME")]
    organization: Option<OrganizationName>,
}

/// An upload as it is answered.
#[derive(Deserialize)]
struct Uploaded {
    name: String,
    version: u32,
    digest: String,
    active: bool,
    /// Why it is not active although it was to be.
    not_activated: Option<NotActivated>,
    new: bool,
    waiting: u64,
}

/// Configurations of integrations that follow the plugin do not fit the version's schema.
#[derive(Deserialize)]
struct NotActivated {
    detail: String,
    integrations: Vec<Unfit>,
    /// Whether there may be more than these.
    more: bool,
}

/// One of them.
#[derive(Deserialize)]
struct Unfit {
    id: String,
    organization: String,
    /// A JSON Pointer into the integration.
    pointer: String,
    message: String,
}

/// What the API answers where it refuses (RFC 9457).
#[derive(Deserialize)]
struct Problem {
    detail: String,
    code: Option<String>,
}

/// A host, and the key that it is called with.
struct Host {
    url: TargetUrl,
    key: String,
}

impl Push {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let host = self.host()?;
        let bytes = component::read(&self.component, COMPONENT_BYTES_MAX)??;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let response = runtime.block_on(self.send(&host, bytes))?;
        runtime.shutdown_background();
        let uploaded = host.read(&response)?;
        show(&uploaded)?;
        // It is there, and nobody gets it: a script that goes on would take the old version for the new one.
        Ok(match uploaded.not_activated {
            None => ExitCode::SUCCESS,
            Some(_) => ExitCode::FAILURE,
        })
    }

    /// Flags and the environment stand over the file. What is empty is not set: scripts have variables of which nothing came.
    fn host(&self) -> anyhow::Result<Host> {
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
        Ok(Host { url, key })
    }

    async fn send(&self, host: &Host, bytes: Bytes) -> anyhow::Result<Response> {
        let endpoint = Endpoint::new(0, &host.url);
        let mut headers = endpoint.headers();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/wasm"));
        let mut key = HeaderValue::from_str(&format!("Bearer {}", host.key))?;
        key.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, key);
        let mut query = vec![("name".to_owned(), self.name.to_string())];
        if self.no_activate {
            query.push(("activate".to_owned(), "false".to_owned()));
        }
        if let Some(organization) = &self.organization {
            query.push(("organization".to_owned(), organization.to_string()));
        }
        let outgoing = Outgoing {
            path_and_query: host.url.join(Some("/plugins"), &query)?,
            endpoint,
            method: Method::POST,
            headers,
            body: bytes,
            timeout: Some(TIMEOUT),
            // Whoever calls names the host: nothing is kept from them.
            policy: Arc::new(AddressPolicy::parse(["0.0.0.0/0", "::/0"])?),
            // No answer is waited for again.
            wall_seconds: 0,
        };
        let client = Client::new(ClientConfig {
            response_kept_bytes_max: ANSWER_BYTES_MAX,
            response_kept_bytes_max_of_success: ANSWER_BYTES_MAX,
            response_read_bytes_max: ANSWER_BYTES_MAX,
            success_body_timeout: ANSWER_TIMEOUT,
            user_agent: HeaderValue::from_static(concat!("hookmill/", env!("CARGO_PKG_VERSION"))),
            ..ClientConfig::default()
        });
        let answer = client.send(outgoing).await;
        client.close().await;
        let failed = |failure: hookmill_egress::Failure| anyhow::anyhow!("{}: {} ({})", host.url, failure.detail, failure.code.as_str());
        answer.result.map_err(failed)
    }
}

impl Host {
    fn read(&self, response: &Response) -> anyhow::Result<Uploaded> {
        let status = response.status;
        if status == StatusCode::OK || status == StatusCode::CREATED {
            return serde_json::from_slice(&response.body).with_context(|| format!("the answer of {} can not be read", self.url));
        }
        let said = match serde_json::from_slice::<Problem>(&response.body) {
            Ok(Problem { detail, code: Some(code) }) => format!("{code}: {detail}"),
            Ok(Problem { detail, code: None }) => detail,
            Err(_) => "it does not say why".to_owned(),
        };
        anyhow::bail!("{} answers {status}: {said}", self.url)
    }
}

fn show(uploaded: &Uploaded) -> anyhow::Result<()> {
    let mut screen = Screen::stdout();
    screen.line(&[
        strong(&uploaded.name),
        plain(format!(" version {}: ", uploaded.version)),
        plain(if uploaded.new {
            "new, "
        } else {
            "these bytes were there already, "
        }),
        if uploaded.active { good("active") } else { odd("not active") },
    ])?;
    screen.line(&[faint("  digest    "), plain(&uploaded.digest)])?;
    if uploaded.waiting > 0 {
        screen.line(&[
            faint("  waiting   "),
            plain(format!("{} runs wait to be resumed", uploaded.waiting)),
        ])?;
    }
    if let Some(why) = &uploaded.not_activated {
        screen.line(&[bad("  it was not activated: "), plain(&why.detail)])?;
        for unfit in &why.integrations {
            let integration = format!("    {} of {}: ", unfit.id, unfit.organization);
            screen.line(&[faint(integration), plain(format!("{}: {}", unfit.pointer, unfit.message))])?;
        }
        if why.more {
            screen.line(&[faint("    there may be more")])?;
        }
    }
    screen.flush()?;
    Ok(())
}
