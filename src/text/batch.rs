//! The unit of work: the tokens of some pairs, end to end.

/// Packed pairs: plain data between the tokenizer and any engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Token ids of all pairs, end to end: `[tokens]`.
    pub input_ids: Vec<u32>,
    /// Token types: `[tokens]`.
    pub token_type_ids: Vec<u32>,
    /// Where each pair begins, and at last where the last one ends: `[pairs + 1]`, starting with 0.
    pub cu_seqlens: Vec<usize>,
}

impl Default for Batch {
    fn default() -> Self {
        Self { input_ids: Vec::new(), token_type_ids: Vec::new(), cu_seqlens: vec![0] }
    }
}

impl Batch {
    /// Number of pairs.
    pub fn pairs(&self) -> usize {
        self.cu_seqlens.len() - 1
    }

    /// Number of tokens of all pairs.
    pub fn tokens(&self) -> usize {
        self.input_ids.len()
    }

    /// Where each pair lies: `start..end` in rows.
    pub fn ranges(&self) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
        self.cu_seqlens.windows(2).map(|ends| ends[0]..ends[1])
    }

    /// Some neighbouring pairs as a batch of their own.
    pub(crate) fn slice(&self, pairs: std::ops::Range<usize>) -> Self {
        let (start, end) = (self.cu_seqlens[pairs.start], self.cu_seqlens[pairs.end]);
        Self {
            input_ids: self.input_ids[start..end].to_vec(),
            token_type_ids: self.token_type_ids[start..end].to_vec(),
            cu_seqlens: self.cu_seqlens[pairs.start..=pairs.end].iter().map(|row| row - start).collect(),
        }
    }

    /// Adds tokens of one type to the pair being built.
    pub(super) fn push(&mut self, ids: &[u32], token_type: u32) {
        self.input_ids.extend_from_slice(ids);
        self.token_type_ids.resize(self.input_ids.len(), token_type);
    }

    /// Ends the pair being built.
    pub(super) fn end_pair(&mut self) {
        self.cu_seqlens.push(self.input_ids.len());
    }
}
