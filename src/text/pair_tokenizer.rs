//! Texts to token ids, equal to what HF's tokenizers give, in time and memory bounded by what is kept of them.

use std::borrow::Cow;
use std::sync::OnceLock;

use tokenizers::Encoding;

use super::error::failed;
use super::hf::{Pipeline, TokenizerJson, added_tokens, classes};
use super::pair_template::PairTemplate;
#[cfg(feature = "decoder")]
use super::prompt::Prompt;
use super::truncation::longest_first;
use super::{Batch, Chunks, OffsetUnit};
use crate::checkpoint::{Checkpoint, ModelLimits, TokenizerConfig, TruncationSide};
use crate::error::{Result, config, input, tokenizer};

/// Turns pairs into packed batches.
#[derive(Debug)]
pub struct PairTokenizer {
    tokenizer: Pipeline,
    template: PairTemplate,
    truncation_side: TruncationSide,
    /// Bytes before a cut within which a special token or a cluster of marks might still be growing.
    cut_margin: usize,
    /// Longest sequence the model and its files allow, special tokens included.
    pub(super) model_max_length: usize,
    vocab_size: usize,
    /// What pairs are written into, where they are.
    #[cfg(feature = "decoder")]
    pub(super) prompted_pairs: Option<super::prompt::PromptedPairs>,
}

/// The token ids of one text, as far as they can matter.
#[derive(Debug)]
pub struct EncodedText<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) ids: Vec<u32>,
    /// Whether `ids` is all of the text that may be used.
    pub(super) complete: bool,
    /// The most tokens of the text that may be used.
    pub(super) max_tokens: usize,
    /// Tokens of all of the text that may be used; counted only when it decides a tie.
    pub(super) length: OnceLock<usize>,
}

/// The tokens of a document.
#[derive(Debug)]
pub(crate) enum EncodedDocument<'a> {
    /// For one pair, which is cut where it is too long.
    Truncated(EncodedText<'a>),
    /// For as many pairs as it takes.
    Chunked(Chunks),
}

impl EncodedDocument<'_> {
    /// The same for keeping.
    pub(crate) fn into_owned(self) -> EncodedDocument<'static> {
        match self {
            EncodedDocument::Truncated(text) => EncodedDocument::Truncated(text.into_owned()),
            EncodedDocument::Chunked(chunks) => EncodedDocument::Chunked(chunks),
        }
    }
}

impl EncodedText<'_> {
    /// The same for keeping: with a text of its own, and only where that might be read again.
    pub fn into_owned(mut self) -> EncodedText<'static> {
        self.ids.shrink_to_fit();
        let text = if self.complete { String::new() } else { self.text.into_owned() };
        EncodedText {
            text: text.into(),
            ids: self.ids,
            complete: self.complete,
            max_tokens: self.max_tokens,
            length: self.length,
        }
    }
}

impl PairTokenizer {
    /// The tokenizer of a checkpoint, with the prompt that a decoder has.
    ///
    /// # Errors
    /// As [`read`](Self::read); `unsupported` for a prompt that is not read.
    pub fn of(checkpoint: &Checkpoint) -> Result<Self> {
        let mut limits = ModelLimits::from(&checkpoint.config);
        let unbounded = checkpoint.config.position_table.is_none() && checkpoint.config.decoder.is_none();
        if checkpoint.tokenizer_config.overrides_max_positions && unbounded {
            limits.max_tokens = None;
        }
        let tokenizer = Self::read(&checkpoint.tokenizer_json, &checkpoint.tokenizer_config, limits)?;
        #[cfg(feature = "decoder")]
        if let Some(prompt) = checkpoint.prompt_config.as_ref().map(Prompt::read).transpose()?.flatten() {
            return tokenizer.with_prompt(prompt);
        }
        Ok(tokenizer)
    }

