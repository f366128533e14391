//! Between the contract's shapes and the crate's: conversions, the panic hook, and the macro that exports a plugin.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{Body, Error, Event, Integration, Json, Method, Outcome, Plugin, Request, Result, config};

/// What crosses the boundary, by shorter names.
pub mod wire {
    pub use crate::__bindings::configuration::exports::hookmill::plugin::configuration::Guest as Configuration;
    pub use crate::__bindings::transformer::exports::hookmill::plugin::transformer::{
        Body, Event, Guest as Transformer, Integration, Method, Outcome, Request,
    };
}

/// Exports a plugin from its crate, which is a `cdylib`. Once in a crate.
///
/// - `export!(MyPlugin)` exports a `Plugin`;
/// - `export!(MyPlugin, config = Settings)` exports a `Plugin<Settings>` together with the JSON Schema of `Settings`:
///   the host validates integrations by it, and the console draws a form from it;
/// - `export!(MyPlugin, panics = silent)` leaves out the hook that logs a panic's message. The component is smaller and
///   a call quicker by a microsecond or two, for plugins that can not panic.
#[macro_export]
macro_rules! export {
    ($plugin:ty $(,)?) => {
        $crate::__export_transformer!(|event, integration| {
            $crate::__glue::log_panics();
            $crate::__glue::transform::<$plugin>(event, integration)
        });
    };
    ($plugin:ty, panics = silent $(,)?) => {
        $crate::__export_transformer!(|event, integration| $crate::__glue::transform::<$plugin>(event, integration));
    };
    ($plugin:ty, config = $config:ty $(,)?) => {
        $crate::__export_transformer!(|event, integration| {
            $crate::__glue::log_panics();
            $crate::__glue::transform_configured::<$plugin, $config>(event, integration)
        });
        const _: () = {
            enum __HookmillConfiguration {}
            impl $crate::__glue::wire::Configuration for __HookmillConfiguration {
                fn schema() -> ::std::string::String {
                    $crate::schema::<$config>()
                }
            }
            const _: fn() -> ::std::string::String = <__HookmillConfiguration as $crate::__glue::wire::Configuration>::schema;
            #[cfg(target_family = "wasm")]
            $crate::__bindings::configuration::export_configuration!(
                __HookmillConfiguration with_types_in $crate::__bindings::configuration
            );
        };
    };
}

/// The half of [`export!`](crate::export!) that all its forms share.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_transformer {
    (|$event:ident, $integration:ident| $call:expr) => {
        // No name but these two reaches into the author's crate, whose own types may be called anything.
        const _: () = {
            enum __HookmillTransformer {}
            impl $crate::__glue::wire::Transformer for __HookmillTransformer {
                fn transform(
                    $event: $crate::__glue::wire::Event,
                    $integration: $crate::__glue::wire::Integration,
                ) -> $crate::__glue::wire::Outcome {
                    $call
                }
            }
            // So that a plugin counts as used on other targets too, where nothing is exported.
            const _: fn($crate::__glue::wire::Event, $crate::__glue::wire::Integration) -> $crate::__glue::wire::Outcome =
                <__HookmillTransformer as $crate::__glue::wire::Transformer>::transform;
            #[cfg(target_family = "wasm")]
            $crate::__bindings::transformer::export_transformer!(
                __HookmillTransformer with_types_in $crate::__bindings::transformer
            );
        };
    };
}

/// Calls a plugin without a configuration type.
pub fn transform<P: Plugin>(event: wire::Event, integration: wire::Integration) -> wire::Outcome {
    let wire::Integration { id, targets, config } = integration;
    P::transform(
        event.into(),
        Integration {
            id,
            targets,
            config: Json::trusted(config),
        },
    )
    .into()
}

/// Calls a plugin with its configuration; one that does not fit is a rejection.
pub fn transform_configured<P: Plugin<C>, C: DeserializeOwned + JsonSchema>(
    event: wire::Event,
    integration: wire::Integration,
) -> wire::Outcome {
    let wire::Integration { id, targets, config } = integration;
    config::read(&config)
        .and_then(|config| P::transform(event.into(), Integration { id, targets, config }))
        .into()
}

/// Sends a panic's message and place to the run's log: without it, all that is left of a panic is a trap.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| crate::log::error(panic.to_string())));
}

