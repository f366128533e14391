//! Reading an integration's JSON, new or merged with a change, into a draft that is valid by its types. Whatever is wrong is named by its
//! pointer. Whether a plugin is there, takes its configuration, and may reach its targets, is the river's to say.

use hookmill_domain::config;
use hookmill_domain::event::Kinds;
use hookmill_domain::integration::{Draft, LiveTarget};
use hookmill_domain::limits::Limits;
use hookmill_domain::names::{Kind, PluginName, ProductId, TargetName};
use hookmill_domain::schedule::Schedule;
use hookmill_domain::target::{HeaderError, TargetUrl, check_integration_header, check_integration_headers};
use http::{HeaderName, HeaderValue};

use crate::fields::{Form, Given};
use crate::integrations::view::{MASK, WEBHOOK};
use crate::problem::FieldError;

/// The types that the product has beside webhooks.
const OTHER_TYPES: [&str; 7] = ["dropbox", "office365", "email", "imap", "sftp", "smtp", "service_bus"];

/// The most kinds that one integration names; there are fewer.
const EVENTS_MAX: usize = 256;
/// The most inboxes, and the most projects, of a scope: each event is compared with all of them.
const SCOPE_MAX: usize = 256;
/// The most targets beside the default one.
const TARGETS_MAX: usize = 64;
/// More than the headers of a target: how many are too many, the domain says.
const HEADERS_READ_MAX: usize = 128;
/// More than the waits of a schedule: how many are too many, the domain says.
const DELAYS_READ_MAX: usize = 128;
const TARGET_FIELDS_MAX: usize = 8;
const DESCRIPTION_BYTES_MAX: usize = 2048;
const METADATA_BYTES_MAX: u64 = 16 * 1024;

/// Reads what a new integration is to be. The organization has been taken out already.
pub(crate) fn new(mut form: Form<'_>, kinds: &Kinds, limits: &Limits) -> Result<Draft, FieldError> {
    check_type(&form.need("type")?)?;
    draft(form, kinds, limits, None)
}

/// Reads what an integration is to be after a change of `old`. What its owner can not change has been taken out already.
pub(crate) fn changed(form: Form<'_>, kinds: &Kinds, limits: &Limits, old: &Draft) -> Result<Draft, FieldError> {
    draft(form, kinds, limits, Some(old))
}

/// Refuses a configuration or notes that are too large before they are merged with those that are there.
pub(crate) fn check_sizes(form: &mut Form<'_>, limits: &Limits) -> Result<(), FieldError> {
    for (name, bytes_max) in [("plugin_config", limits.plugin.config_bytes_max), ("metadata", METADATA_BYTES_MAX)] {
        if let Some(given) = form.take(name) {
            given.kept_json(bytes_max)?;
        }
    }
    Ok(())
}

fn draft(mut form: Form<'_>, kinds: &Kinds, limits: &Limits, old: Option<&Draft>) -> Result<Draft, FieldError> {
    let events = events(&form.need("events")?, kinds, old)?;
    let inboxes = form.take("inboxes").map(|given| scope(&given)).transpose()?;
    let projects = form.take("projects").map(|given| scope(&given)).transpose()?;
    let enabled = form.take("enabled").map(|given| given.flag()).transpose()?.unwrap_or(true);
    let paused = form.take("paused").map(|given| given.flag()).transpose()?.unwrap_or(false);
    let plugin = form.take("plugin").map(|given| plugin(&given)).transpose()?;
    let config = form.take("plugin_config").map(|given| plugin_config(&given, limits)).transpose()?;
    let retry = form.take("retry").map(|given| schedule(&given)).transpose()?;
    let timeout_ms = form
        .take("timeout_ms")
        .map(|given| given.number(1..=limits.delivery.attempt_timeout_ms_max))
        .transpose()?;
    let description = form
        .take("description")
        .map(|given| given.short_text(DESCRIPTION_BYTES_MAX))
        .transpose()?;
    let metadata = form.take("metadata").map(|given| notes(&given)).transpose()?;
    let targets = targets(&mut form, old)?;
    form.finish()?;
    Ok(Draft {
        events,
        inboxes,
        projects,
        enabled,
        paused,
        plugin,
        config: config.unwrap_or("null").into(),
        targets,
        retry,
        timeout_ms,
        description,
        metadata,
    })
}