    /// Reads `tokenizer.json` as HF does: its truncation and padding sections are not part of the model.
    ///
    /// # Errors
    /// `tokenizer` for a malformed file, `config` when it gives token types the model has no rows for, `unsupported`
    /// for a pair template that is not one query and one document, or a component that is not known to hold.
    pub fn read(json: &[u8], files: &TokenizerConfig, limits: ModelLimits) -> Result<Self> {
        let json = TokenizerJson::parse(json)?;
        let (mut tokenizer, template) = classes::build(&json, files)?;
        added_tokens::check(&tokenizer)?;
        tokenizer.set_encode_special_tokens(files.split_special_tokens);
        let template = if files.uses_token_types { template } else { template.without_token_types() };
        check_template(&template, limits, &tokenizer)?;
        let longest_added_token =
            tokenizer.get_added_tokens_decoder().values().map(|token| token.content.len()).max().unwrap_or(0);
        let model_max_length =
            files.model_max_length.unwrap_or(usize::MAX).min(limits.max_tokens.unwrap_or(usize::MAX));
        if model_max_length <= template.special_tokens() {
            return Err(config(format!("a maximum length of {model_max_length} leaves no room for a pair")));
        }
        Ok(Self {
            tokenizer,
            template,
            truncation_side: files.truncation_side.map_or_else(|| json.leftover_truncation_side(), Ok)?,
            cut_margin: longest_added_token + 256,
            model_max_length,
            vocab_size: limits.vocab_size,
            #[cfg(feature = "decoder")]
            prompted_pairs: None,
        })
    }

    /// About how many bytes of memory its tables hold.
    pub(crate) fn table_bytes(&self) -> usize {
        self.tokenizer.get_model().table_bytes()
    }

    /// Longest sequence the model reads, in tokens, special ones included.
    pub fn model_max_length(&self) -> usize {
        self.model_max_length
    }

    /// Checks a length the caller asks for.
    ///
    /// # Errors
    /// `input` when the model cannot read so much, or when nothing of a pair would be left.
    pub fn check_max_length(&self, max_length: usize) -> Result<()> {
        let min_length = self.template.special_tokens() + 1;
        #[cfg(feature = "decoder")]
        let min_length =
            self.prompted_pairs.as_ref().map_or(min_length, super::prompt::PromptedPairs::min_length);
        if (min_length..=self.model_max_length).contains(&max_length) {
            Ok(())
        } else {
            Err(input(format!(
                "a maximum length of {max_length} tokens; this model takes {min_length} to {}",
                self.model_max_length
            )))
        }
    }

    /// The id of a token, as the vocabulary spells it.
    #[cfg(feature = "decoder")]
    pub(crate) fn token_id(&self, token: &str) -> Option<u32> {
        self.tokenizer.token_to_id(token)
    }

    /// How many tokens of the vocabulary have no row in the model; texts that hold one cannot be scored.
    pub fn tokens_beyond_vocabulary(&self) -> usize {
        let model = self.tokenizer.get_model();
        let added = self.tokenizer.get_added_tokens_decoder();
        let beyond = added.iter().filter(|(id, token)| {
            **id as usize >= self.vocab_size
                && tokenizers::Model::token_to_id(model, &token.content).is_none()
        });
        model.count_ids_from(self.vocab_size) + beyond.count()
    }