impl From<wire::Event> for Event {
    fn from(event: wire::Event) -> Self {
        let wire::Event {
            id,
            kind,
            organization,
            inbox,
            project,
            accepted_at,
            data,
        } = event;
        Self {
            id,
            kind,
            organization,
            inbox,
            project,
            accepted_at,
            data,
        }
    }
}

impl From<Result<Outcome>> for wire::Outcome {
    fn from(result: Result<Outcome>) -> Self {
        match result {
            Ok(Outcome::Deliver(requests)) => Self::Deliver(requests.into_iter().map(Into::into).collect()),
            Ok(Outcome::Skip(reason)) => Self::Skip(reason),
            Err(error) => Self::Reject(with_causes(&error)),
        }
    }
}

impl From<Request> for wire::Request {
    fn from(request: Request) -> Self {
        Self {
            body: match request.body {
                Body::Json(text) => wire::Body::Json(text),
                Body::Text(text) => wire::Body::Text(text),
                Body::Bytes(bytes) => wire::Body::Bytes(bytes),
            },
            target: request.target,
            method: match request.method {
                Method::Post => None,
                Method::Put => Some(wire::Method::Put),
                Method::Patch => Some(wire::Method::Patch),
                Method::Delete => Some(wire::Method::Delete),
            },
            path: request.path,
            query: some(request.query),
            headers: some(request.headers),
            content_type: request.content_type,
        }
    }
}

/// None where the list is empty.
fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    if list.is_empty() { None } else { Some(list) }
}

/// An error and what caused it, on one line.
fn with_causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called<P: Plugin>() -> wire::Outcome {
        let Event {
            id,
            kind,
            organization,
            inbox,
            project,
            accepted_at,
            data,
        } = Event::example("document_text", "{}");
        let event = wire::Event {
            id,
            kind,
            organization,
            inbox,
            project,
            accepted_at,
            data,
        };
        let integration = wire::Integration {
            id: "int_1".to_owned(),
            targets: Vec::new(),
            config: "null".to_owned(),
        };
        transform::<P>(event, integration)
    }

    #[test]
    fn an_error_is_a_rejection_with_its_causes() {
        #[derive(Debug)]
        struct Outer(std::num::ParseIntError);

        impl std::fmt::Display for Outer {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("no count")
            }
        }

        impl std::error::Error for Outer {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                Some(&self.0)
            }
        }

        struct Failing;

        impl Plugin for Failing {
            fn transform(_: Event, _: Integration) -> Result<Outcome> {
                let count: u32 = "x".parse().map_err(Outer)?;
                Ok(Outcome::skip(count.to_string()))
            }
        }

        let wire::Outcome::Reject(reason) = called::<Failing>() else {
            panic!("a rejection")
        };
        assert_eq!(reason, "no count: invalid digit found in string");
    }

    #[test]
    fn a_request_crosses_whole() {
        struct Full;

        impl Plugin for Full {
            fn transform(_: Event, _: Integration) -> Result<Outcome> {
                let full = Request::text("t")
                    .target("review")
                    .method(Method::Put)
                    .path("/a")
                    .query("q", "1")
                    .header("x-a", "b");
                Ok(vec![full.content_type("text/csv"), Request::bytes([0, 255])].into())
            }
        }

        let wire::Outcome::Deliver(requests) = called::<Full>() else {
            panic!("requests")
        };
        let [full, plain] = requests.as_slice() else {
            panic!("two requests")
        };
        assert!(matches!(&full.body, wire::Body::Text(text) if text == "t"));
        assert_eq!(full.target.as_deref(), Some("review"));
        assert_eq!(full.method, Some(wire::Method::Put));
        assert_eq!(full.path.as_deref(), Some("/a"));
        assert_eq!(full.query, Some(vec![("q".to_owned(), "1".to_owned())]));
        assert_eq!(full.headers, Some(vec![("x-a".to_owned(), "b".to_owned())]));
        assert_eq!(full.content_type.as_deref(), Some("text/csv"));
        assert!(matches!(&plain.body, wire::Body::Bytes(bytes) if bytes == &[0, 255]));
        assert_eq!(
            (&plain.target, plain.method, &plain.query, &plain.headers),
            (&None, None, &None, &None)
        );
    }
}