fn check_type(given: &Given<'_>) -> Result<(), FieldError> {
    match given.text()?.as_ref() {
        WEBHOOK => Ok(()),
        other if OTHER_TYPES.contains(&other) => Err(given.wrong(format!(
            "integrations of the type {other} are the product's own; here there is {WEBHOOK} alone"
        ))),
        _ => Err(given.wrong(format!("unknown type; known is {WEBHOOK}"))),
    }
}

fn events(given: &Given<'_>, kinds: &Kinds, old: Option<&Draft>) -> Result<Vec<Kind>, FieldError> {
    let mut events = Vec::new();
    for item in given.list(EVENTS_MAX)? {
        let name = item.text()?;
        // A kind that has left the catalogue stays where it is named.
        let of_old = || old?.events.iter().find(|kind| kind.as_str() == name);
        let kind = kinds.get(&name).or_else(of_old).ok_or_else(|| {
            let known: Vec<&str> = kinds.iter().map(Kind::as_str).collect();
            item.wrong(format!("unknown kind; known are {}", known.join(", ")))
        })?;
        if events.contains(kind) {
            return Err(item.wrong("is given more than once"));
        }
        events.push(kind.clone());
    }
    if events.is_empty() {
        return Err(given.wrong("holds at least one kind"));
    }
    events.sort();
    Ok(events)
}

fn scope(given: &Given<'_>) -> Result<Vec<ProductId>, FieldError> {
    let ids = given.set(SCOPE_MAX)?;
    if ids.is_empty() {
        return Err(given.wrong("holds at least one id; leave it out for all"));
    }
    Ok(ids)
}

/// `name`, which follows the active version, or `name@3`.
fn plugin(given: &Given<'_>) -> Result<(PluginName, Option<u32>), FieldError> {
    let text = given.text()?;
    let (name, version) = match text.split_once('@') {
        Some((name, version)) => (name, Some(version)),
        None => (text.as_ref(), None),
    };
    let name = name.parse().map_err(|error| given.wrong(format!("{error}")))?;
    let number = |version: &str| {
        version
            .parse::<u32>()
            .ok()
            .filter(|number| *number > 0 && version == number.to_string())
    };
    match version.map(|version| number(version).ok_or(())).transpose() {
        Ok(version) => Ok((name, version)),
        Err(()) => Err(given.wrong("what follows the @ is a version's number, from 1")),
    }
}

/// JSON that is kept as text, and that every plugin reads the same.
fn plugin_config<'a>(given: &Given<'a>, limits: &Limits) -> Result<&'a str, FieldError> {
    readable(given, limits.plugin.config_bytes_max)
}

/// JSON that is kept as text, and that all parsers read as the same.
fn readable<'a>(given: &Given<'a>, bytes_max: u64) -> Result<&'a str, FieldError> {
    let text = given.kept_json(bytes_max)?;
    match config::check(given.raw()) {
        Ok(()) => Ok(text),
        Err(bad) => Err(FieldError::body(format!("{}{}", given.pointer(), bad.pointer), bad.message)),
    }
}

fn schedule(given: &Given<'_>) -> Result<Schedule, FieldError> {
    let mut form = given.form(TARGET_FIELDS_MAX)?;
    let delays = form.need("delays_ms")?;
    let numbers = delays
        .list(DELAYS_READ_MAX)?
        .iter()
        .map(|delay| delay.number(0..=Schedule::DELAY_MS_MAX))
        .collect::<Result<_, _>>()?;
    let schedule = Schedule::new(numbers).map_err(|error| delays.wrong(error.to_string()))?;
    form.finish()?;
    Ok(schedule)
}

