//! A loaded model as scoring runs and collections use it: text to tokens, tokens to logits, logits to scores.

use std::ops::Range;
use std::sync::OnceLock;

#[cfg(any(test, target_arch = "wasm32"))]
use crate::checkpoint::Golden;
use crate::checkpoint::{ModelActivation, ScoreFunction};
use crate::engine::{Engine, Submission};
use crate::error::{Error, ErrorItem, ItemKind, Result, internal, unsupported};
use crate::info::Info;
use crate::model::{self, Head};
use crate::options::{DocumentOptions, LongDocuments};
use crate::score_cache::ScoreCache;
use crate::text::{
    Batch, Chunks, EncodedDocument, EncodedText, PairTokenizer, PairTokens, PairVariants, VariantContent,
};

/// A tokenizer, an engine and a head that belong together.
#[derive(Debug)]
pub(super) struct Session {
    /// Unique in this process; a [`Collection`](super::Collection) belongs to one session.
    pub(super) id: usize,
    /// Text before every query; for a decoder, its default instruction.
    pub(super) prompt: String,
    /// Whether the tokens of the prompt are left out of the pooling.
    pub(super) excludes_prompt: bool,
    pub(super) tokenizer: PairTokenizer,
    /// Maximum tokens of a pair, special ones included.
    pub(super) max_length: usize,
    pub(super) engine: Engine,
    /// The CPU engine that takes over if a GPU that `auto` has chosen fails.
    pub(super) fallback: Option<Fallback>,
    pub(super) head: Head,
    /// The activation of the checkpoint. A call may choose another one by [`Scores`].
    pub(super) activation: ModelActivation,
    /// The scores of earlier calls.
    pub(super) cache: Option<ScoreCache>,
    pub(super) info: Info,
    /// The pairs to verify the engine with, if it computes only a stage of the Plan and could not be verified at load.
    #[cfg(any(test, target_arch = "wasm32"))]
    pub(super) unverified: Option<Golden>,
}

/// The CPU engine that can replace a GPU engine.
#[derive(Debug)]
pub(super) struct Fallback {
    pub(super) engine: Engine,
    /// Set when the GPU has failed; from then on this engine computes.
    pub(super) info: OnceLock<Info>,
}

impl Session {
    /// Describes the model and the engine that computes now.
    pub(super) fn info(&self) -> &Info {
        self.active_fallback().map_or(&self.info, |(_, info)| info)
    }

    /// The fallback engine, if it has taken over.
    fn active_fallback(&self) -> Option<(&Engine, &Info)> {
        let fallback = self.fallback.as_ref()?;
        Some((&fallback.engine, fallback.info.get()?))
    }

    /// The engine that computes now.
    pub(super) fn engine(&self) -> &Engine {
        self.active_fallback().map_or(&self.engine, |(engine, _)| engine)
    }

    /// Whether the fallback engine has taken over.
    pub(super) fn has_fallen_back(&self) -> bool {
        self.active_fallback().is_some()
    }

    /// Switches from a failed GPU to the fallback engine; returns whether this call did so.
    ///
    /// Runs that have begun must begin again: scores of two engines are never mixed.
    pub(super) fn fall_back(&self, error: &Error) -> bool {
        let Some(fallback) = self.fallback.as_ref().filter(|fallback| fallback.info.get().is_none()) else {
            return false;
        };
        let mut info = self.info.clone();
        info.backend.device = fallback.engine.device();
        info.backend.engine = fallback.engine.name();
        info.backend.adapter = None;
        info.backend.kernels = None;
        info.backend.reason = format!("the GPU failed: {}", error.context());
        // A concurrent run may have set it in the meantime.
        fallback.info.set(info).is_ok()
    }

    /// Checks that the model takes an instruction, if there is one. Every model takes a prompt, unless its own is left out
    /// of the pooling.
    ///
    /// # Errors
    /// `unsupported` for an instruction or a prompt to a model that does not take it.
    pub(super) fn check_instruction(&self, instruction: Option<&str>, is_prompt: bool) -> Result<()> {
        match instruction {
            Some(prompt) if is_prompt && self.excludes_prompt && prompt != self.prompt => Err(unsupported(
                "this model leaves its prompt out of the pooling, so it takes no other prompt",
            )),
            Some(_) if !is_prompt && !self.tokenizer.takes_instruction() => {
                Err(unsupported("this model takes no instruction: put it into the query"))
            }
            _ => Ok(()),
        }
    }