    /// Tokenises a query for pairs of at most `max_length` tokens, with what comes before it: an instruction in the
    /// prompt of a decoder, and in other models a text before the text.
    ///
    /// # Errors
    /// `tokenizer` when the tokenizer fails.
    pub fn encode_query<'a>(
        &self,
        query: &'a str,
        max_length: usize,
        before: &str,
    ) -> Result<EncodedText<'a>> {
        #[cfg(feature = "decoder")]
        if let Some(text) = self.encode_prompted_query(query, before) {
            return Ok(text);
        }
        let prompted: Cow<str> =
            if before.is_empty() { query.into() } else { (before.to_owned() + query).into() };
        self.encode(prompted, max_length, None)
    }

    /// Tokenises one text of a pair, cut to `max_tokens` if given, for pairs of at most `max_length` tokens.
    ///
    /// # Errors
    /// `tokenizer` when the tokenizer fails.
    pub fn encode<'a>(
        &self,
        text: impl Into<Cow<'a, str>>,
        max_length: usize,
        max_tokens: Option<usize>,
    ) -> Result<EncodedText<'a>> {
        let text = text.into();
        #[cfg(feature = "decoder")]
        if self.prompted_pairs.is_some() {
            return self.deferred_text(text, max_tokens);
        }
        // One more than can be kept, so that "just fits" and "too long" differ.
        let limit = self.max_text_tokens(max_length) + 1;
        let max_tokens = max_tokens.unwrap_or(usize::MAX);
        let (mut ids, mut complete) = self.encode_prefix(&text, limit.min(max_tokens.saturating_add(1)))?;
        if max_tokens < ids.len() {
            self.truncate(&mut ids, max_tokens);
            complete = true;
        }
        Ok(EncodedText { text, ids, complete, max_tokens, length: OnceLock::new() })
    }

    /// Tokenises all of a document, cut to `max_tokens` if given.
    ///
    /// # Errors
    /// `input` for a text of 4 GB or more, `tokenizer` when the tokenizer fails.
    pub fn encode_chunks(&self, text: &str, max_tokens: Option<usize>, unit: OffsetUnit) -> Result<Chunks> {
        #[cfg(feature = "decoder")]
        self.refuse_token_counts(true)?;
        if u32::try_from(text.len()).is_err() {
            return Err(input(format!("a document of {} bytes cannot be read in chunks", text.len())));
        }
        let encoding = self.tokenizer.encode(text, false).map_err(failed)?;
        let (total, max_tokens) = (encoding.get_ids().len(), max_tokens.unwrap_or(usize::MAX));
        let tokens = match self.truncation_side {
            TruncationSide::Right => 0..total.min(max_tokens),
            TruncationSide::Left => total.saturating_sub(max_tokens)..total,
        };
        Ok(Chunks::new(text, &encoding, tokens, unit))
    }

    /// Tokens of a document that fit beside `query`; at least half of the room of both.
    pub(crate) fn max_chunk_tokens(&self, query: &EncodedText, max_length: usize) -> usize {
        let max_tokens = self.max_text_tokens(max_length);
        max_tokens.saturating_sub(query.ids.len()).max(max_tokens / 2).max(1)
    }

    /// Adds the pair of `query` and a chunk of [`max_chunk_tokens`](Self::max_chunk_tokens) tokens at most to a batch.
    ///
    /// # Errors
    /// `tokenizer` for a token the model has no row for.
    pub(crate) fn push_chunk(
        &self,
        batch: &mut Batch,
        query: &EncodedText,
        chunk: &[u32],
        max_length: usize,
    ) -> Result<()> {
        let query = self.truncated(
            &query.ids,
            query.ids.len().min(self.max_text_tokens(max_length).saturating_sub(chunk.len())),
        );
        self.check_ids(query)?;
        self.check_ids(chunk)?;
        self.template.push(batch, query, chunk);
        Ok(())
    }

    /// Adds a pair to a batch, cut to `max_length` tokens as HF's `longest_first` does.
    ///
    /// # Errors
    /// `tokenizer` when what is kept has a token the model has no row for, or the tokenizer fails.
    pub fn push(
        &self,
        batch: &mut Batch,
        query: &EncodedText,
        document: &EncodedText,
        max_length: usize,
    ) -> Result<()> {
        #[cfg(feature = "decoder")]
        if let Some(pairs) = &self.prompted_pairs {
            return self.push_prompted(pairs, batch, [query, document], max_length);
        }
        let max_tokens = self.max_text_tokens(max_length);
        let (mut first, mut second) = (query.ids.len(), document.ids.len());
        let both_too_long = first.min(second) > max_tokens;
        if both_too_long && !max_tokens.is_multiple_of(2) && !(query.complete && document.complete) {
            // Both are cut to half of an odd number: which is longer in truth decides who keeps the odd token.
            (first, second) = (self.full_length(query)?, self.full_length(document)?);
        }
        let (first, second) = longest_first(first, second, max_tokens);
        let (query, document) = (self.truncated(&query.ids, first), self.truncated(&document.ids, second));
        self.check_ids(query)?;
        self.check_ids(document)?;
        self.template.push(batch, query, document);
        Ok(())
    }

    pub(super) fn check_ids(&self, ids: &[u32]) -> Result<()> {
        let Some(id) = ids.iter().find(|id| **id as usize >= self.vocab_size) else { return Ok(()) };
        let token = self.tokenizer.id_to_token(*id).unwrap_or_default();
        Err(tokenizer(format!(
            "the token {token:?} has the id {id}, beyond the model's vocabulary of {}",
            self.vocab_size
        )))
    }

    fn max_text_tokens(&self, max_length: usize) -> usize {
        max_length - self.template.special_tokens()
    }

    pub(super) fn truncated<'a>(&self, ids: &'a [u32], length: usize) -> &'a [u32] {
        match self.truncation_side {
            TruncationSide::Right => &ids[..length],
            TruncationSide::Left => &ids[ids.len() - length..],
        }
    }

    fn truncate(&self, ids: &mut Vec<u32>, length: usize) {
        *ids = self.truncated(ids, length).to_vec();
    }

    fn full_length(&self, text: &EncodedText) -> Result<usize> {
        if text.complete {
            return Ok(text.ids.len());
        }
        if let Some(length) = text.length.get() {
            return Ok(*length);
        }
        let length = self.ids(&text.text)?.len().min(text.max_tokens);
        Ok(*text.length.get_or_init(|| length))
    }

    pub(super) fn ids(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.tokenizer.encode_fast(text, false).map_err(failed)?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The first `limit` ids of a text, and whether that is all of it.
    ///
    /// Of a long text only a beginning is tokenised, longer and longer until it holds enough tokens that the rest
    /// cannot change.
    pub(super) fn encode_prefix(&self, text: &str, limit: usize) -> Result<(Vec<u32>, bool)> {
        let mut window = limit.saturating_mul(8).saturating_add(4 * self.cut_margin);
        while self.truncation_side == TruncationSide::Right && window < text.len() {
            let cut = text.floor_char_boundary(window);
            let encoding = self.tokenizer.encode(&text[..cut], false).map_err(failed)?;
            let safe_end = last_anchor(&text[..text.floor_char_boundary(cut - self.cut_margin)]);
            if stable_tokens(&encoding, safe_end) >= limit {
                return Ok((encoding.get_ids()[..limit].to_vec(), false));
            }
            window = window.saturating_mul(4);
        }
        let ids = self.ids(text)?;
        Ok((ids, true))
    }
}

