//! The number of logits per pair.

use super::MAX_LABELS;
use crate::checkpoint::json::Object;
use crate::error::{Result, config};

/// Returns the number of labels: `num_labels`, else the length of `id2label`, else 2, as in transformers. A checkpoint
/// without a classifier has 1, as in sentence-transformers.
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

/// Returns whether one of `architectures` is a classifier.
pub(in crate::checkpoint) fn is_classifier(json: &Object) -> Result<bool> {
    let names = json.strings("architectures")?.unwrap_or_default();
    Ok(names.iter().any(|name| name.ends_with("ForSequenceClassification")))
}
