//! `sentence_bert_config.json`: how the module `Transformer` of sentence-transformers 6.2 runs its model.

use serde_json::Value;

use crate::checkpoint::ModelFiles;
use crate::checkpoint::json::Object;
use crate::error::{ErrorKind, Result, unsupported};

const FILE: &str = "sentence_bert_config.json";

/// The configuration of the module `Transformer`. Unsupported options have been rejected.
#[derive(Debug)]
pub(crate) struct TransformerConfig {
    json: Object,
}

/// A task of the module `Transformer`.
#[derive(Debug)]
pub(crate) struct Task {
    /// `transformer_task`.
    name: &'static str,
    /// The field of transformers' output that the module uses, `method_output_name`.
    field: &'static str,
    /// The name of the module's output for the next module, `module_output_name`.
    output: &'static str,
}

/// One row per token, for a pooling.
pub(crate) const FEATURE_EXTRACTION: Task =
    Task { name: "feature-extraction", field: "last_hidden_state", output: "token_embeddings" };
/// Logits of a model with a classifier.
pub(crate) const SEQUENCE_CLASSIFICATION: Task =
    Task { name: "sequence-classification", field: "logits", output: "scores" };
/// Logits of the vocabulary.
#[cfg(feature = "decoder")]
pub(crate) const TEXT_GENERATION: Task =
    Task { name: "text-generation", field: "logits", output: "causal_logits" };

/// The known fields. Some are ignored, because they cannot change the score of a pair: `unpad_inputs` only affects
/// speed, and the lengths and the expansion apply to single texts.
const FIELDS: [&str; 16] = [
    "transformer_task",
    "modality_config",
    "module_output_name",
    "processing_kwargs",
    "max_seq_length",
    "do_lower_case",
    "model_kwargs",
    "model_args",
    "processor_kwargs",
    "tokenizer_args",
    "config_kwargs",
    "config_args",
    "unpad_inputs",
    "query_length",
    "document_length",
    "query_expansion",
];
/// Options that sentence-transformers does not take from the file.
const IGNORED_LOADER_OPTIONS: [&str; 5] =
    ["trust_remote_code", "token", "cache_dir", "revision", "local_files_only"];
/// Options that select the number format or one of several equivalent implementations.
const MODEL_OPTIONS: [&str; 3] = ["attn_implementation", "dtype", "torch_dtype"];
/// Options that select one of two equivalent tokenizers and the side of the padding.
const TOKENIZER_OPTIONS: [&str; 3] = ["model_max_length", "padding_side", "use_fast"];

impl TransformerConfig {
    /// Reads the file, or the defaults if it does not exist. (The library also reads it by older names, from the time
    /// before a `CrossEncoder` had modules.)
    ///
    /// # Errors
    /// `config` for a malformed file, `unsupported` for an unsupported option.
    pub(crate) fn read(files: &ModelFiles) -> Result<Self> {
        let json = Object::parse(ErrorKind::Config, FILE, files.get(FILE).unwrap_or(b"{}"))?;
        json.reject_other_fields(&FIELDS)?;
        let module = Self { json };
        // If both names exist, the old one counts.
        for (old, new, read) in [
            ("model_args", "model_kwargs", &MODEL_OPTIONS[..]),
            ("tokenizer_args", "processor_kwargs", &TOKENIZER_OPTIONS),
            ("config_args", "config_kwargs", &[]),
        ] {
            if let Some(options) = module.either(old, new)? {
                options.reject_other_fields(&[&IGNORED_LOADER_OPTIONS, read].concat())?;
            }
        }
        Ok(module)
    }

    fn either(&self, old: &str, new: &str) -> Result<Option<Object>> {
        self.json.object(if self.json.contains(old) { old } else { new })
    }

    /// Returns `processing_kwargs`: options by kind of input, and options of all kinds (`common`).
    pub(crate) fn processing(&self) -> Result<Option<Object>> {
        self.json.object("processing_kwargs")
    }

