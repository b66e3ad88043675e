//! The models that split words into tokens, and the pipeline around them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::{
    DecoderWrapper, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper, Token, TokenizerImpl,
};

use super::unigram::Unigram;
use super::word_piece::WordPieceModel;

/// A normalizer, a pre-tokenizer, a model and added tokens. It tokenizes single texts, without special tokens around
/// them.
pub(in crate::text) type Pipeline =
    TokenizerImpl<Model, NormalizerWrapper, PreTokenizerWrapper, PostProcessorWrapper, DecoderWrapper>;

#[derive(Debug)]
pub(in crate::text) enum Model {
    WordPiece(WordPieceModel),
    Bpe(BPE),
    Unigram(Unigram),
}

impl Model {
    /// Returns the approximate size of the model's tables in bytes. The bytes per token are measured with vocabularies
    /// of 30,000 tokens (WordPiece, which has two maps of strings) and 250,000 (Unigram), and estimated for BPE with
    /// its merges.
    pub(in crate::text) fn table_bytes(&self) -> usize {
        let bytes_per_token = match self {
            Self::WordPiece(_) => 155,
            Self::Bpe(_) => 200,
            Self::Unigram(_) => 33,
        };
        bytes_per_token * tokenizers::Model::get_vocab_size(self)
    }

    /// Returns the number of tokens with an id of at least `min_id`.
    pub(in crate::text) fn count_ids_from(&self, min_id: usize) -> usize {
        match self {
            Self::Unigram(model) => return model.len().saturating_sub(min_id),
            Self::WordPiece(model) if (model.max_id as usize) < min_id => return 0,
            Self::WordPiece(_) | Self::Bpe(_) => {}
        }
        // The library gives a vocabulary only as a copy, which takes much longer than asking for each id.
        let has_token = |id: &usize| tokenizers::Model::id_to_token(self, *id as u32).is_some();
        if (0..min_id).filter(has_token).count() == tokenizers::Model::get_vocab_size(self) {
            return 0;
        }
        tokenizers::Model::get_vocab(self).values().filter(|id| **id as usize >= min_id).count()
    }
}

impl tokenizers::Model for Model {
    type Trainer = BpeTrainer;

    fn tokenize(&self, sequence: &str) -> tokenizers::Result<Vec<Token>> {
        match self {
            Self::WordPiece(model) => model.library.tokenize(sequence),
            Self::Bpe(model) => model.tokenize(sequence),
            Self::Unigram(model) => Ok(model.tokenize(sequence)),
        }
    }

    fn token_to_id(&self, token: &str) -> Option<u32> {
        match self {
            Self::WordPiece(model) => model.library.token_to_id(token),
            Self::Bpe(model) => model.token_to_id(token),
            Self::Unigram(model) => model.token_to_id(token),
        }
    }

    fn id_to_token(&self, id: u32) -> Option<String> {
        match self {
            Self::WordPiece(model) => model.library.id_to_token(id),
            Self::Bpe(model) => model.id_to_token(id),
            Self::Unigram(model) => model.id_to_token(id).map(str::to_owned),
        }
    }

    fn get_vocab(&self) -> HashMap<String, u32> {
        match self {
            Self::WordPiece(model) => model.library.get_vocab(),
            Self::Bpe(model) => model.get_vocab(),
            Self::Unigram(model) => (0..model.len() as u32)
                .filter_map(|id| model.id_to_token(id).map(|token| (token.to_owned(), id)))
                .collect(),
        }
    }

    fn get_vocab_size(&self) -> usize {
        match self {
            Self::WordPiece(model) => model.library.get_vocab_size(),
            Self::Bpe(model) => model.get_vocab_size(),
            Self::Unigram(model) => model.len(),
        }
    }

    /// Fails: the trait requires it, but models are only read.
    fn save(&self, _: &Path, _: Option<&str>) -> tokenizers::Result<Vec<PathBuf>> {
        Err("this model cannot be saved".into())
    }

    /// Returns an unused trainer, because the trait requires one.
    fn get_trainer(&self) -> BpeTrainer {
        BpeTrainer::default()
    }
}
