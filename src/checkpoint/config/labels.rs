//! How many logits a pair has.

use super::MOST_LABELS;
use crate::checkpoint::json::Object;
use crate::error::{Result, config};

/// HF counts labels by `id2label`, or by `num_labels` when that is written; two when neither is.
pub(super) fn count(json: &Object) -> Result<usize> {
    let listed = json.object("id2label")?.map(|labels| labels.len());
    let written = json.get("num_labels").map(|_| json.count("num_labels", 0, 1, MOST_LABELS)).transpose()?;
    match (written, listed) {
        (Some(written), Some(listed)) if written != listed => {
            Err(config(format!("config.json: num_labels is {written}, but id2label lists {listed}")))
        }
        (Some(count), _) => Ok(count),
        (None, Some(listed)) if (1..=MOST_LABELS).contains(&listed) => Ok(listed),
        (None, Some(listed)) => Err(config(format!("config.json: id2label lists {listed} labels"))),
        (None, None) => Ok(2),
    }
}
