//! The flat form of a document, and how sure it is.

use std::collections::BTreeMap;

use hookmill_plugin::documents::Document;
use hookmill_plugin::{Json, Value};

/// The fields of a document, flat.
pub(crate) struct Form<'a> {
    /// Names, in the order of their bytes, each with its value as JSON text.
    fields: BTreeMap<&'a str, String>,
    /// The least confident field, of those with a confidence that no reviewer has spoken on.
    least: Option<(&'a str, f64)>,
    /// The first amount that is no number.
    unreadable: Option<&'a str>,
}

impl<'a> Form<'a> {
    /// Flattens a document, to these fields if any are named.
    pub(crate) fn of(document: &'a Document, wanted: Option<&[String]>) -> Self {
        let mut form = Self {
            fields: BTreeMap::new(),
            least: None,
            unreadable: None,
        };
        for name in document.fields() {
            if wanted.is_none_or(|wanted| wanted.iter().any(|wanted| wanted == name)) {
                form.add(document, name);
            }
        }
        if let Some(document_type) = document.document_type() {
            form.fields.insert("type", quoted(document_type));
        }
        form
    }

    fn add(&mut self, document: &'a Document, name: &'a str) {
        let Some(found) = document.best(name) else { return };
        let Some(value) = found.settled() else { return };
        let number = if is_amount(name) { value.to_number() } else { None };
        if is_amount(name) && number.is_none() {
            self.unreadable = self.unreadable.or(Some(name));
        }
        self.fields
            .insert(name, number.map_or_else(|| as_string(value), |number| number.to_string()));
        if let (None, Some(confidence)) = (&found.gold, found.confidence)
            && self.least.is_none_or(|(_, least)| confidence < least)
        {
            self.least = Some((name, confidence));
        }
    }

    /// The form as JSON, spaced as the product spaces it.
    pub(crate) fn to_json(&self) -> String {
        let mut json = String::from("{");
        for (name, value) in &self.fields {
            if json.len() > 1 {
                json.push_str(", ");
            }
            json.push_str(&quoted(name));
            json.push_str(": ");
            json.push_str(value);
        }
        json.push('}');
        json
    }

    /// Why somebody should look at it, if anybody should.
    pub(crate) fn doubt(&self, review_below: Option<f64>) -> Option<String> {
        let limit = review_below?;
        if let Some(name) = self.unreadable {
            return Some(format!("{name} is no number"));
        }
        let (name, confidence) = self.least.filter(|(_, confidence)| *confidence < limit)?;
        Some(format!("{name} has confidence {confidence}, below {limit}"))
    }
}

/// Whether a field holds an amount, by its name.
fn is_amount(name: &str) -> bool {
    name == "amount" || name.starts_with("amount_") || name.ends_with("_amount")
}

/// A value as a JSON string: a string as it was written, anything else by its text.
fn as_string(value: &Json) -> String {
    if value.as_str().starts_with('"') {
        value.to_string()
    } else {
        quoted(value.as_str())
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
