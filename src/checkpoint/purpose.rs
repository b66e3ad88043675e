//! The purpose of a checkpoint, which explains a missing score head.

use super::json::Object;
use super::sbert::parse_modules;
use super::{ModelConfig, ModelFiles, is_classifier};
use crate::error::{Error, ErrorKind, Result, unsupported};

/// The purpose of a checkpoint, as its files declare it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// A classifier, such as a cross-encoder, or unknown.
    Classifier,
    /// Embeddings of single texts: the modules of sentence-transformers end with a pooling.
    Embedding,
    /// Embeddings of every token, as a ColBERT has them.
    TokenEmbeddings,
    /// The class in `architectures`, which is no classifier.
    Other(String),
}

impl Purpose {
    /// Reads `architectures` and, unless it is the list of a cross-encoder, `modules.json`.
    ///
    /// # Errors
    /// `config` for `architectures` that are not a list of strings.
    pub(super) fn read(files: &ModelFiles, config: &Object, is_cross_encoder: bool) -> Result<Self> {
        let names = config.strings("architectures")?.unwrap_or_default();
        if is_classifier(config)? {
            return Ok(Self::Classifier);
        }
        Ok(match names.first() {
            _ if !is_cross_encoder && has_module(files, |kind| kind.starts_with("pylate.")) => {
                Self::TokenEmbeddings
            }
            _ if !is_cross_encoder && has_module(files, |kind| kind.ends_with(".Pooling")) => Self::Embedding,
            Some(name) => Self::Other((*name).to_owned()),
            None => Self::Classifier,
        })
    }

    /// Returns the error for a checkpoint without the tensor `missing` of its head; `None` for a classifier, whose
    /// weights are incomplete.
    pub(crate) fn explain_missing_head(&self, missing: &str) -> Option<Error> {
        let (kind, advice) = match self {
            Self::Classifier => return None,
            Self::Embedding => return Some(embedding_model()),
            Self::TokenEmbeddings => return Some(token_embedding_model()),
            Self::Other(name) if name.ends_with("ForMaskedLM") || name.ends_with("ForPreTraining") => {
                (format!("a masked language model ({name})"), "fine-tune it as a cross-encoder first")
            }
            Self::Other(name) if name.ends_with("Model") => (
                format!("an encoder without a classifier ({name}), such as an embedding model"),
                "fine-tune it first",
            ),
            Self::Other(name) => (format!("a model for another task ({name})"), "fine-tune it first"),
        };
        Some(unsupported(format!(
            "this is {kind}, not a cross-encoder: the weights have no {missing}, which gives the scores of pairs; \
             {advice}, or load a reranker, such as {EXAMPLE}"
        )))
    }

    /// Replaces the error of an unsupported architecture if the checkpoint is no reranker in any case.
    pub(super) fn explain(&self, error: Error) -> Error {
        match self {
            Self::Embedding if error.kind() == ErrorKind::Unsupported => embedding_model(),
            Self::TokenEmbeddings if error.kind() == ErrorKind::Unsupported => token_embedding_model(),
            _ => error,
        }
    }

    /// Rejects a decoder that was made for embeddings, or whose head is unknown. It has a vocabulary, so no tensor of a
    /// head would be missing. `has_head` says that `architectures` or the modules of a cross-encoder name the head.
    ///
    /// # Errors
    /// `unsupported` for such a decoder.
    pub(super) fn check_decoder(&self, config: &ModelConfig, has_head: bool) -> Result<()> {
        match self {
            _ if config.decoder.is_none() => Ok(()),
            Self::Embedding => Err(embedding_model()),
            Self::TokenEmbeddings => Err(token_embedding_model()),
            _ if has_head => Ok(()),
            _ => Err(unsupported(format!(
                "config.json has no architectures, so the head of this decoder is unknown: add the class that the model \
                 was published with, such as {}, to a copy",
                config.architecture
            ))),
        }
    }
}

/// A reranker that is read, for messages.
const EXAMPLE: &str = "cross-encoder/ms-marco-MiniLM-L6-v2";

fn embedding_model() -> Error {
    unsupported(format!(
        "this is an embedding model, not a cross-encoder: its modules.json ends with the embedding of one text, and no \
         layer gives the scores of pairs; load a reranker, such as {EXAMPLE}, or use this model with an embedding \
         library"
    ))
}

fn token_embedding_model() -> Error {
    unsupported(format!(
        "this is a ColBERT, not a cross-encoder: it compares the tokens of query and document after it has read each \
         alone; load a reranker, such as {EXAMPLE}, or use this model with PyLate"
    ))
}

/// Returns whether `modules.json` lists a module whose class is one of a kind.
fn has_module(files: &ModelFiles, is_kind: impl Fn(&str) -> bool) -> bool {
    let modules = files.get("modules.json").and_then(|bytes| parse_modules(bytes).ok());
    modules.unwrap_or_default().iter().any(|module| is_kind(module.class()))
}
