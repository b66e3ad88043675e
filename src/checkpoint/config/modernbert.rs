//! Configuration of ModernBERT, as transformers 5 writes it and as older versions did.

use super::{
    AttentionPositions, Biases, MAX_LAYERS, MAX_ROWS, ModelConfig, Pooling, Rotary, RotaryLayer, activation,
    rotary,
};
use crate::checkpoint::json::Object;
use crate::error::{Result, config, unsupported};

/// Fields that transformers 5.24 does not allow to be `null`.
const NOT_NULL: [&str; 11] = [
    "norm_eps",
    "hidden_activation",
    "mlp_bias",
    "attention_bias",
    "norm_bias",
    "classifier_bias",
    "classifier_activation",
    "classifier_pooling",
    "global_attn_every_n_layers",
    "local_attention",
    "sliding_window",
];
const GLOBAL: &str = "full_attention";
const LOCAL: &str = "sliding_attention";

pub(super) fn read(json: &Object, config: &mut ModelConfig) -> Result<()> {
    json.reject_nulls(&NOT_NULL)?;
    rotary::reject_other_heads(json, config)?;
    let flag = |name| Ok(json.bool(name)?.unwrap_or(false));
    let feed_forward = flag("mlp_bias")?;
    config.position_table = None;
    config.type_vocab_size = 0;
    config.biases = Biases {
        attention: flag("attention_bias")?,
        intermediate: feed_forward,
        output: feed_forward,
        norm: flag("norm_bias")?,
        head: flag("classifier_bias")?,
    };
    config.head_act = activation(json, "classifier_activation", "gelu")?;
    config.poolings = match json.string("classifier_pooling")? {
        None | Some("cls") => vec![Pooling::First],
        Some("mean") => vec![Pooling::Mean],
        Some(other) => {
            return Err(self::config(format!(
                "config.json: classifier_pooling {other:?} is not cls or mean"
            )));
        }
    };
    config.attention = AttentionPositions::Rotary(layers(json, config.num_hidden_layers)?);
    Ok(())
}

fn layers(json: &Object, count: usize) -> Result<Vec<RotaryLayer>> {
    let global = RotaryLayer { rotary: angles(json, GLOBAL, "global_rope_theta", 160_000.0)?, window: None };
    let local = RotaryLayer {
        rotary: angles(json, LOCAL, "local_rope_theta", 10_000.0)?,
        window: Some(window(json)?),
    };
    let every = json.count("global_attn_every_n_layers", 3, 1, MAX_LAYERS)?;
    let Some(types) = json.strings("layer_types")? else {
        let layer = |index: usize| if index.is_multiple_of(every) { global } else { local };
        return Ok((0..count).map(layer).collect());
    };
    if types.len() != count {
        let listed = types.len();
        return Err(config(format!("config.json: layer_types lists {listed} of {count} layers")));
    }
    let layer = |name: &str| match name {
        GLOBAL => Ok(global),
        LOCAL => Ok(local),
        other => Err(unsupported(format!("config.json: layer_types names {other:?}"))),
    };
    types.into_iter().map(layer).collect()
}

/// Returns how many positions a local layer sees on either side: half of `local_attention`. With 0, a row sees only
/// itself.
fn window(json: &Object) -> Result<usize> {
    let half = json.count("local_attention", 128, 0, MAX_ROWS)? / 2;
    json.count("sliding_window", half, 0, MAX_ROWS)
}

/// Returns the angles of one kind of layer, from `rope_parameters` or else from the field `older`, which transformers 4
/// has. A `local_rope_theta` of `null` is the global base in transformers 4 and an error in transformers 5, so it is
/// rejected too.
fn angles(json: &Object, kind: &str, older: &str, default: f64) -> Result<Rotary> {
    rotary::reject_scaling(json, "rope_scaling")?;
    let parameters = match json.object("rope_parameters")? {
        None => None,
        Some(all) => {
            all.reject_nulls(&[kind])?;
            if let Some(other) = all.names().find(|name| ![GLOBAL, LOCAL].contains(name)) {
                return Err(config(format!(
                    "config.json: rope_parameters has {other:?}; it has an object for {GLOBAL:?} and one for {LOCAL:?}"
                )));
            }
            all.object(kind)?
        }
    };
    match parameters {
        Some(parameters) if parameters.contains("rope_theta") => rotary::angles(&parameters, default),
        Some(parameters) => rotary::angles(&parameters, older_theta(json, older, default)?),
        None => Ok(Rotary { theta: older_theta(json, older, default)?, divisor: 1.0 }),
    }
}

fn older_theta(json: &Object, field: &str, default: f64) -> Result<f64> {
    if field == "local_rope_theta" && json.contains(field) && json.get(field).is_none() {
        return Err(config(format!(
            "config.json: {field} is null, which transformers 5 rejects; transformers 4 reads it as \
             global_rope_theta: write that number in a copy"
        )));
    }
    rotary::theta(json, field, default)
}
