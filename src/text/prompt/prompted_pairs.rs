//! Pairs for a decoder: written into its prompt, and tokenised as one text.

use std::borrow::Cow;
use std::sync::OnceLock;

use super::Prompt;
use crate::error::{Result, config, unsupported};
use crate::text::{Batch, EncodedText, PairTokenizer};

/// A prompt, and its tokens behind the document.
#[derive(Debug)]
pub(in crate::text) struct PromptedPairs {
    prompt: Prompt,
    tail: Vec<u32>,
}

impl PairTokenizer {
    /// The same tokenizer for pairs that are written into a prompt.
    ///
    /// # Errors
    /// `config` where pairs may not be longer than what stands behind them, `tokenizer` when the tokenizer fails.
    pub fn with_prompt(mut self, prompt: Prompt) -> Result<Self> {
        let tail = self.tail(&prompt)?;
        if tail.len() >= self.model_max_length {
            let length = self.model_max_length;
            return Err(config(format!("a maximum length of {length} leaves no room for a pair")));
        }
        self.prompted_pairs = Some(PromptedPairs { prompt, tail });
        Ok(self)
    }

    /// As sentence-transformers finds it: the tokens in which two prompts with other texts end alike.
    fn tail(&self, prompt: &Prompt) -> Result<Vec<u32>> {
        let ids = |text: &str| {
            self.ids(&(prompt.text_before_document(text, "") + text + prompt.text_after_document()))
        };
        let (first, second) = (ids("0")?, ids("1 2 3 4")?);
        let common = first.iter().rev().zip(second.iter().rev()).take_while(|(a, b)| a == b).count();
        Ok(first[first.len() - common..].to_vec())
    }

    /// Whether pairs are written into a prompt that has a place for an instruction.
    pub(crate) fn takes_instruction(&self) -> bool {
        self.prompted_pairs.as_ref().is_some_and(|pairs| pairs.prompt.takes_instruction())
    }

    /// A query with what the prompt has before the document, where pairs are written into one.
    pub(in crate::text) fn encode_prompted_query(
        &self,
        query: &str,
        instruction: &str,
    ) -> Option<EncodedText<'static>> {
        let pairs = self.prompted_pairs.as_ref()?;
        Some(deferred_text(pairs.prompt.text_before_document(query, instruction).into()))
    }

    /// A text that becomes tokens with its pair.
    pub(in crate::text) fn deferred_text<'a>(
        &self,
        text: Cow<'a, str>,
        max_tokens: Option<usize>,
    ) -> Result<EncodedText<'a>> {
        self.refuse_token_counts(max_tokens.is_some())?;
        Ok(deferred_text(text))
    }

    /// Refuses to count tokens of a document alone.
    pub(in crate::text) fn refuse_token_counts(&self, counted: bool) -> Result<()> {
        if counted && self.prompted_pairs.is_some() {
            return Err(unsupported(
                "this model reads a document as part of its prompt: it has no tokens of its own to cut it by",
            ));
        }
        Ok(())
    }

    /// Adds a pair, which as sentence-transformers has it is cut at `max_length` tokens, prompt included, of which the
    /// last are then those behind the document.
    pub(in crate::text) fn push_prompted(
        &self,
        pairs: &PromptedPairs,
        batch: &mut Batch,
        [query, document]: [&EncodedText; 2],
        max_length: usize,
    ) -> Result<()> {
        let text = [&query.text, &document.text, pairs.prompt.text_after_document()].concat();
        let (ids, _) = self.encode_prefix(&text, max_length + 1)?;
        let mut ids_to_keep = self.truncated(&ids, ids.len().min(max_length)).to_vec();
        if ids.len() > max_length {
            ids_to_keep.truncate(max_length.saturating_sub(pairs.tail.len()));
            ids_to_keep.extend(&pairs.tail);
        }
        self.check_ids(&ids_to_keep)?;
        batch.push(&ids_to_keep, 0);
        batch.end_pair();
        Ok(())
    }
}

impl PromptedPairs {
    /// The fewest tokens of a pair of which something is left.
    pub(in crate::text) fn min_length(&self) -> usize {
        self.tail.len() + 1
    }
}

fn deferred_text(text: Cow<'_, str>) -> EncodedText<'_> {
    EncodedText { text, ids: Vec::new(), complete: false, max_tokens: usize::MAX, length: OnceLock::new() }
}
