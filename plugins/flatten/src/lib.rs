//! The product's flat short form: one object with the value of each field, and the document's type.
//!
//! `{"IBAN": "BE90290050800032", "amount_payable": 152.11, "currency": "EUR", …, "type": "invoice"}`: fields in the
//! order of their bytes, amounts as numbers with the digits that they came with, everything else as strings. Line items
//! stay out.
//!
//! Of a field with several found values the most confident counts. Where a reviewer gave feedback on a field, it
//! replaces the prediction of that field whole: the gold value if there is one, and nothing if the reviewer took the
//! value away.
//!
//! With `review_below` set, a prediction that is less confident in any field goes to the target named by
//! `review_target` in place of the default one. What a person has evaluated or rejected never goes there again.

mod form;
mod settings;

use hookmill_plugin::{Error, Event, Integration, Outcome, Plugin, Request, Result, log};

use form::Form;
use settings::Settings;

struct Flatten;

impl Plugin<Settings> for Flatten {
    fn transform(event: Event, integration: Integration<Settings>) -> Result<Outcome> {
        if !matches!(event.kind.as_str(), "document_predict" | "document_evaluate" | "document_reject") {
            return Ok(Outcome::skip(format!("{} carries no prediction", event.kind)));
        }
        let document = event.document()?;
        if document.prediction.is_none() && document.feedback.is_none() {
            return Err("the document has neither prediction nor feedback".into());
        }
        let form = Form::of(&document, integration.config.fields.as_deref());
        let request = Request::raw_json(form.to_json());
        let doubt = if event.kind == "document_predict" {
            form.doubt(integration.config.review_below)
        } else {
            None
        };
        Ok(match doubt {
            Some(doubt) => to_review(request, &doubt, &integration)?,
            None => request,
        }
        .into())
    }
}

hookmill_plugin::export!(Flatten, config = Settings);

fn to_review(request: Request, doubt: &str, integration: &Integration<Settings>) -> Result<Request, Error> {
    let target = &integration.config.review_target;
    if !integration.targets.contains(target) {
        return Err(format!("{doubt}, but the integration has no target named {target}").into());
    }
    log::info(format!("{doubt}: to {target}"));
    Ok(request.target(target))
}

#[cfg(test)]
mod tests;
