//! Pairs of texts to packed batches, with the token ids that HF's tokenizers give.

use std::borrow::Cow;
use std::sync::OnceLock;

use super::hf::HfTokenizer;
use super::pair_format::PairFormat;
use super::pair_template::PairTemplate;
#[cfg(feature = "decoder")]
use super::prompt::{PairPrompt, PromptedPairs};
use super::text_encoder::TextEncoder;
use super::truncation::longest_first;
use super::{Batch, Chunks, EncodedText, OffsetUnit};
#[cfg(feature = "decoder")]
use crate::checkpoint::PromptConfig;
use crate::checkpoint::{ModelLimits, TokenizerConfig};
use crate::error::{Result, config, input};

/// Turns pairs into packed batches.
#[derive(Debug)]
pub struct PairTokenizer {
    pub(super) encoder: TextEncoder,
    format: PairFormat,
    model_max_length: usize,
    /// Tokens at the start of each pair that are not pooled.
    unpooled_tokens: usize,
}

impl PairTokenizer {
    /// Reads `tokenizer.json`. Like HF, ignores its truncation and padding sections, except for the truncation side.
    ///
    /// # Errors
    /// `tokenizer` for a malformed file, `config` for token types that the model has no rows for or a maximum length
    /// that fits no pair, `unsupported` for a pair template that is not one query followed by one document, or for a
    /// component outside the supported ones.
    pub fn read(json: &[u8], files: &TokenizerConfig, limits: ModelLimits) -> Result<Self> {
        let HfTokenizer { mut pipeline, pair_template, truncation_side } = HfTokenizer::read(json, files)?;
        pipeline.set_encode_special_tokens(files.split_special_tokens);
        let template =
            if files.uses_token_types { pair_template } else { pair_template.without_token_types() };
        template.check(limits, &pipeline)?;
        let model_max_length =
            files.model_max_length.unwrap_or(usize::MAX).min(limits.max_tokens.unwrap_or(usize::MAX));
        let encoder = TextEncoder::new(pipeline, truncation_side, limits.vocab_size);
        Self { encoder, format: PairFormat::Template(template), model_max_length, unpooled_tokens: 0 }
            .checked()
    }

    /// Writes pairs into the prompt of a decoder, if it has one. `instruction` is its default instruction.
    ///
    /// # Errors
    /// `unsupported` for a chat template outside the supported subset, `config` for a maximum length that fits no pair,
    /// `tokenizer` if tokenizing the prompt fails.
    #[cfg(feature = "decoder")]
    pub fn with_prompt(mut self, prompt_config: Option<&PromptConfig>, instruction: &str) -> Result<Self> {
        let read = |config| PairPrompt::read(config, instruction);
        let Some(prompt) = prompt_config.map(read).transpose()?.flatten() else {
            return Ok(self);
        };
        self.format = PairFormat::Prompt(PromptedPairs::new(prompt, &self.encoder)?);
        self.checked()
    }

    /// Leaves the prompt out of the pooling: the tokens that it has by itself, and those of the template before it.
    ///
    /// # Errors
    /// `tokenizer` if tokenizing the prompt fails, `config` for a prompt that leaves no room for text.
    pub(crate) fn without_pooling_prompt(mut self, prompt: &str) -> Result<Self> {
        self.unpooled_tokens =
            self.format.template()?.tokens_before_query() + self.encoder.ids(prompt)?.len();
        if self.unpooled_tokens >= self.model_max_length {
            return Err(config(format!(
                "the prompt has {} tokens, which leaves no room for text in {} tokens",
                self.unpooled_tokens, self.model_max_length
            )));
        }
        Ok(self)
    }

    /// Returns the number of tokens at the start of each pair that are not pooled.
    pub(crate) fn unpooled_tokens(&self) -> usize {
        self.unpooled_tokens
    }

    /// Checks that a pair of the maximum length has room for text.
    fn checked(self) -> Result<Self> {
        let special_tokens = self.format.special_tokens();
        if self.model_max_length <= special_tokens {
            return Err(config(format!(
                "a maximum length of {} tokens leaves no room for text next to {special_tokens} special tokens: \
                 check model_max_length in tokenizer_config.json",
                self.model_max_length
            )));
        }
        Ok(self)
    }

    /// Returns the approximate size of the tokenizer's tables in bytes.
    pub(crate) fn table_bytes(&self) -> usize {
        self.encoder.table_bytes()
    }

    /// Returns whether a token around the texts has this id.
    pub(crate) fn puts_token(&self, id: u32) -> bool {
        self.format.has_token(id)
    }

    /// Returns the maximum length of a pair in tokens, special tokens included.
    pub fn model_max_length(&self) -> usize {
        self.model_max_length
    }

    /// Checks a maximum length that a caller passes.
    ///
    /// # Errors
    /// `input` if the model cannot read pairs that long, or if no token of the texts would be left.
    pub(crate) fn check_max_length(&self, max_length: usize) -> Result<()> {
        let min_length = self.format.special_tokens() + 1;
        if (min_length..=self.model_max_length).contains(&max_length) {
            Ok(())
        } else {
            Err(input(format!(
                "a maximum length of {max_length} tokens; this model takes {min_length} to {}",
                self.model_max_length
            )))
        }
    }

