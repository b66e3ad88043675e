//! A chain of sentence-transformers modules: a Transformer, and behind it what makes scores of its rows.
//!
//! `modules.json` lists the modules, each with a folder of its own for its configuration and its weights.

use super::cross_encoder_files::CrossEncoderFiles;
use super::modules_json::{ModuleEntry, ModuleFolder, after_transformer, unsupported_module};
use super::transformer_config::{FEATURE_EXTRACTION, SEQUENCE_CLASSIFICATION};
use crate::checkpoint::json::Object;
use crate::checkpoint::tokenizer::chat_template;
use crate::checkpoint::{ModelFiles, Pooling, ScoreActivation, Weights};
use crate::error::{Result, config, unsupported};

/// What a chain does with the rows of the encoder: pools them, and makes logits of the pooled one.
#[derive(Debug)]
pub struct ModuleChain {
    /// How the rows of a pair become one.
    pub pooling: Pooling,
    /// What follows, the last a dense layer.
    pub modules: Vec<Module>,
    /// Logits for each pair.
    pub num_labels: usize,
}

/// A module behind the pooling, with its weights as its folder has them.
#[derive(Debug)]
pub enum Module {
    /// `activation(x W^T + b)`: `linear.weight`, `linear.bias`. With a residual, plus `x` where both widths are the same,
    /// or else `x R^T`: `residual.weight`.
    Dense {
        /// Width of what comes in.
        in_features: usize,
        /// Width of what goes out.
        out_features: usize,
        /// Whether there is a `b`.
        bias: bool,
        /// The function behind.
        activation: ScoreActivation,
        /// Whether there is a residual.
        residual: bool,
        /// Its tensors.
        weights: Weights,
    },
    /// A norm of the row, with torch's epsilon: `norm.weight`, `norm.bias`.
    LayerNorm {
        /// Numbers in the row.
        width: usize,
        /// Its tensors.
        weights: Weights,
    },
    /// The row at length one.
    Normalize,
}

/// The value between modules, and the one a chain ends with.
const EMBEDDING_VALUE: &str = "sentence_embedding";
const SCORES_VALUE: &str = "scores";
const MAX_WIDTH: usize = 1 << 16;

impl ModuleChain {
    /// The chain of `modules.json`, for rows of `hidden_size` numbers, behind queries that begin with `prompt`; `None`
    /// where there is but a Transformer.
    ///
    /// # Errors
    /// `config` or `weights` for files that are malformed or missing, `unsupported` for modules that are not read.
    pub(in crate::checkpoint) fn read(
        files: &ModelFiles,
        cross_encoder: &CrossEncoderFiles,
        tokenizer_config: &Object,
        hidden_size: usize,
        prompt: &str,
    ) -> Result<Option<Self>> {
        let Some((entries, transformer)) = &cross_encoder.modules else {
            chat_template::refuse(files, tokenizer_config)?;
            return Ok(None);
        };
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
        let pooling = read_pooling(&ModuleFolder::read(files, pooling)?, prompt)?;
        let mut width = hidden_size;
        let mut modules = Vec::new();
        // It does nothing but in training.
        let rest: Vec<_> = rest.iter().filter(|entry| entry.kind() != "Dropout").collect();
        for (index, entry) in rest.iter().enumerate() {
            let module = Module::read(files, entry, index + 1 == rest.len())?;
            width = module.output_width(width, &entry.path)?;
            modules.push(module);
        }
        match modules.last() {
            Some(Module::Dense { .. }) => Ok(Some(Self { pooling, modules, num_labels: width })),
            _ => Err(unsupported("modules.json does not end with a Dense module, which gives the scores")),
        }
    }
}

/// The mode by its name, or by the flags that older files have.
fn read_pooling(folder: &ModuleFolder, prompt: &str) -> Result<Pooling> {
    let json = &folder.json;
    if json.bool("include_prompt")? == Some(false) && !prompt.is_empty() {
        return Err(unsupported(format!(
            "{}/config.json: include_prompt is false, and there is a prompt to leave out",
            folder.path
        )));
    }
    if json.get("pooling_mode").is_none() {
        let mut pooling = None;
        for (flag, mode) in LEGACY_POOLING_FLAGS {
            if json.bool(flag)? == Some(true) && pooling.replace(mode).is_some() {
                return Err(unsupported(format!("{}/config.json names several poolings", folder.path)));
            }
        }
        return pooling_mode(folder, pooling.unwrap_or("mean"));
    }
    match json.strings("pooling_mode") {
        Ok(Some(modes)) if modes.len() == 1 => pooling_mode(folder, modes[0]),
        Ok(_) => Err(unsupported(format!("{}/config.json names several poolings", folder.path))),
        Err(_) => pooling_mode(folder, json.string("pooling_mode")?.unwrap_or("mean")),
    }
}

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
        _ => Err(unsupported(format!("{}/config.json: the pooling {mode:?}", folder.path))),
    }
}

impl Module {
    fn read(files: &ModelFiles, entry: &ModuleEntry, last: bool) -> Result<Self> {
        match entry.kind() {
            "Dense" => Self::dense(&ModuleFolder::read(files, entry)?, last),
            "LayerNorm" => {
                let folder = ModuleFolder::read(files, entry)?;
                let width = folder.json.count("dimension", 0, 1, MAX_WIDTH)?;
                Ok(Module::LayerNorm { width, weights: folder.weights()? })
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
        folder.json.require("module_input_name", EMBEDDING_VALUE)?;
        // Without a name, what comes out takes the place of what came in.
        let output = if last { SCORES_VALUE } else { EMBEDDING_VALUE };
        folder.json.require("module_output_name", output)?;
        if last && folder.json.get("module_output_name").is_none() {
            return Err(unsupported(format!(
                "{}/config.json: its output is not called {SCORES_VALUE:?}",
                folder.path
            )));
        }
        Ok(Module::Dense {
            in_features: folder.json.count("in_features", 0, 1, MAX_WIDTH)?,
            out_features: folder.json.count("out_features", 0, 1, MAX_WIDTH)?,
            bias: folder.json.bool("bias")?.unwrap_or(true),
            activation: activation(folder)?,
            residual: folder.json.bool("use_residual")?.unwrap_or(false),
            weights: folder.weights()?,
        })
    }

    /// Numbers in the module.
    pub(crate) fn parameters(&self) -> usize {
        match self {
            Module::Dense { in_features, out_features, bias, residual, .. } => {
                let projected = *residual && in_features != out_features;
                ((1 + usize::from(projected)) * in_features + usize::from(*bias)) * out_features
            }
            Module::LayerNorm { width, .. } => 2 * width,
            Module::Normalize => 0,
        }
    }

    /// The width of what goes out, where `width` comes in.
    fn output_width(&self, width: usize, path: &str) -> Result<usize> {
        let (wanted, out) = match self {
            Module::Dense { in_features, out_features, .. } => (*in_features, *out_features),
            Module::LayerNorm { width, .. } => (*width, *width),
            Module::Normalize => (width, width),
        };
        if wanted != width {
            return Err(config(format!(
                "{path}/config.json: it takes {wanted} numbers and is given {width}"
            )));
        }
        Ok(out)
    }
}

/// The function behind a dense layer: a class of torch, and its tanh where none is named.
fn activation(folder: &ModuleFolder) -> Result<ScoreActivation> {
    let path = folder.json.string("activation_function")?.unwrap_or("torch.nn.modules.activation.Tanh");
    ScoreActivation::from_torch(path)
        .ok_or_else(|| unsupported(format!("{}/config.json: the activation_function {path:?}", folder.path)))
}
