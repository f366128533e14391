//! What an integration can ask for in its `plugin_config`.

use hookmill_plugin::JsonSchema;
use serde::Deserialize;

/// How documents are flattened, and what is looked at by people.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(crate = "hookmill_plugin::schemars", title = "Flatten")]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Predictions with a field less confident than this go to the review target. Not set: none does.
    #[schemars(range(min = 0, max = 100))]
    pub(crate) review_below: Option<f64>,
    /// The name of the target that gets what should be reviewed.
    pub(crate) review_target: String,
    /// The fields to send, where a document has them; the document's type stands in any case. Not set: all.
    pub(crate) fields: Option<Vec<String>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            review_below: None,
            review_target: "review".to_owned(),
            fields: None,
        }
    }
}
