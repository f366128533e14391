//! The plugin contract as the host speaks it: the records of `hookmill:plugin`, and the way from them to the house's types.
//!
//! A component is looked at export by export, so that one which also offers a configuration, or anything else, is judged by each alone.
//! What the guest answers is counted here against the limits of output; whether a request is allowed is not judged here.

#[cfg(test)]
pub(crate) mod older;

use bytes::Bytes;
use hookmill_domain::limits::PluginLimits;
use hookmill_domain::outcome::{Body, GuestRequest, Method, Outcome, REASON_BYTES_MAX, cut};
use wasmtime::Store;
use wasmtime::component::{Component, ComponentExportIndex, Instance, TypedFunc};

use crate::fault::LimitMet;
use crate::sandbox::Sandbox;

/// The interface that every plugin exports.
pub(crate) const TRANSFORMER: &str = "hookmill:plugin/transformer";
/// The interface that the host offers for log lines.
pub(crate) const LOG: &str = "hookmill:plugin/log@1.0.0";
/// The contract versions that this host speaks, one for each major.
pub(crate) const VERSIONS: &[ContractVersion] = &[
    #[cfg(test)]
    older::VERSION,
    ContractVersion {
        major: 1,
        minor: 0,
        patch: 0,
    },
];

/// A released version of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContractVersion {
    /// What breaks raises it.
    pub major: u32,
    /// What adds raises it.
    pub minor: u32,
    /// What changes words alone raises it.
    pub patch: u32,
}

impl ContractVersion {
    /// Three numbers with points between; a prerelease is no released version.
    pub(crate) fn parse(text: &str) -> Option<ContractVersion> {
        let mut parts = text.split('.').map(|part| part.parse().ok());
        let version = ContractVersion {
            major: parts.next()??,
            minor: parts.next()??,
            patch: parts.next()??,
        };
        (parts.next().is_none() && version.to_string() == text).then_some(version)
    }
}

impl std::fmt::Display for ContractVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// The records of `hookmill:plugin@1.0.0` as they stand on the wire. The guest's side is checked against them, name by name and case by
/// case, whenever a component is instantiated; a generated binding would own what is here lent.
pub(crate) mod wire {
    use wasmtime::component::{ComponentType, Lift, Lower};

    #[derive(Clone, Copy, ComponentType, Lower)]
    #[component(record)]
    pub(crate) struct Event<'a> {
        pub(crate) id: &'a str,
        pub(crate) kind: &'a str,
        pub(crate) organization: &'a str,
        pub(crate) inbox: Option<&'a str>,
        pub(crate) project: Option<&'a str>,
        #[component(name = "accepted-at")]
        pub(crate) accepted_at: &'a str,
        pub(crate) data: &'a str,
    }

    #[derive(Clone, Copy, ComponentType, Lower)]
    #[component(record)]
    pub(crate) struct Integration<'a> {
        pub(crate) id: &'a str,
        pub(crate) targets: &'a [&'a str],
        pub(crate) config: &'a str,
    }

    #[derive(Clone, Copy, ComponentType, Lift)]
    #[component(enum)]
    #[repr(u8)]
    #[expect(dead_code, reason = "lifting makes the cases from their numbers")]
    pub(crate) enum Method {
        #[component(name = "post")]
        Post,
        #[component(name = "put")]
        Put,
        #[component(name = "patch")]
        Patch,
        #[component(name = "delete")]
        Delete,
    }

    #[derive(ComponentType, Lift)]
    #[component(variant)]
    pub(crate) enum Body {
        #[component(name = "json")]
        Json(String),
        #[component(name = "text")]
        Text(String),
        #[component(name = "bytes")]
        Bytes(Vec<u8>),
    }

    #[derive(ComponentType, Lift)]
    #[component(record)]
    pub(crate) struct Request {
        pub(crate) body: Body,
        pub(crate) target: Option<String>,
        pub(crate) method: Option<Method>,
        pub(crate) path: Option<String>,
        pub(crate) query: Option<Vec<(String, String)>>,
        pub(crate) headers: Option<Vec<(String, String)>>,
        #[component(name = "content-type")]
        pub(crate) content_type: Option<String>,
    }

    #[derive(ComponentType, Lift)]
    #[component(variant)]
    pub(crate) enum Outcome {
        #[component(name = "deliver")]
        Deliver(Vec<Request>),
        #[component(name = "skip")]
        Skip(String),
        #[component(name = "reject")]
        Reject(String),
    }
}

/// `transform` of a component that exports it, in the highest major that this host speaks. Whatever the major is, it is given the present
/// one's records and answers by them: an older one's are converted here and nowhere else.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Transform {
    /// 1.x.
    One(ComponentExportIndex),
    /// A test's own.
    #[cfg(test)]
    Older(ComponentExportIndex),
}

/// `schema` of a component that exports it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schema(ComponentExportIndex);

type TransformOne<'a> = TypedFunc<(wire::Event<'a>, wire::Integration<'a>), (wire::Outcome,)>;

impl Transform {
    pub(crate) fn of(component: &Component) -> Option<Transform> {
        let of = |version: &str| export(component, &format!("{TRANSFORMER}@{version}"), "transform");
        let found = of("1.0.0").map(Transform::One);
        #[cfg(test)]
        let found = found.or_else(|| of(&older::VERSION.to_string()).map(Transform::Older));
        found
    }

