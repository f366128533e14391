//! What the demonstration posts, and whom it sends it to. Nothing here is done yet.

/// The organization of the product's own example.
pub(crate) const ORGANIZATION: &str = "contractfit1";

/// The header of the product's own example.
const DOCUMENTED: &str = "Bearer abcdefg1234567989";

/// A documented event.
#[derive(Debug)]
pub(crate) struct Sample {
    /// Its kind.
    pub(crate) kind: &'static str,
    /// What it is, in a few words.
    pub(crate) what: &'static str,
    /// The body that is posted.
    pub(crate) text: &'static str,
    /// The members worth showing of a long payload.
    pub(crate) focus: &'static [&'static str],
    /// The members worth showing where the payload is flattened.
    pub(crate) flat_focus: &'static [&'static str],
    /// Whether a prediction in it is less confident than [`REVIEW_BELOW`].
    pub(crate) is_unsure: bool,
}

/// One integration.
#[derive(Debug)]
pub(crate) struct Route {
    /// What it shows.
    pub(crate) title: &'static str,
    /// The kinds that it wants.
    pub(crate) kinds: &'static [&'static str],
    /// Its default target.
    pub(crate) door: Door,
    /// What its component does.
    pub(crate) shape: Shape,
    /// Its waits between attempts; empty: the default ones.
    pub(crate) delays_ms: &'static [u64],
}

/// What becomes of an event's payload.
#[derive(Debug)]
pub(crate) enum Shape {
    /// The documented payload, by the plugin that integrations have which name none.
    Documented,
    /// The product's flat short form, by the plugin `flatten`, with a second target for what is unsure.
    Flat {
        /// The target named [`REVIEW`].
        review: Door,
    },
}

/// A path of the receiver's, behind which somebody expects a header.
#[derive(Debug)]
pub(crate) struct Door {
    /// The path of the target's URL.
    pub(crate) path: &'static str,
    /// The `Authorization` that the integration sets.
    pub(crate) authorization: &'static str,
    /// How many requests are refused before the first one is taken.
    pub(crate) refusals: u32,
}

impl Door {
    const fn open(path: &'static str, authorization: &'static str) -> Door {
        Door {
            path,
            authorization,
            refusals: 0,
        }
    }
}

impl Route {
    /// Its doors, each with the name of its target.
    pub(crate) fn doors(&self) -> impl Iterator<Item = (Option<&'static str>, &Door)> {
        let review = match &self.shape {
            Shape::Documented => None,
            Shape::Flat { review } => Some((Some(REVIEW), review)),
        };
        [(None, &self.door)].into_iter().chain(review)
    }

    /// Where a sample is to arrive; `None` if it is not wanted.
    pub(crate) fn door_of(&self, sample: &Sample) -> Option<&Door> {
        let door = match &self.shape {
            Shape::Flat { review } if sample.is_unsure => review,
            _ => &self.door,
        };
        self.kinds.contains(&sample.kind).then_some(door)
    }
}

/// The named target of the integration that flattens.
pub(crate) const REVIEW: &str = "review";
/// The confidence below which it is used.
pub(crate) const REVIEW_BELOW: u32 = 60;

/// The integrations, in the order in which they are told of.
pub(crate) static ROUTES: [Route; 5] = [
    Route {
        title: "Predictions, as documented",
        kinds: &["document_predict"],
        door: Door::open("/alfred/document_predict", DOCUMENTED),
        shape: Shape::Documented,
        delays_ms: &[],
    },
    Route {
        title: "Feedback, as documented",
        kinds: &["document_evaluate"],
        door: Door::open("/alfred/document_evaluate", DOCUMENTED),
        shape: Shape::Documented,
        delays_ms: &[],
    },
    Route {
        title: "All other events",
        kinds: &[
            "document_text",
            "document_split",
            "document_reject",
            "document_fail",
            "document_delete",
        ],
        door: Door::open("/alfred/events", DOCUMENTED),
        shape: Shape::Documented,
        delays_ms: &[],
    },
    Route {
        title: "Invoices, reshaped by a plugin",
        kinds: &["document_predict", "document_evaluate"],
        door: Door::open("/erp/invoices", "Bearer erp-4f81c2d7"),
        shape: Shape::Flat {
            review: Door::open("/desk/review", "Bearer desk-90ab13e5"),
        },
        delays_ms: &[],
    },
    Route {
        title: "A receiver that refuses twice",
        kinds: &["document_delete"],
        door: Door {
            path: "/archive",
            authorization: "Bearer archive-77e0d5b2",
            refusals: 2,
        },
        shape: Shape::Documented,
        delays_ms: &[300, 600, 1200],
    },
];

