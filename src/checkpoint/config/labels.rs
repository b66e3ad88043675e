//! How many logits a pair has.

use super::MAX_LABELS;
use crate::checkpoint::json::Object;
use crate::error::{Result, config};

/// `num_labels`, or else as many as `id2label` lists, or else two, as in transformers. But a checkpoint of no
/// classifier has one, as in sentence-transformers.
pub(super) fn count(json: &Object) -> Result<usize> {
    if !is_classifier(json)? {
        return Ok(1);
    }
    let listed = json.object("id2label")?.map_or(2, |labels| labels.len());
    let count = json.count("num_labels", listed, 1, MAX_LABELS)?;
    if (1..=MAX_LABELS).contains(&count) {
        Ok(count)
    } else {
        Err(config(format!("config.json: id2label lists {count} labels")))
    }
}

/// Whether one of `architectures` is a classifier.
fn is_classifier(json: &Object) -> Result<bool> {
    let names = json.strings("architectures")?.unwrap_or_default();
    Ok(names.iter().any(|name| name.ends_with("ForSequenceClassification")))
}
