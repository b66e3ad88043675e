//! Pairs for a decoder: written into a prompt and tokenized as one text.

use super::PairPrompt;
use crate::error::Result;
use crate::text::text_encoder::TextEncoder;
use crate::text::{Batch, EncodedText};

/// Writes pairs into a prompt and truncates them as sentence-transformers does.
#[derive(Debug)]
pub(in crate::text) struct PromptedPairs {
    prompt: PairPrompt,
    /// Tokens after the document, which truncation keeps.
    tail: Vec<u32>,
}

impl PromptedPairs {
    /// Finds the tail of the prompt like sentence-transformers: the tokens in which two prompts with different texts
    /// end alike.
    ///
    /// # Errors
    /// `tokenizer` if the tokenizer fails.
    pub(in crate::text) fn new(prompt: PairPrompt, encoder: &TextEncoder) -> Result<Self> {
        let ids = |text: &str| {
            encoder.ids(&(prompt.text_before_document(text, "") + text + prompt.text_after_document()))
        };
        let (first, second) = (ids("0")?, ids("1 2 3 4")?);
        let common = first.iter().rev().zip(second.iter().rev()).take_while(|(a, b)| a == b).count();
        let tail = first[first.len() - common..].to_vec();
        Ok(Self { prompt, tail })
    }

    /// Returns the number of tokens after the document.
    pub(in crate::text) fn tail_tokens(&self) -> usize {
        self.tail.len()
    }

    /// Returns whether the prompt contains an instruction.
    pub(in crate::text) fn takes_instruction(&self) -> bool {
        self.prompt.takes_instruction()
    }

    /// Writes a query into the prompt. Nothing is tokenized before the document follows.
    pub(in crate::text) fn encode_query(&self, query: &str, instruction: &str) -> EncodedText<'static> {
        EncodedText::deferred(self.prompt.text_before_document(query, instruction).into())
    }

    /// Adds a pair to a batch. If prompt and texts have more than `max_length` tokens, their beginning and the tail are
    /// kept.
    ///
    /// # Errors
    /// `tokenizer` if the pair contains a token that the model has no embedding for, or if the tokenizer fails;
    /// `input` for a pair without tokens.
    pub(in crate::text) fn push(
        &self,
        encoder: &TextEncoder,
        batch: &mut Batch,
        [query, document]: [&EncodedText; 2],
        max_length: usize,
    ) -> Result<()> {
        let text =
            [&query.text, self.prompt.document(&document.text), self.prompt.text_after_document()].concat();
        let (ids, _) = encoder.ids_up_to(&text, max_length + 1)?;
        let mut pair = encoder.truncate(&ids, max_length).to_vec();
        if ids.len() > max_length {
            pair.truncate(max_length.saturating_sub(self.tail.len()));
            pair.extend(&self.tail);
        }
        encoder.check_ids(&pair)?;
        batch.push(&pair, 0);
        batch.end_pair()
    }

    /// Returns the end of what a pair of at most `max_length` tokens has of a document, in bytes.
    ///
    /// # Errors
    /// `tokenizer` if the tokenizer fails.
    pub(in crate::text) fn document_end(
        &self,
        encoder: &TextEncoder,
        query: &EncodedText,
        document: &str,
        max_length: usize,
    ) -> Result<usize> {
        let part = self.prompt.document(document);
        // The prompt may leave out the space around the document, so the part need not begin with it.
        let start = part.as_ptr() as usize - document.as_ptr() as usize;
        let text = [&query.text, part, self.prompt.text_after_document()].concat();
        let offsets = encoder.offsets_up_to(&text, max_length + 1)?;
        if offsets.len() <= max_length {
            return Ok(start + part.len());
        }
        let kept = max_length.saturating_sub(self.tail.len());
        let end = offsets[..kept].last().map_or(0, |last| last.end);
        Ok(start + end.saturating_sub(query.text.len()).min(part.len()))
    }
}
