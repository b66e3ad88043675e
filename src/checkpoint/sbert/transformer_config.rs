//! `sentence_bert_config.json`: how sentence-transformers runs the model that it wraps (6.2, its module `Transformer`).

use serde_json::Value;

use crate::checkpoint::ModelFiles;
use crate::checkpoint::json::Object;
use crate::error::{ErrorKind, Result, unsupported};

const FILE: &str = "sentence_bert_config.json";

/// The module's configuration. What it may say beyond what is read here has been refused.
#[derive(Debug)]
pub(in crate::checkpoint) struct TransformerConfig {
    json: Object,
}

/// What a model is wrapped for.
#[derive(Debug)]
pub(in crate::checkpoint) struct Task {
    /// `transformer_task`.
    name: &'static str,
    /// The field of transformers' output that is taken: `method_output_name`.
    field: &'static str,
    /// What it is called for the modules behind: `module_output_name`.
    output: &'static str,
}

/// A row for each token, for a pooling.
pub(in crate::checkpoint) const FEATURE_EXTRACTION: Task =
    Task { name: "feature-extraction", field: "last_hidden_state", output: "token_embeddings" };
/// Logits, of a model that has a layer for them.
pub(in crate::checkpoint) const SEQUENCE_CLASSIFICATION: Task =
    Task { name: "sequence-classification", field: "logits", output: "scores" };
/// A logit for each word.
#[cfg(feature = "decoder")]
pub(in crate::checkpoint) const TEXT_GENERATION: Task =
    Task { name: "text-generation", field: "logits", output: "causal_logits" };

/// What is read, and what changes no score of a pair: `unpad_inputs` is for speed, and the lengths and the expansion are
/// for single texts.
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
/// Not taken from a file.
const IGNORED_LOADER_OPTIONS: [&str; 5] =
    ["trust_remote_code", "token", "cache_dir", "revision", "local_files_only"];
/// In which numbers a model is computed, and by which of several functions that give the same.
const MODEL_OPTIONS: [&str; 3] = ["attn_implementation", "dtype", "torch_dtype"];
/// Which of two tokenizers that give the same is made, and on which side it pads.
const TOKENIZER_OPTIONS: [&str; 3] = ["model_max_length", "padding_side", "use_fast"];

impl TransformerConfig {
    /// Reads the file; none is one that says nothing. (The library knows it by older names too, from before a
    /// `CrossEncoder` had modules.)
    ///
    /// # Errors
    /// `config` for a malformed file, `unsupported` for an option that is not read.
    pub(in crate::checkpoint) fn read(files: &ModelFiles) -> Result<Self> {
        let json = Object::parse(ErrorKind::Config, FILE, files.get(FILE).unwrap_or(b"{}"))?;
        json.reject_other_fields(&FIELDS)?;
        let module = Self { json };
        // The old names win where both are there.
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

    /// What `processing_kwargs` says of an input, or of all (`common`).
    pub(in crate::checkpoint) fn processing(&self) -> Result<Option<Object>> {
        self.json.object("processing_kwargs")
    }

    pub(in crate::checkpoint) fn modality(&self, name: &str) -> Result<Option<Object>> {
        Ok(self.json.object("modality_config")?.map(|all| all.object(name)).transpose()?.flatten())
    }

    /// Refuses a module that gives something else than `task` does, or that takes pairs otherwise than as `modality`.
    ///
    /// # Errors
    /// `unsupported`, naming the field.
    pub(in crate::checkpoint) fn check(&self, task: &Task, modality: &str) -> Result<()> {
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
                "{FILE}: method_output_name of {modality:?}; here it has to be {:?}",
                task.field
            ))),
            _ => taken.require("method_output_name", task.field),
        }
    }

    /// Refuses what an encoder does not do with texts.
    ///
    /// # Errors
    /// `unsupported`, naming the field.
    pub(in crate::checkpoint) fn check_texts(&self) -> Result<()> {
        if self.modality("message")?.is_some() {
            return Err(unsupported(format!(
                "{FILE}: modality_config has \"message\", a chat, which encoders are not asked in here"
            )));
        }
        let Some(processing) = self.processing()? else { return Ok(()) };
        for kind in ["text", "common"] {
            let Some(options) = processing.object(kind)? else { continue };
            options.reject_other_fields(&["max_length", "padding", "truncation", "return_tensors"])?;
            let longest_first = |value: &Value| value == true || value == "longest_first";
            if !options.get("truncation").is_none_or(longest_first) {
                return Err(unsupported(format!(
                    "{FILE}: processing_kwargs: {kind}: truncation; here it has to be \"longest_first\""
                )));
            }
        }
        Ok(())
    }

    /// The longest pair in tokens, if the module says: it counts more than what the tokenizer's files say, and
    /// `max_position_embeddings` does not bound it.
    ///
    /// # Errors
    /// `config` for what is no length.
    pub(in crate::checkpoint) fn max_length(&self) -> Result<Option<usize>> {
        let processing = self.processing()?;
        for kind in ["common", "text"] {
            let Some(options) = processing.as_ref().map(|all| all.object(kind)).transpose()?.flatten() else {
                continue;
            };
            if let Some(length) = options.token_count("max_length")? {
                return Ok(Some(length));
            }
        }
        match self.either("tokenizer_args", "processor_kwargs")? {
            Some(options) if options.get("model_max_length").is_some() => {
                options.token_count("model_max_length")
            }
            _ => self.json.token_count("max_seq_length"),
        }
    }

    /// Whether texts are lower-cased before all else.
    ///
    /// # Errors
    /// `config` for what is neither true nor false.
    pub(in crate::checkpoint) fn lower_case(&self) -> Result<bool> {
        Ok(self.json.bool("do_lower_case")?.unwrap_or(false))
    }
}
