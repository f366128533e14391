//! A first plugin: sends a document's id and its total, and nothing else.

use hookmill_plugin::{Event, Integration, Outcome, Plugin, Request, Result, json};

struct First;

impl Plugin for First {
    fn transform(event: Event, _: Integration) -> Result<Outcome> {
        let document = event.document()?;
        let total = document.value("gross_amount").ok_or("the document has no gross amount")?;
        Ok(Request::json(&json!({ "document": document.id, "total": total }))?.into())
    }
}

hookmill_plugin::export!(First);