/// The frame of a document's payload, and where its fields are.
const DOCUMENT: &[&str] = &["event", "organization", "inbox", "project", "data.id", "data.prediction"];

/// The amount that the photograph has made doubtful.
const AMOUNT: &[&str] = &[
    "event",
    "data.prediction.annotations.net_amount.value",
    "data.prediction.annotations.net_amount.text",
    "data.prediction.annotations.net_amount.confidence",
];

/// The events, in the order in which they are posted.
pub(crate) static SAMPLES: [Sample; 8] = [
    Sample {
        kind: "document_text",
        what: "text recognition has finished",
        text: include_str!("../../../../tests/samples/document_text.json"),
        focus: &[],
        flat_focus: &[],
        is_unsure: false,
    },
    Sample {
        kind: "document_split",
        what: "the sections are known",
        text: include_str!("../../../../tests/samples/document_split.json"),
        focus: &[],
        flat_focus: &[],
        is_unsure: false,
    },
    Sample {
        kind: "document_predict",
        what: "an invoice of two pages",
        text: include_str!("../../../../tests/samples/document_predict.json"),
        focus: DOCUMENT,
        flat_focus: AMOUNT,
        is_unsure: false,
    },
    Sample {
        kind: "document_predict",
        what: "the same one, badly photographed",
        text: include_str!("../../../../tests/samples/document_predict_low_confidence.json"),
        focus: DOCUMENT,
        flat_focus: AMOUNT,
        is_unsure: true,
    },
    Sample {
        kind: "document_evaluate",
        what: "a reviewer has corrected it",
        text: include_str!("../../../../tests/samples/document_evaluate.json"),
        focus: DOCUMENT,
        flat_focus: &[
            "event",
            "data.feedback.annotations.due_date.value",
            "data.feedback.annotations.due_date.gold",
        ],
        is_unsure: false,
    },
    Sample {
        kind: "document_reject",
        what: "a reminder, which is no invoice",
        text: include_str!("../../../../tests/samples/document_reject.json"),
        focus: DOCUMENT,
        flat_focus: &[],
        is_unsure: false,
    },
    Sample {
        kind: "document_fail",
        what: "a document could not be processed",
        text: include_str!("../../../../tests/samples/document_fail.json"),
        focus: &[],
        flat_focus: &[],
        is_unsure: false,
    },
    Sample {
        kind: "document_delete",
        what: "a document is deleted",
        text: include_str!("../../../../tests/samples/document_delete.json"),
        focus: &[],
        flat_focus: &[],
        is_unsure: false,
    },
];

/// How many deliveries will be owed.
pub(crate) fn owed() -> usize {
    let of = |route: &Route| SAMPLES.iter().filter(|sample| route.door_of(sample).is_some()).count();
    ROUTES.iter().map(of).sum()
}

#[cfg(test)]
mod tests {
    use hookmill_domain::event::{Kinds, Posted, parse};

    use super::*;

    #[test]
    fn samples_are_the_events_that_they_say() {
        for sample in &SAMPLES {
            match parse(sample.text.as_bytes(), &Kinds::default(), 1) {
                Ok(Posted::One(event)) => assert_eq!(event.kind.as_str(), sample.kind),
                other => panic!("{}: {other:?}", sample.kind),
            }
        }
    }

    #[test]
    fn every_kind_of_the_product_is_posted_and_wanted() {
        for kind in Kinds::PRODUCT {
            assert!(SAMPLES.iter().any(|sample| sample.kind == kind), "{kind}");
            assert!(ROUTES.iter().any(|route| route.kinds.contains(&kind)), "{kind}");
        }
        assert_eq!(owed(), 12);
    }

    #[test]
    fn each_door_is_one_targets() {
        let mut paths: Vec<_> = ROUTES.iter().flat_map(Route::doors).map(|(_, door)| door.path).collect();
        let all = paths.len();
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len(), all);
    }
}
