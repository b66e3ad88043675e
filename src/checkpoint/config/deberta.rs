//! Configuration of DeBERTa, versions 2 and 3.

use super::{
    AttentionPositions, ConvolutionConfig, MAX_HIDDEN, MAX_INTERMEDIATE, MAX_ROWS, ModelConfig,
    RelativePositions, activation, require_width,
};
use crate::checkpoint::json::Object;
use crate::error::{Result, config, unsupported};

pub(super) fn read(json: &Object, config: &mut ModelConfig) -> Result<()> {
    json.reject_nulls(&[
        "position_biased_input",
        "relative_attention",
        "max_relative_positions",
        "pooler_hidden_act",
    ])?;
    reject_variants(json, config)?;
    config.embedding_size = json.count("embedding_size", config.hidden_size, 1, MAX_HIDDEN)?;
    if json.bool("position_biased_input")? == Some(false) {
        config.position_table = None;
    }
    config.head_act = activation(json, "pooler_hidden_act", "gelu")?;
    config.convolution = convolution(json, config.hidden_size)?;
    let terms = Terms::read(json)?;
    if json.bool("relative_attention")? != Some(true) {
        return match terms {
            Terms { content_to_position: false, position_to_content: false } => Ok(()),
            _ => Err(unsupported("config.json: pos_att_type is given without relative_attention")),
        };
    }
    if terms.content_to_position || terms.position_to_content {
        let relative = relative_positions(json, &terms, config.max_position_embeddings)?;
        config.attention = AttentionPositions::Disentangled(relative);
    }
    Ok(())
}

fn reject_variants(json: &Object, config: &ModelConfig) -> Result<()> {
    require_width(json, "attention_head_size", config.hidden_size / config.num_attention_heads)?;
    require_width(json, "pooler_hidden_size", config.hidden_size)
}

fn convolution(json: &Object, hidden_size: usize) -> Result<Option<ConvolutionConfig>> {
    let max = MAX_INTERMEDIATE / hidden_size;
    let Some(kernel_size) = positive(json, "conv_kernel_size", max)? else { return Ok(None) };
    if kernel_size.is_multiple_of(2) {
        return Err(config(format!(
            "config.json: conv_kernel_size {kernel_size} is even, which transformers cannot compute"
        )));
    }
    match json.count("conv_groups", 1, 1, MAX_HIDDEN)? {
        1 => Ok(Some(ConvolutionConfig { kernel_size, activation: activation(json, "conv_act", "tanh")? })),
        groups => Err(unsupported(format!("config.json: conv_groups {groups}; this build supports 1"))),
    }
}

/// The position terms of the attention logits.
struct Terms {
    content_to_position: bool,
    position_to_content: bool,
}

impl Terms {
    /// Reads `pos_att_type`: a list of names, or one string with the names separated by `|`.
    fn read(json: &Object) -> Result<Self> {
        let names: Vec<String> = match json.get("pos_att_type") {
            Some(serde_json::Value::String(text)) => {
                text.to_lowercase().split('|').map(|name| name.trim().to_owned()).collect()
            }
            _ => json.strings("pos_att_type")?.unwrap_or_default().into_iter().map(str::to_owned).collect(),
        };
        let known = ["c2p", "p2c", ""];
        if let Some(other) = names.iter().find(|name| !known.contains(&name.as_str())) {
            return Err(unsupported(format!("config.json: pos_att_type names {other:?}")));
        }
        let has = |wanted: &str| names.iter().any(|name| name == wanted);
        Ok(Self { content_to_position: has("c2p"), position_to_content: has("p2c") })
    }
}

fn relative_positions(json: &Object, terms: &Terms, positions: usize) -> Result<RelativePositions> {
    let buckets = positive(json, "position_buckets", MAX_ROWS)?;
    let max_distance = positive(json, "max_relative_positions", MAX_ROWS)?.unwrap_or(positions);
    // The logarithm of the distance must grow between half the number of buckets and `max_distance`.
    if let Some(buckets) = buckets
        && (buckets < 2 || positions - 1 > buckets / 2 && max_distance <= buckets / 2 + 1)
    {
        return Err(config(format!(
            "config.json: position_buckets {buckets} does not fit max_relative_positions {max_distance}"
        )));
    }
    Ok(RelativePositions {
        buckets,
        max_distance,
        normalized: normalized(json)?,
        shared: json.bool("share_att_key")?.unwrap_or(false),
        content_to_position: terms.content_to_position,
        position_to_content: terms.position_to_content,
    })
}

/// Returns whether the table of relative positions is normalized.
fn normalized(json: &Object) -> Result<bool> {
    let text = json.string("norm_rel_ebd")?.unwrap_or("none").to_lowercase();
    let mut parts = text.split('|').map(str::trim);
    match parts.clone().find(|part| !["none", "layer_norm"].contains(part)) {
        Some(other) => Err(unsupported(format!("config.json: norm_rel_ebd {other:?}"))),
        None => Ok(parts.any(|part| part == "layer_norm")),
    }
}

/// Reads a size. A size that is absent, zero or negative means "none".
fn positive(json: &Object, field: &str, max: usize) -> Result<Option<usize>> {
    match json.number(field)? {
        Some(number) if number > 0.0 => json.count(field, 0, 1, max).map(Some),
        _ => Ok(None),
    }
}