    /// Tokenizes a query after the prompt. An instruction, or another prompt, replaces it;
    /// [`check_instruction`](Self::check_instruction) has rejected those that the model does not take.
    pub(super) fn encode_query<'a>(
        &self,
        query: &'a str,
        instruction: Option<&str>,
    ) -> Result<EncodedText<'a>> {
        self.tokenizer.encode_query(query, self.max_length, instruction.unwrap_or(&self.prompt))
    }

    /// Tokenizes a document.
    pub(super) fn encode_document<'a>(
        &self,
        text: &'a str,
        options: DocumentOptions,
    ) -> Result<EncodedDocument<'a>> {
        let max_tokens = options.max_tokens_per_document;
        Ok(match options.long_documents {
            LongDocuments::Truncate => {
                EncodedDocument::Truncated(self.tokenizer.encode(text, self.max_length, max_tokens)?)
            }
            LongDocuments::Chunk => {
                EncodedDocument::Chunked(self.tokenizer.encode_chunks(text, max_tokens, options.unit)?)
            }
        })
    }

    /// The chunk of a document that follows the chunk at `last`, for a pair with `query`.
    pub(super) fn next_chunk(
        &self,
        chunks: &Chunks,
        last: Option<&Range<usize>>,
        query: &EncodedText,
    ) -> Option<Range<usize>> {
        chunks.next(last, self.tokenizer.max_chunk_tokens(query, self.max_length))
    }

    /// Adds the pair of a query and a chunk to a batch.
    pub(super) fn push_chunk(&self, batch: &mut Batch, query: &EncodedText, chunk: &[u32]) -> Result<()> {
        self.tokenizer.push_chunk(batch, query, chunk, self.max_length)
    }

    /// Adds the pair of a query and a document to a batch.
    pub(super) fn push_pair(
        &self,
        batch: &mut Batch,
        query: &EncodedText,
        document: &EncodedText,
    ) -> Result<()> {
        self.tokenizer.push(batch, query, document, self.max_length)
    }

    /// Returns the tokens of a pair that the model reads; `None` if it reads pairs in a prompt.
    ///
    /// # Errors
    /// `tokenizer` if the tokenizer fails.
    pub(super) fn pair_tokens(
        &self,
        query: &str,
        document: &str,
        options: DocumentOptions,
        instruction: Option<&str>,
    ) -> Result<Option<PairTokens>> {
        self.check_instruction(instruction, false)?;
        if self.tokenizer.has_prompt() {
            return Ok(None);
        }
        let prefix = instruction.unwrap_or(&self.prompt);
        let (limit, max_tokens) = (self.max_length, options.max_tokens_per_document);
        Ok(Some(match options.long_documents {
            LongDocuments::Truncate => {
                self.tokenizer.truncated_pair(query, prefix, document, limit, max_tokens)
            }
            LongDocuments::Chunk => self.tokenizer.chunked_pair(query, prefix, document, limit, max_tokens),
        }?))
    }

    /// Returns the end of what a model that reads pairs in a prompt reads of a document, in bytes. The document has at most
    /// `max_tokens` tokens, if given.
    pub(super) fn document_end(
        &self,
        query: &str,
        document: &str,
        max_tokens: Option<usize>,
        instruction: Option<&str>,
    ) -> Result<usize> {
        let query = self.encode_query(query, instruction)?;
        self.tokenizer.prompted_document_end(&query, document, self.max_length, max_tokens)
    }

    /// Adds a variant of a pair to a batch.
    ///
    /// # Errors
    /// `input` for a number past the end; `tokenizer` if the tokenizer fails.
    pub(super) fn push_variant(
        &self,
        batch: &mut Batch,
        variants: &PairVariants,
        variant: usize,
        instruction: Option<&str>,
    ) -> Result<()> {
        match variants.content(variant)? {
            VariantContent::Tokens([query, document]) => self.tokenizer.push_tokens(batch, &query, &document),
            VariantContent::Texts([query, document]) => {
                let query = self.encode_query(&query, instruction)?;
                self.push_pair(batch, &query, &self.tokenizer.encode(document, self.max_length, None)?)
            }
        }
    }

    /// Makes a batch of pairs, cut to the maximum length of the model.
    pub(super) fn batch_of(&self, pairs: &[(&str, &str)]) -> Result<Batch> {
        let mut batch = Batch::default();
        let length = self.tokenizer.model_max_length();
        for (query, document) in pairs {
            let query = self.tokenizer.encode_query(query, length, &self.prompt)?;
            let document = self.tokenizer.encode(*document, length, None)?;
            self.tokenizer.push(&mut batch, &query, &document, length)?;
        }
        Ok(batch)
    }

    /// Hands a batch to the engine.
    pub(super) fn submit(&self, batch: &Batch) -> Submission {
        self.engine().submit(batch)
    }

    /// Waits for a submitted batch and returns its scores, `[pairs, num_labels]`.
    pub(super) async fn score_batch(
        &self,
        batch: &Batch,
        submission: Submission,
        function: ScoreFunction,
    ) -> Result<Vec<f32>> {
        let pooled = self.engine().finish(batch, submission).await?;
        Ok(self.scores(self.head_logits(&pooled, batch)?, function))
    }

    /// Turns logits into scores, `[pairs, num_labels]`.
    #[inline(never)]
    pub(super) fn scores(&self, mut logits: Vec<f32>, function: ScoreFunction) -> Vec<f32> {
        logits
            .chunks_exact_mut(self.head.num_labels())
            .for_each(|pair| model::apply_score_function(function, pair));
        logits
    }

    /// Raw logits of a batch on one of the engines, `[pairs, num_labels]`.
    pub(super) async fn logits(&self, engine: &Engine, batch: &Batch) -> Result<Vec<f32>> {
        self.head_logits(&engine.run(batch).await?, batch)
    }

    /// Logits of the pooled rows of a batch. The item of an error is the row in the batch.
    fn head_logits(&self, pooled: &[f32], batch: &Batch) -> Result<Vec<f32>> {
        let logits = self.head.logits(pooled, pooled.len() / batch.pairs().max(1));
        self.check_logits(&logits)?;
        Ok(logits)
    }

    /// Checks that all logits of a batch are finite. The item of an error is the row in the batch.
    #[inline(never)]
    pub(super) fn check_logits(&self, logits: &[f32]) -> Result<()> {
        if let Some(index) = logits.iter().position(|logit| !logit.is_finite()) {
            let row = index / self.head.num_labels();
            let error =
                internal(format!("the logit is {}, so this model cannot score this input", logits[index]));
            return Err(error.about(ErrorItem { kind: ItemKind::Pair, range: row..row + 1 }));
        }
        Ok(())
    }
}
