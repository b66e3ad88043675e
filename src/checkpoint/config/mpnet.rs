//! Configuration of MPNet.

use super::{AttentionPositions, MAX_ROWS, ModelConfig, Numbering};
use crate::checkpoint::json::Object;
use crate::error::Result;

/// The buckets that transformers uses, whatever the size of the table.
const BUCKETS: usize = 32;
/// The padding token whose id positions start after. It does not depend on the configuration.
const PADDING: u32 = 1;

pub(super) fn read(json: &Object, config: &mut ModelConfig) -> Result<()> {
    json.reject_nulls(&["relative_attention_num_buckets"])?;
    let buckets = json.count("relative_attention_num_buckets", BUCKETS, BUCKETS, MAX_ROWS)?;
    config.position_table = Some(Numbering::PastPadding { padding: PADDING });
    config.attention = AttentionPositions::Bucketed { buckets };
    config.type_vocab_size = 0;
    Ok(())
}
