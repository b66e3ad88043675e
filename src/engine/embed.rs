//! Embedding rows, gathered on the CPU for every engine: the tables stay as small as the file has them.

use crate::checkpoint::{TensorView, Weights};
use crate::error::Result;
use crate::model::{Embed, Table};
use crate::text::Batch;

/// The tables of an [`Embed`] step, without its norm.
#[derive(Debug)]
pub(super) struct Embedding {
    hidden_size: usize,
    word: TensorView<'static>,
    position: TensorView<'static>,
    token_type: Option<TensorView<'static>>,
}

impl Embedding {
    pub(super) fn prepare(embed: &Embed, hidden_size: usize, weights: &Weights) -> Result<Self> {
        let table = |table: &Table| weights.view(&table.weight).map(TensorView::into_owned);
        Ok(Self {
            hidden_size,
            word: table(&embed.word)?,
            position: table(&embed.position)?,
            token_type: embed.token_type.as_ref().map(table).transpose()?,
        })
    }

    /// Sums of word, position and token type rows: `[tokens, hidden_size]`. The tokenizer has checked that every id
    /// has its row.
    pub(super) fn gather(&self, batch: &Batch) -> Vec<f32> {
        let mut rows = vec![0.0; batch.tokens() * self.hidden_size];
        let positions = batch.ranges().flat_map(|range| 0..range.len());
        let tokens = batch.input_ids.iter().zip(&batch.token_type_ids).zip(positions);
        let mut entry = vec![0.0; self.hidden_size];
        for (row, ((id, token_type), position)) in rows.chunks_exact_mut(self.hidden_size).zip(tokens) {
            let mut add = |table: &TensorView, index: usize| {
                table.read_row(index, &mut entry);
                row.iter_mut().zip(&entry).for_each(|(sum, value)| *sum += value);
            };
            add(&self.word, *id as usize);
            if let Some(table) = &self.token_type {
                add(table, *token_type as usize);
            }
            add(&self.position, position);
        }
        rows
    }
}