/// A JSON object that is kept as text.
fn notes(given: &Given<'_>) -> Result<String, FieldError> {
    let text = readable(given, METADATA_BYTES_MAX)?;
    if !text.starts_with('{') {
        return Err(given.wrong("must be an object"));
    }
    Ok(text.to_owned())
}

/// The default target first, then those with names in order.
fn targets(form: &mut Form<'_>, old: Option<&Draft>) -> Result<Vec<LiveTarget>, FieldError> {
    let find = |name: Option<&TargetName>| old?.targets.iter().find(|target| target.name.as_ref() == name);
    let url = form.need("target")?;
    let headers = form.take_either("headers", "header")?;
    let gone = form.take("target_gone");
    let mut targets = vec![target(None, &url, headers.as_ref(), gone.as_ref(), find(None))?];
    let Some(named) = form.take("targets") else { return Ok(targets) };
    for (name, given) in named.form(TARGETS_MAX)?.into_entries() {
        let name: TargetName = name.parse().map_err(|error| given.wrong(format!("{error}")))?;
        let mut form = given.form(TARGET_FIELDS_MAX)?;
        let url = form.take_either("target", "url")?;
        let url = url.ok_or_else(|| FieldError::body(format!("{}/target", given.pointer()), "is missing"))?;
        let headers = form.take_either("headers", "header")?;
        let gone = form.take("gone");
        form.finish()?;
        let old = find(Some(&name));
        targets.push(target(Some(name), &url, headers.as_ref(), gone.as_ref(), old)?);
    }
    Ok(targets)
}

fn target(
    name: Option<TargetName>,
    url: &Given<'_>,
    headers: Option<&Given<'_>>,
    gone: Option<&Given<'_>>,
    old: Option<&LiveTarget>,
) -> Result<LiveTarget, FieldError> {
    let headers = match headers {
        Some(given) => self::headers(given, old)?,
        None => Vec::new(),
    };
    let was_gone = old.is_some_and(|old| old.gone);
    let says_gone = match gone {
        Some(given) if given.flag()? && !was_gone => return Err(given.wrong("is for the receiver to say, by answering 410")),
        Some(given) => given.flag()?,
        None => false,
    };
    let url: TargetUrl = url.parsed()?;
    // Another URL is another receiver's.
    let gone = says_gone && old.is_some_and(|old| old.url == url);
    Ok(LiveTarget { name, url, headers, gone })
}

fn headers(given: &Given<'_>, old: Option<&LiveTarget>) -> Result<Vec<(HeaderName, HeaderValue)>, FieldError> {
    let mut entries = Vec::new();
    for (name, value) in given.form(HEADERS_READ_MAX)?.into_entries() {
        let text = value.text()?;
        let text = if text == MASK { unmasked(&name, &value, old)?.into() } else { text };
        check_integration_header(&name, &text).map_err(|error| value.wrong(error.to_string()))?;
        entries.push((name, text, value));
    }
    let pairs = entries.iter().map(|(name, text, _)| (name.as_ref(), text.as_ref()));
    check_integration_headers(pairs).map_err(|error| {
        let doubled = match &error {
            HeaderError::Doubled { name } => entries.iter().rfind(|(given, ..)| given == name),
            _ => None,
        };
        doubled.map_or(given, |(_, _, value)| value).wrong(error.to_string())
    })
}

/// The value that the mask stands for: that of the same header of the target as it is.
fn unmasked(name: &str, value: &Given<'_>, old: Option<&LiveTarget>) -> Result<String, FieldError> {
    let headers = old.map(|old| old.headers.as_slice()).unwrap_or_default();
    let found = headers.iter().find(|(header, _)| header.as_str().eq_ignore_ascii_case(name));
    let text = found.and_then(|(_, value)| value.to_str().ok());
    text.map(str::to_owned)
        .ok_or_else(|| value.wrong(format!("{MASK} stands for a value that is not shown, and there is none here")))
}

#[cfg(test)]
mod tests;
