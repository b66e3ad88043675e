//! The models that cut words into tokens, and the tokenizer made of one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::{
    DecoderWrapper, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper, Token, TokenizerImpl,
};

use super::unigram::Unigram;

/// A normaliser, a pre-tokenizer, a model and added tokens. It puts no pairs together.
pub(in crate::text) type Pipeline =
    TokenizerImpl<Model, NormalizerWrapper, PreTokenizerWrapper, PostProcessorWrapper, DecoderWrapper>;

#[derive(Debug)]
pub(in crate::text) enum Model {
    WordPiece(WordPiece),
    Bpe(BPE),
    Unigram(Unigram),
}

impl Model {
    /// About how many bytes the tables hold, by the piece: what the allocator counted for a vocabulary of 30,000
    /// (WordPiece, with its two maps of strings) and of 250,000 pieces (Unigram); for BPE, with its merges, an estimate.
    pub(in crate::text) fn table_bytes(&self) -> usize {
        let bytes_per_token = match self {
            Self::WordPiece(_) => 155,
            Self::Bpe(_) => 200,
            Self::Unigram(_) => 33,
        };
        bytes_per_token * tokenizers::Model::get_vocab_size(self)
    }

    /// How many tokens have ids from `min_id` on.
    pub(in crate::text) fn count_ids_from(&self, min_id: usize) -> usize {
        let count = |vocab: HashMap<String, u32>| vocab.values().filter(|id| **id as usize >= min_id).count();
        match self {
            Self::WordPiece(model) => count(tokenizers::Model::get_vocab(model)),
            Self::Bpe(model) => count(model.get_vocab()),
            Self::Unigram(model) => model.len().saturating_sub(min_id),
        }
    }
}

impl tokenizers::Model for Model {
    type Trainer = BpeTrainer;

    fn tokenize(&self, sequence: &str) -> tokenizers::Result<Vec<Token>> {
        match self {
            Self::WordPiece(model) => model.tokenize(sequence),
            Self::Bpe(model) => model.tokenize(sequence),
            Self::Unigram(model) => Ok(model.tokenize(sequence)),
        }
    }

    fn token_to_id(&self, token: &str) -> Option<u32> {
        match self {
            Self::WordPiece(model) => model.token_to_id(token),
            Self::Bpe(model) => model.token_to_id(token),
            Self::Unigram(model) => model.token_to_id(token),
        }
    }

    fn id_to_token(&self, id: u32) -> Option<String> {
        match self {
            Self::WordPiece(model) => model.id_to_token(id),
            Self::Bpe(model) => model.id_to_token(id),
            Self::Unigram(model) => model.id_to_token(id).map(str::to_owned),
        }
    }

    fn get_vocab(&self) -> HashMap<String, u32> {
        match self {
            Self::WordPiece(model) => model.get_vocab(),
            Self::Bpe(model) => model.get_vocab(),
            Self::Unigram(model) => (0..model.len() as u32)
                .filter_map(|id| model.id_to_token(id).map(|token| (token.to_owned(), id)))
                .collect(),
        }
    }

    fn get_vocab_size(&self) -> usize {
        match self {
            Self::WordPiece(model) => model.get_vocab_size(),
            Self::Bpe(model) => model.get_vocab_size(),
            Self::Unigram(model) => model.len(),
        }
    }

    /// The trait asks for it; nothing here is ever saved.
    fn save(&self, _: &Path, _: Option<&str>) -> tokenizers::Result<Vec<PathBuf>> {
        Err("a model that is only read".into())
    }

    /// The trait asks for it; nothing here is ever trained.
    fn get_trainer(&self) -> BpeTrainer {
        BpeTrainer::default()
    }
}
