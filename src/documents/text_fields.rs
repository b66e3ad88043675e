//! The fields that hold a document's text: ours, and those of LangChain, LlamaIndex, Haystack, Pyserini and others. The
//! npm package reads the same list.

use std::sync::LazyLock;

use super::json_value::JsonValue;

static TEXT_FIELDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "the file is part of the program, and every test reads it")]
    serde_json::from_str(include_str!("text_fields.json")).expect("text_fields.json is well formed")
});

/// Returns the names of the fields, the preferred one first.
pub fn text_fields() -> &'static [String] {
    &TEXT_FIELDS
}

/// Returns the text of a document that is an object, and the name of its field: the first one that is a string.
pub fn text_field(document: &JsonValue) -> Option<(&'static str, &str)> {
    text_fields().iter().find_map(|name| Some((name.as_str(), document.get(name)?.as_str()?)))
}