    /// Whether an instance's function is as the contract has it. An error says how it differs.
    pub(crate) fn fits(self, store: &mut Store<Sandbox>, instance: &Instance) -> wasmtime::Result<()> {
        match self {
            Transform::One(index) => instance.get_typed_func(store, index).map(|_: TransformOne<'_>| ()),
            #[cfg(test)]
            Transform::Older(index) => older::function(index, store, instance).map(drop),
        }
    }

    /// Asks an instance for its answer.
    pub(crate) async fn call(
        self,
        store: &mut Store<Sandbox>,
        instance: &Instance,
        event: wire::Event<'_>,
        integration: wire::Integration<'_>,
    ) -> wasmtime::Result<wire::Outcome> {
        match self {
            Transform::One(index) => {
                let transform: TransformOne<'_> = instance.get_typed_func(&mut *store, index)?;
                let (answer,) = transform.call_async(store, (event, integration)).await?;
                Ok(answer)
            }
            #[cfg(test)]
            Transform::Older(index) => {
                let transform = older::function(index, store, instance)?;
                let (answer,) = transform.call_async(store, (older::event(event),)).await?;
                Ok(older::outcome(answer))
            }
        }
    }
}

impl Schema {
    pub(crate) fn of(component: &Component) -> Option<Schema> {
        export(component, "hookmill:plugin/configuration@1.0.0", "schema").map(Schema)
    }

    /// The function in an instance. An error says how its shape differs from the contract.
    pub(crate) fn function(&self, store: &mut Store<Sandbox>, instance: &Instance) -> wasmtime::Result<TypedFunc<(), (String,)>> {
        instance.get_typed_func(store, self.0)
    }
}

/// A function of an exported interface. Names are matched by semantic version.
fn export(component: &Component, interface: &str, function: &str) -> Option<ComponentExportIndex> {
    let interface = component.get_export_index(None, interface)?;
    component.get_export_index(Some(&interface), function)
}

/// What the host may be handed at most in one piece: the output that is allowed, and room for the lists around it.
pub(crate) fn handed_over_bytes_max(output_bytes_max: u64) -> usize {
    const LISTS_BYTES_MAX: u64 = 1024 * 1024;
    usize::try_from(output_bytes_max.saturating_add(LISTS_BYTES_MAX)).unwrap_or(usize::MAX)
}

/// The guest's answer in the house's types, if it keeps to the limits of output.
pub(crate) fn outcome(answer: wire::Outcome, limits: &PluginLimits, data_bytes: u64) -> Result<Outcome, LimitMet> {
    let requests = match answer {
        wire::Outcome::Deliver(requests) => requests,
        wire::Outcome::Skip(why) => return Ok(Outcome::Skip(reason(why))),
        wire::Outcome::Reject(why) => return Ok(Outcome::Reject(reason(why))),
    };
    if requests.len() > limits.requests_max as usize {
        return Err(LimitMet::Requests {
            requests_max: limits.requests_max,
        });
    }
    let bytes_max = limits.output_bytes_for(data_bytes);
    let requests: Vec<GuestRequest> = requests.into_iter().map(request).collect();
    let bytes: u64 = requests.iter().map(output_bytes).fold(0, u64::saturating_add);
    if bytes > bytes_max {
        return Err(LimitMet::Output { bytes_max });
    }
    Ok(Outcome::Deliver(requests))
}

fn reason(mut why: String) -> String {
    cut(&mut why, REASON_BYTES_MAX);
    why
}

fn request(request: wire::Request) -> GuestRequest {
    GuestRequest {
        body: match request.body {
            wire::Body::Json(text) => Body::Json(Bytes::from(text)),
            wire::Body::Text(text) => Body::Text(Bytes::from(text)),
            wire::Body::Bytes(bytes) => Body::Bytes(Bytes::from(bytes)),
        },
        target: request.target,
        method: match request.method {
            None | Some(wire::Method::Post) => Method::Post,
            Some(wire::Method::Put) => Method::Put,
            Some(wire::Method::Patch) => Method::Patch,
            Some(wire::Method::Delete) => Method::Delete,
        },
        path: request.path,
        query: request.query.unwrap_or_default(),
        headers: request.headers.unwrap_or_default(),
        content_type: request.content_type,
    }
}

fn output_bytes(request: &GuestRequest) -> u64 {
    let texts = [&request.target, &request.path, &request.content_type]
        .into_iter()
        .flatten()
        .map(String::len);
    let pairs = request
        .query
        .iter()
        .chain(&request.headers)
        .map(|(name, value)| name.len() + value.len());
    let bytes: usize = texts.chain(pairs).sum();
    (bytes + request.body.bytes().len()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_three_plain_numbers() {
        let version = ContractVersion::parse("1.20.3").expect("three numbers");
        assert_eq!((version.major, version.minor, version.patch), (1, 20, 3));
        for text in ["1.0", "1.0.0.0", "1.0.0-rc1", "1.0.x", "", "01.0.0", "+1.0.0", "1.0.99999999999"] {
            assert_eq!(ContractVersion::parse(text), None, "{text}");
        }
    }
}
