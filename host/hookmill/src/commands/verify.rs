//! `hookmill verify`: whether a past delivery would be made the same again, as a host finds by calling its run once more.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use hookmill_domain::ids::DeliveryId;
use http::Method;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::host::Host;
use crate::screen::{Screen, bad, faint, good, odd, plain, strong};

/// Another request, or none, is made now.
const DIFFERENT: u8 = 1;
/// It can not be known, or the host can not be asked. As with `cmp`, that is never told as a difference.
const UNKNOWN: u8 = 2;

/// Ends with 0 where the request's bytes are the same as what was sent, with 1 where they are not, and with 2 where that can not be known.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The delivery's id: `dlv_…`, and its `webhook-id`
    #[arg(value_name = "DELIVERY")]
    delivery: DeliveryId,
    #[command(flatten)]
    host: Host,
    /// Prints the host's answer: one JSON object
    #[arg(long)]
    json: bool,
}

/// What the API answers.
#[derive(Deserialize)]
struct Verified {
    verdict: String,
    code: Option<String>,
    reason: Option<String>,
    request_digest: Option<String>,
    made_digest: Option<String>,
}

impl Verify {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        self.ask().or_else(|error| {
            crate::screen::report(&error);
            Ok(ExitCode::from(UNKNOWN))
        })
    }

    fn ask(&self) -> anyhow::Result<ExitCode> {
        let answer = self.host.ask(Method::POST, &format!("/deliveries/{}/verify", self.delivery))?;
        let verified: Verified = serde_json::from_slice(&answer).context("the host's answer can not be read")?;
        let mut screen = Screen::stdout();
        if self.json {
            screen.json(&serde_json::from_slice::<&RawValue>(&answer)?)?;
        } else {
            self.show(&mut screen, &verified)?;
        }
        screen.flush()?;
        Ok(match &*verified.verdict {
            "same" => ExitCode::SUCCESS,
            "different" => ExitCode::from(DIFFERENT),
            _ => ExitCode::from(UNKNOWN),
        })
    }

    fn show(&self, screen: &mut Screen, verified: &Verified) -> anyhow::Result<()> {
        let verdict = match &*verified.verdict {
            "same" => good("is made the same again"),
            "different" => bad("is made differently"),
            _ => odd(match &verified.code {
                Some(code) => format!("can not be verified: {code}"),
                None => "can not be verified".to_owned(),
            }),
        };
        screen.line(&[strong(self.delivery.to_string()), plain(" "), verdict])?;
        for line in verified.reason.iter().flat_map(|reason| reason.lines()) {
            screen.line(&[plain("  "), plain(line)])?;
        }
        for (what, digest) in [("recorded", &verified.request_digest), ("now", &verified.made_digest)] {
            if let Some(digest) = digest {
                screen.line(&[faint(format!("  {what:<10}")), plain(digest)])?;
            }
        }
        Ok(())
    }
}
