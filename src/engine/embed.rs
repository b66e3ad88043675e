//! Embedding rows, gathered on the CPU for every engine: the tables stay as small as the file has them.

use crate::checkpoint::{Tensor, Weights};
use crate::error::Result;
use crate::model::{Embed, Table};
use crate::text::Batch;

/// The tables of an [`Embed`] step, without its norm.
#[derive(Debug)]
pub(super) struct Embedding {
    hidden_size: usize,
    word: Tensor,
    position: Tensor,
    token_type: Option<Tensor>,
}

impl Embedding {
    pub(super) fn prepare(embed: &Embed, hidden_size: usize, weights: &mut Weights) -> Result<Self> {
        let mut table = |table: &Table| weights.take(&table.weight);
        Ok(Self {
            hidden_size,
            word: table(&embed.word)?,
            position: table(&embed.position)?,
            token_type: embed.token_type.as_ref().map(table).transpose()?,
        })
    }

    /// Fills `rows`, `[tokens, hidden_size]`, with the sums of word, position and token type rows. The tokenizer has checked that every id
    /// has its row.
    pub(super) fn gather(&self, batch: &Batch, rows: &mut [f32]) {
        rows.fill(0.0);
        let positions = batch.ranges().flat_map(|range| 0..range.len());
        let tokens = batch.input_ids.iter().zip(&batch.token_type_ids).zip(positions);
        let mut entry = vec![0.0; self.hidden_size];
        for (row, ((id, token_type), position)) in rows.chunks_exact_mut(self.hidden_size).zip(tokens) {
            let mut add = |table: &Tensor, index: usize| {
                table.read_row(index, &mut entry);
                row.iter_mut().zip(&entry).for_each(|(sum, value)| *sum += value);
            };
            add(&self.word, *id as usize);
            if let Some(table) = &self.token_type {
                add(table, *token_type as usize);
            }
            add(&self.position, position);
        }
    }
}
