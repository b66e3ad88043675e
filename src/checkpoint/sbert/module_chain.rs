//! A chain of sentence-transformers modules: a Transformer, a pooling, and layers that compute the scores.
//!
//! `modules.json` lists the modules. Each one has a folder with its configuration and weights.

use super::cross_encoder_files::CrossEncoderFiles;
use super::modules_json::{ModuleEntry, ModuleFolder, after_transformer, unsupported_module};
use super::transformer_config::{FEATURE_EXTRACTION, SEQUENCE_CLASSIFICATION};
use crate::checkpoint::{ModelFiles, Pooling, ScoreActivation, Weights};
use crate::error::{Result, config, unsupported};

/// The modules after the encoder. They pool the rows of a pair and turn the pooled row into logits.
#[derive(Debug)]
pub struct ModuleChain {
    /// How the rows of a pair are combined into one. Several results are put side by side.
    pub poolings: Vec<Pooling>,
    /// Whether the pooling leaves the tokens of the prompt out.
    pub excludes_prompt: bool,
    /// The layers after the pooling. The last one is a dense layer.
    pub modules: Vec<Module>,
    /// Number of logits per pair.
    pub num_labels: usize,
}

/// A module after the pooling, with the weights in its folder.
#[derive(Debug)]
pub enum Module {
    /// A dense layer, `activation(x W^T + b)`, with the tensors `linear.weight` and `linear.bias`. A residual adds `x`
    /// if both widths are equal, and `x R^T` (`residual.weight`) otherwise.
    Dense {
        /// Width of the input.
        in_features: usize,
        /// Width of the output.
        out_features: usize,
        /// Whether the layer has the bias `b`.
        bias: bool,
        /// The activation of the layer.
        activation: ScoreActivation,
        /// Whether the layer has a residual.
        residual: bool,
        /// The layer's tensors.
        weights: Weights,
    },
    /// A LayerNorm with torch's default epsilon and the tensors `norm.weight` and `norm.bias`.
    LayerNorm {
        /// Width of the row.
        width: usize,
        /// The norm's tensors.
        weights: Weights,
    },
    /// Scales the row to length 1.
    Normalize,
}

/// The names of the value that modules pass on, and of the value at the end of a chain.
const EMBEDDING_VALUE: &str = "sentence_embedding";
const SCORES_VALUE: &str = "scores";
const MAX_WIDTH: usize = 1 << 16;
const DENSE_FIELDS: [&str; 7] = [
    "in_features",
    "out_features",
    "bias",
    "activation_function",
    "module_input_name",
    "module_output_name",
    "use_residual",
];
/// More than the modes that exist.
const MAX_POOLINGS: usize = 8;

impl ModuleChain {
    /// Reads the modules after an encoder with rows of `hidden_size` numbers.
    /// Returns `None` if the model has no modules, or only a Transformer.
    ///
    /// # Errors
    /// `config` or `weights` for missing or malformed files, `unsupported` for unsupported modules.
    pub(crate) fn read(
        files: &ModelFiles,
        cross_encoder: &CrossEncoderFiles,
        hidden_size: usize,
    ) -> Result<Option<Self>> {
        let Some((entries, transformer)) = &cross_encoder.modules else { return Ok(None) };
        let rest = after_transformer(entries)?;
        transformer.check_texts()?;
        let Some((pooling, rest)) = rest.split_first() else {
            transformer.check(&SEQUENCE_CLASSIFICATION, "text")?;
            return Ok(None);
        };
        if pooling.kind() != "Pooling" {
            return Err(unsupported_module(pooling));
        }
        transformer.check(&FEATURE_EXTRACTION, "text")?;
        let pooling = ModuleFolder::read(files, pooling)?;
        let poolings = read_poolings(&pooling)?;
        let excludes_prompt = pooling.json.bool("include_prompt")? == Some(false);
        let mut width = poolings.len() * hidden_size;
        let mut modules = Vec::new();
        // Dropout has an effect only in training.
        let rest: Vec<_> = rest.iter().filter(|entry| entry.kind() != "Dropout").collect();
        for (index, entry) in rest.iter().enumerate() {
            let module = Module::read(files, entry, index + 1 == rest.len())?;
            width = module.output_width(width, &entry.path)?;
            modules.push(module);
        }
        match modules.last() {
            Some(Module::Dense { .. }) => {
                Ok(Some(Self { poolings, excludes_prompt, modules, num_labels: width }))
            }
            _ => Err(unsupported("modules.json does not end with a Dense module, which gives the scores")),
        }
    }
}

/// Returns the pooling modes, from their names or from the flags in older files.
fn read_poolings(folder: &ModuleFolder) -> Result<Vec<Pooling>> {
    let json = &folder.json;
    let flags = LEGACY_POOLING_FLAGS.map(|(flag, _)| flag);
    json.reject_other_fields(&[&POOLING_FIELDS[..], &flags].concat())?;
    let dimensions = ["embedding_dimension", "word_embedding_dimension"];
    for name in dimensions {
        json.count(name, 1, 1, MAX_WIDTH)?;
    }
    if dimensions.iter().all(|name| json.get(name).is_none()) {
        return Err(config(format!(
            "{}/config.json has no embedding_dimension, which every Pooling module has",
            folder.path
        )));
    }
    if json.get("pooling_mode").is_none() {
        let mut poolings = Vec::new();
        for (flag, mode) in LEGACY_POOLING_FLAGS {
            if json.bool(flag)? == Some(true) {
                poolings.push(pooling_mode(folder, mode)?);
            }
        }
        return Ok(if poolings.is_empty() { vec![Pooling::Mean] } else { poolings });
    }
    let modes = json.strings("pooling_mode").unwrap_or_default();
    let modes = match modes {
        Some(modes) => modes,
        None => vec![json.string("pooling_mode")?.unwrap_or("mean")],
    };
    if modes.is_empty() || modes.len() > MAX_POOLINGS {
        return Err(config(format!(
            "{}/config.json: pooling_mode lists {} modes, not 1 to {MAX_POOLINGS}",
            folder.path,
            modes.len()
        )));
    }
    modes.into_iter().map(|mode| pooling_mode(folder, mode)).collect()
}