/// Where the last character begins that nothing after it can reach over: it is no white space, of which a whole run
/// may become one token, and no mark, of which normalisation may change the order in a whole run.
fn last_anchor(text: &str) -> usize {
    let is_anchor = |char: char| match char {
        '\0'..='\x7f' => !char.is_whitespace(),
        // Kana, CJK ideographs and Hangul syllables; texts in other scripts have spaces and signs of ASCII's.
        'ぁ'..='ゖ' | 'ァ'..='鿿' | '가'..='힣' => true,
        _ => false,
    };
    text.rfind(is_anchor).unwrap_or(0)
}

/// How many leading tokens belong to words that end before `safe_end` bytes: no text after the cut can change them.
fn stable_tokens(encoding: &Encoding, safe_end: usize) -> usize {
    let words = encoding.get_word_ids();
    let first_open =
        encoding.get_offsets().iter().position(|(_, end)| *end > safe_end).unwrap_or(words.len());
    let Some(Some(open_word)) = words.get(first_open) else { return first_open };
    words[..first_open].iter().rposition(|word| *word != Some(*open_word)).map_or(0, |last| last + 1)
}

fn check_template(template: &PairTemplate, limits: ModelLimits, tokens: &Pipeline) -> Result<()> {
    let (id, token_type) = template.max_ids();
    if id as usize >= limits.vocab_size {
        let token = tokens.id_to_token(id).unwrap_or_default();
        return Err(tokenizer(format!(
            "tokenizer.json: the pair template uses {token:?} with the id {id}, beyond the vocabulary of {}",
            limits.vocab_size
        )));
    }
    if token_type > 0 && token_type as usize >= limits.token_types {
        return Err(config(format!(
            "tokenizer.json gives the token type {token_type}, config.json has type_vocab_size {}; \
             a model without token types says so in tokenizer_config.json's model_input_names",
            limits.token_types
        )));
    }
    Ok(())
}