    /// Returns the id of a token, spelled as in the vocabulary.
    #[cfg(feature = "decoder")]
    pub(crate) fn token_id(&self, token: &str) -> Option<u32> {
        self.encoder.token_id(token)
    }

    /// Returns the first token of a text.
    ///
    /// # Errors
    /// `tokenizer` if the tokenizer fails.
    #[cfg(feature = "decoder")]
    pub(crate) fn first_token(&self, text: &str) -> Result<Option<u32>> {
        Ok(self.encoder.ids(text)?.first().copied())
    }

    /// Returns the number of tokens whose ids have no row in the model's embedding table. Texts that contain one of
    /// them cannot be scored.
    pub fn tokens_beyond_vocabulary(&self) -> usize {
        self.encoder.tokens_beyond_vocabulary()
    }

    /// Returns whether pairs are written into a prompt with an instruction.
    pub(crate) fn takes_instruction(&self) -> bool {
        self.format.takes_instruction()
    }

    /// Tokenizes a query for pairs of at most `max_length` tokens. `prefix` is the instruction in a decoder's prompt;
    /// for other models it is prepended to the query.
    ///
    /// # Errors
    /// `tokenizer` if the tokenizer fails.
    pub fn encode_query<'a>(
        &self,
        query: &'a str,
        max_length: usize,
        prefix: &str,
    ) -> Result<EncodedText<'a>> {
        match &self.format {
            PairFormat::Template(_) if prefix.is_empty() => self.encode(query, max_length, None),
            PairFormat::Template(_) => self.encode(prefix.to_owned() + query, max_length, None),
            #[cfg(feature = "decoder")]
            PairFormat::Prompt(pairs) => Ok(pairs.encode_query(query, prefix)),
        }
    }

    /// Tokenizes one text, truncated to `max_tokens` if given, for pairs of at most `max_length` tokens. For a prompt, it cuts off
    /// what follows the tokens that the text has by itself.
    ///
    /// # Errors
    /// `tokenizer` if the tokenizer fails.
    pub fn encode<'a>(
        &self,
        text: impl Into<Cow<'a, str>>,
        max_length: usize,
        max_tokens: Option<usize>,
    ) -> Result<EncodedText<'a>> {
        let text = text.into();
        #[cfg(feature = "decoder")]
        if let PairFormat::Prompt(_) = self.format {
            return Ok(EncodedText::deferred(match (max_tokens, text) {
                (None, text) => text,
                (Some(max), Cow::Borrowed(text)) => text[..self.encoder.tokens_end(text, max)?].into(),
                (Some(max), Cow::Owned(text)) => {
                    text[..self.encoder.tokens_end(&text, max)?].to_owned().into()
                }
            }));
        }
        // One more than a pair can hold, to tell "just fits" from "too long".
        let limit = self.max_text_tokens(max_length) + 1;
        let max_tokens = max_tokens.unwrap_or(usize::MAX);
        let (mut ids, mut is_complete) =
            self.encoder.ids_up_to(&text, limit.min(max_tokens.saturating_add(1)))?;
        if max_tokens < ids.len() {
            ids = self.encoder.truncate(&ids, max_tokens).to_vec();
            is_complete = true;
        }
        Ok(EncodedText { text, ids, is_complete, max_tokens, full_length: OnceLock::new() })
    }

    /// Tokenizes a whole document, truncated to `max_tokens` if given, to be scored chunk by chunk.
    ///
    /// # Errors
    /// `input` for a text of 4 GB or more, `tokenizer` if the tokenizer fails, `unsupported` if pairs are written into
    /// a prompt.
    pub(crate) fn encode_chunks(
        &self,
        text: &str,
        max_tokens: Option<usize>,
        unit: OffsetUnit,
    ) -> Result<Chunks> {
        self.format.template()?;
        if u32::try_from(text.len()).is_err() {
            return Err(input(format!(
                "a document of {} bytes is too long to be scored in chunks: the limit is 4 GB",
                text.len()
            )));
        }
        let max_tokens = max_tokens.unwrap_or(usize::MAX);
        let encoding = self.encoder.encode_up_to(text, max_tokens)?;
        let tokens = self.encoder.truncation_range(encoding.get_ids().len(), max_tokens);
        Ok(Chunks::new(text, &encoding, tokens, unit))
    }

    /// Returns the maximum number of tokens of a chunk in a pair with `query`: at least half of the tokens of both
    /// texts.
    pub(crate) fn max_chunk_tokens(&self, query: &EncodedText, max_length: usize) -> usize {
        let max_tokens = self.max_text_tokens(max_length);
        max_tokens.saturating_sub(query.ids.len()).max(max_tokens / 2).max(1)
    }

    /// Adds a pair of `query` and a chunk of at most [`max_chunk_tokens`](Self::max_chunk_tokens) tokens to a batch.
    ///
    /// # Errors
    /// `tokenizer` for a token that the model has no embedding for, `input` for a pair without tokens.
    pub(crate) fn push_chunk(
        &self,
        batch: &mut Batch,
        query: &EncodedText,
        chunk: &[u32],
        max_length: usize,
    ) -> Result<()> {
        let template = self.format.template()?;
        let query_tokens = self.max_text_tokens(max_length).saturating_sub(chunk.len());
        self.push_ids(batch, template, self.encoder.truncate(&query.ids, query_tokens), chunk)
    }

    /// Adds a pair to a batch, truncated to `max_length` tokens by HF's `longest_first`.
    ///
    /// # Errors
    /// `tokenizer` if the pair contains a token that the model has no embedding for, or if the tokenizer fails; `input`
    /// for a pair without tokens.
    pub fn push(
        &self,
        batch: &mut Batch,
        query: &EncodedText,
        document: &EncodedText,
        max_length: usize,
    ) -> Result<()> {
        match &self.format {
            PairFormat::Template(template) => self.push_texts(batch, template, [query, document], max_length),
            #[cfg(feature = "decoder")]
            PairFormat::Prompt(pairs) => pairs.push(&self.encoder, batch, [query, document], max_length),
        }
    }

    fn push_texts(
        &self,
        batch: &mut Batch,
        template: &PairTemplate,
        [query, document]: [&EncodedText; 2],
        max_length: usize,
    ) -> Result<()> {
        let (first, second) = self.truncated_lengths([query, document], max_length)?;
        let [query, document] = [(query, first), (document, second)]
            .map(|(text, length)| self.encoder.truncate(&text.ids, length));
        self.push_ids(batch, template, query, document)
    }

    /// Returns the numbers of tokens to which the texts of a pair are truncated.
    pub(super) fn truncated_lengths(
        &self,
        [query, document]: [&EncodedText; 2],
        max_length: usize,
    ) -> Result<(usize, usize)> {
        let max_tokens = self.max_text_tokens(max_length);
        let (mut first, mut second) = (query.ids.len(), document.ids.len());
        let both_too_long = first.min(second) > max_tokens;
        if both_too_long && !max_tokens.is_multiple_of(2) && !(query.is_complete && document.is_complete) {
            // Both are truncated to half of an odd number. The longer one gets the odd token, so count all tokens.
            (first, second) = (self.full_length(query)?, self.full_length(document)?);
        }
        Ok(longest_first(first, second, max_tokens))
    }

    /// Adds a pair of tokens to a batch, which [`truncated_pair`](Self::truncated_pair) or
    /// [`chunked_pair`](Self::chunked_pair) returned.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub(crate) fn push_tokens(&self, batch: &mut Batch, query: &[u32], document: &[u32]) -> Result<()> {
        self.push_ids(batch, self.format.template()?, query, document)
    }

    fn push_ids(
        &self,
        batch: &mut Batch,
        template: &PairTemplate,
        query: &[u32],
        document: &[u32],
    ) -> Result<()> {
        self.encoder.check_ids(query)?;
        self.encoder.check_ids(document)?;
        // A pair without any token is an error of the batch.
        let tokens = query.len() + document.len() + template.special_tokens();
        if (1..=self.unpooled_tokens).contains(&tokens) {
            return Err(input(format!(
                "the pair is truncated within the prompt of {} tokens: use a larger maximum length",
                self.unpooled_tokens
            )));
        }
        template.push(batch, query, document)
    }

    /// Returns whether pairs are written into a prompt, so that their texts are not tokenized separately.
    pub(crate) fn has_prompt(&self) -> bool {
        self.format.template().is_err()
    }

    /// Returns the end of what a pair of at most `max_length` tokens has of a document that is written into a prompt, in bytes.
    /// The document has at most `max_tokens` tokens, if given.
    ///
    /// # Errors
    /// `tokenizer` if the tokenizer fails.
    #[cfg_attr(not(feature = "decoder"), allow(unused_variables, reason = "only a decoder has a prompt"))]
    pub(crate) fn prompted_document_end(
        &self,
        query: &EncodedText,
        document: &str,
        max_length: usize,
        max_tokens: Option<usize>,
    ) -> Result<usize> {
        match &self.format {
            PairFormat::Template(_) => Ok(document.len()),
            #[cfg(feature = "decoder")]
            PairFormat::Prompt(pairs) => {
                let document = self.encode(document, max_length, max_tokens)?;
                pairs.document_end(&self.encoder, query, &document.text, max_length)
            }
        }
    }

    /// Returns the maximum number of tokens of both texts together.
    pub(super) fn max_text_tokens(&self, max_length: usize) -> usize {
        max_length - self.format.special_tokens()
    }

    fn full_length(&self, text: &EncodedText) -> Result<usize> {
        if text.is_complete {
            return Ok(text.ids.len());
        }
        if let Some(length) = text.full_length.get() {
            return Ok(*length);
        }
        let length = self.encoder.ids(&text.text)?.len().min(text.max_tokens);
        Ok(*text.full_length.get_or_init(|| length))
    }
}