/// The other fields of a Pooling module. The dimension is that of the encoder's rows.
const POOLING_FIELDS: [&str; 4] =
    ["embedding_dimension", "word_embedding_dimension", "pooling_mode", "include_prompt"];
const LEGACY_POOLING_FLAGS: [(&str, &str); 6] = [
    ("pooling_mode_cls_token", "cls"),
    ("pooling_mode_max_tokens", "max"),
    ("pooling_mode_mean_tokens", "mean"),
    ("pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"),
    ("pooling_mode_weightedmean_tokens", "weightedmean"),
    ("pooling_mode_lasttoken", "lasttoken"),
];

fn pooling_mode(folder: &ModuleFolder, mode: &str) -> Result<Pooling> {
    match mode {
        "cls" => Ok(Pooling::First),
        "max" => Ok(Pooling::Max),
        "mean" => Ok(Pooling::Mean),
        "mean_sqrt_len_tokens" => Ok(Pooling::MeanSqrtLen),
        "weightedmean" => Ok(Pooling::WeightedMean),
        "lasttoken" => Ok(Pooling::Last),
        _ => Err(unsupported(format!(
            "{}/config.json: the pooling mode {mode:?} is not supported",
            folder.path
        ))),
    }
}

impl Module {
    fn read(files: &ModelFiles, entry: &ModuleEntry, last: bool) -> Result<Self> {
        match entry.kind() {
            "Dense" => Self::dense(&ModuleFolder::read(files, entry)?, last),
            "LayerNorm" => {
                let folder = ModuleFolder::read(files, entry)?;
                folder.json.reject_other_fields(&["dimension"])?;
                let width = folder.json.count("dimension", 0, 1, MAX_WIDTH)?;
                Ok(Module::LayerNorm { width, weights: folder.weights(&["norm.weight", "norm.bias"])? })
            }
            "Normalize" => {
                let folder = ModuleFolder::read_optional(files, entry)?;
                for field in ["module_input_name", "module_output_name"] {
                    folder.as_ref().map_or(Ok(()), |folder| folder.json.require(field, EMBEDDING_VALUE))?;
                }
                Ok(Module::Normalize)
            }
            _ => Err(unsupported_module(entry)),
        }
    }

    fn dense(folder: &ModuleFolder, last: bool) -> Result<Self> {
        folder.json.reject_other_fields(&DENSE_FIELDS)?;
        folder.json.reject_nulls(&["activation_function", "module_input_name", "bias"])?;
        folder.json.require("module_input_name", EMBEDDING_VALUE)?;
        // Without an output name, the output replaces the input value.
        let output = if last { SCORES_VALUE } else { EMBEDDING_VALUE };
        folder.json.require("module_output_name", output)?;
        if last && folder.json.get("module_output_name").is_none() {
            return Err(unsupported(format!(
                "{}/config.json: module_output_name is not {SCORES_VALUE:?}",
                folder.path
            )));
        }
        let in_features = folder.json.count("in_features", 0, 1, MAX_WIDTH)?;
        let out_features = folder.json.count("out_features", 0, 1, MAX_WIDTH)?;
        let bias = folder.json.bool("bias")?.unwrap_or(true);
        let residual = folder.json.bool("use_residual")?.unwrap_or(false);
        let mut tensors = vec!["linear.weight"];
        tensors.extend(bias.then_some("linear.bias"));
        tensors.extend((residual && in_features != out_features).then_some("residual.weight"));
        Ok(Module::Dense {
            in_features,
            out_features,
            bias,
            activation: activation(folder)?,
            residual,
            weights: folder.weights(&tensors)?,
        })
    }

    /// Returns the number of parameters.
    pub(crate) fn parameters(&self) -> u64 {
        match self {
            Module::Dense { in_features, out_features, bias, residual, .. } => {
                let matrices = 1 + u64::from(*residual && in_features != out_features);
                (matrices * *in_features as u64 + u64::from(*bias)) * *out_features as u64
            }
            Module::LayerNorm { width, .. } => 2 * *width as u64,
            Module::Normalize => 0,
        }
    }

    /// Returns the width of the output for an input of `width`. `path` is the module's folder.
    fn output_width(&self, width: usize, path: &str) -> Result<usize> {
        let (wanted, out) = match self {
            Module::Dense { in_features, out_features, .. } => (*in_features, *out_features),
            Module::LayerNorm { width, .. } => (*width, *width),
            Module::Normalize => (width, width),
        };
        if wanted != width {
            return Err(config(format!(
                "{path}/config.json: the module expects rows of {wanted} numbers, but gets rows of {width}"
            )));
        }
        Ok(out)
    }
}

/// Returns the activation of a dense layer: a class of torch, by default Tanh.
fn activation(folder: &ModuleFolder) -> Result<ScoreActivation> {
    let path = folder.json.string("activation_function")?.unwrap_or("torch.nn.modules.activation.Tanh");
    ScoreActivation::from_torch(path).ok_or_else(|| {
        unsupported(format!("{}/config.json: the activation_function {path:?} is not supported", folder.path))
    })
}