    pub(crate) fn modality(&self, name: &str) -> Result<Option<Object>> {
        Ok(self.json.object("modality_config")?.map(|all| all.object(name)).transpose()?.flatten())
    }

    /// Checks that the file names a task. Without one, the module gives rows of tokens, which no head of a decoder reads.
    ///
    /// # Errors
    /// `unsupported` otherwise.
    #[cfg(feature = "decoder")]
    pub(crate) fn check_has_task(&self) -> Result<()> {
        match self.json.get("transformer_task") {
            Some(_) => Ok(()),
            None => Err(unsupported(format!(
                "{FILE} has no transformer_task, which a decoder with modules needs: get the file of the published model"
            ))),
        }
    }

    /// Checks that the module performs `task` and reads pairs as `modality`.
    ///
    /// # Errors
    /// `unsupported`, naming the field.
    pub(crate) fn check(&self, task: &Task, modality: &str) -> Result<()> {
        self.json.require("transformer_task", task.name)?;
        self.json.require("module_output_name", task.output)?;
        if self.json.get("modality_config").is_none() {
            return Ok(());
        }
        let Some(taken) = self.modality(modality)? else {
            return Err(unsupported(format!("{FILE}: modality_config has no {modality:?}")));
        };
        taken.require("method", "forward")?;
        match taken.strings("method_output_name") {
            Ok(Some(path)) if path == [task.field] => Ok(()),
            Ok(Some(_)) => Err(unsupported(format!(
                "{FILE}: method_output_name of {modality:?}; this build supports {:?}",
                task.field
            ))),
            _ => taken.require("method_output_name", task.field),
        }
    }

    /// Rejects processing options that an encoder does not support.
    ///
    /// # Errors
    /// `unsupported`, naming the field.
    pub(crate) fn check_texts(&self) -> Result<()> {
        if self.modality("message")?.is_some() {
            return Err(unsupported(format!(
                "{FILE}: modality_config has \"message\", a chat, which is not supported for encoders"
            )));
        }
        self.check_text_options()
    }

    /// Rejects options of the tokenizer that may change the tokens of a pair.
    ///
    /// # Errors
    /// `unsupported`, naming the field.
    pub(crate) fn check_text_options(&self) -> Result<()> {
        let Some(processing) = self.processing()? else { return Ok(()) };
        for kind in ["text", "common"] {
            let Some(options) = processing.object(kind)? else { continue };
            options.reject_other_fields(&[
                "logits_to_keep",
                "max_length",
                "padding",
                "return_tensors",
                "truncation",
            ])?;
            let longest_first = |value: &Value| value == true || value == "longest_first";
            if !options.get("truncation").is_none_or(longest_first) {
                return Err(unsupported(format!(
                    "{FILE}: processing_kwargs: {kind}: truncation; this build supports \"longest_first\""
                )));
            }
        }
        Ok(())
    }

    /// Returns the length of the longest pair in tokens, if the module states it; an inner `None` is HF's value for "no
    /// limit". It overrides the tokenizer's files, and `max_position_embeddings` does not limit it.
    ///
    /// # Errors
    /// `config` for a value that is not a length.
    pub(crate) fn max_length(&self) -> Result<Option<Option<usize>>> {
        let processing = self.processing()?;
        for kind in ["common", "text"] {
            let Some(options) = processing.as_ref().map(|all| all.object(kind)).transpose()?.flatten() else {
                continue;
            };
            if options.get("max_length").is_some() {
                return options.token_count("max_length").map(Some);
            }
        }
        match self.either("tokenizer_args", "processor_kwargs")? {
            Some(options) if options.get("model_max_length").is_some() => {
                options.token_count("model_max_length").map(Some)
            }
            _ if self.json.get("max_seq_length").is_some() => {
                self.json.token_count("max_seq_length").map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Returns whether texts are lower-cased before everything else.
    ///
    /// # Errors
    /// `config` for a value that is neither true nor false.
    pub(crate) fn lower_case(&self) -> Result<bool> {
        Ok(self.json.bool("do_lower_case")?.unwrap_or(false))
    }
}
