//! The unit of work of an engine: the tokens of some pairs, concatenated without padding.

use crate::error::{Result, input};

/// Packed pairs: the plain data that the tokenizer passes to an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Token ids of all pairs: `[tokens]`.
    pub input_ids: Vec<u32>,
    /// Token type of each token: `[tokens]`.
    pub token_type_ids: Vec<u32>,
    /// Index of the first token of each pair, followed by the number of tokens: `[pairs + 1]`. Starts with 0.
    pub cu_seqlens: Vec<usize>,
}

impl Default for Batch {
    fn default() -> Self {
        Self { input_ids: Vec::new(), token_type_ids: Vec::new(), cu_seqlens: vec![0] }
    }
}

impl Batch {
    /// Returns the number of pairs.
    pub fn pairs(&self) -> usize {
        self.cu_seqlens.len() - 1
    }

    /// Returns the number of tokens of all pairs.
    pub fn tokens(&self) -> usize {
        self.input_ids.len()
    }

    /// Returns the token range of each pair.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
        self.cu_seqlens.windows(2).map(|ends| ends[0]..ends[1])
    }

    /// Copies a range of pairs into a new batch.
    pub(crate) fn slice(&self, pairs: std::ops::Range<usize>) -> Self {
        let (start, end) = (self.cu_seqlens[pairs.start], self.cu_seqlens[pairs.end]);
        Self {
            input_ids: self.input_ids[start..end].to_vec(),
            token_type_ids: self.token_type_ids[start..end].to_vec(),
            cu_seqlens: self.cu_seqlens[pairs.start..=pairs.end].iter().map(|end| end - start).collect(),
        }
    }

    /// Appends tokens of one type to the pair being built.
    pub(super) fn push(&mut self, ids: &[u32], token_type: u32) {
        self.input_ids.extend_from_slice(ids);
        self.token_type_ids.resize(self.input_ids.len(), token_type);
    }

    /// Ends the pair being built.
    ///
    /// # Errors
    /// `input` if it has no tokens: engines pool the rows of at least one.
    pub(super) fn end_pair(&mut self) -> Result<()> {
        if self.cu_seqlens.last() == Some(&self.input_ids.len()) {
            return Err(input(
                "this pair has no tokens, so the model cannot score it: query and document are empty, and this \
                 model's tokenizer adds no special tokens; leave the pair out",
            ));
        }
        self.cu_seqlens.push(self.input_ids.len());
        Ok(())
    }
}
