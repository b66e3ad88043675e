//! Embedding lookup, on the CPU for every engine: the tables stay in the format of the file.

use crate::checkpoint::{Tensor, Weights};
use crate::error::Result;
use crate::model::{Embed, Numbering, Table};
use crate::text::Batch;

/// The tables of an [`Embed`] step.
#[derive(Debug)]
pub(super) struct Embedding {
    width: usize,
    word: Tensor,
    position: Option<(Tensor, Numbering)>,
    token_type: Option<Tensor>,
    /// Added to every row.
    task: Option<Vec<f32>>,
}

impl Embedding {
    /// Takes the tables out of the weights.
    pub(super) fn prepare(embed: &Embed, weights: &mut Weights) -> Result<Self> {
        let mut table = |table: &Table| weights.take(&table.weight);
        Ok(Self {
            width: embed.word.width,
            word: table(&embed.word)?,
            position: match &embed.position {
                Some(position) => Some((table(&position.table)?, position.numbering)),
                None => None,
            },
            token_type: embed.token_type.as_ref().map(&mut table).transpose()?,
            task: match &embed.task {
                None => None,
                Some(task) => {
                    let mut row = vec![0.0; task.width];
                    table(task)?.read_row(0, &mut row);
                    Some(row)
                }
            },
        })
    }

    /// Elements of a row.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Writes the sum of word, position and token type embeddings of each token to `rows`, `[tokens, width]`. Ids and
    /// positions must be within the tables, as the tokenizer guarantees.
    pub(super) fn gather(&self, batch: &Batch, rows: &mut [f32]) {
        rows.fill(0.0);
        let mut entry = vec![0.0; self.width];
        let tokens = batch.input_ids.iter().zip(&batch.token_type_ids);
        for (row, (id, token_type)) in rows.chunks_exact_mut(self.width).zip(tokens) {
            let mut add = |table: &Tensor, index: usize| {
                table.read_row(index, &mut entry);
                row.iter_mut().zip(&entry).for_each(|(sum, value)| *sum += value);
            };
            add(&self.word, *id as usize);
            if let Some(table) = &self.token_type {
                add(table, *token_type as usize);
            }
        }
        if let Some(task) = &self.task {
            for row in rows.chunks_exact_mut(self.width) {
                row.iter_mut().zip(task).for_each(|(sum, value)| *sum += value);
            }
        }
        if let Some((table, numbering)) = &self.position {
            let numbers = batch.ranges().flat_map(|range| numbering.positions(&batch.input_ids[range]));
            for (row, number) in rows.chunks_exact_mut(self.width).zip(numbers) {
                table.read_row(number, &mut entry);
                row.iter_mut().zip(&entry).for_each(|(sum, value)| *sum += value);
            }
        }
    }
}

impl Numbering {
    /// Returns the row of the position table for each token of a pair.
    fn positions(self, input_ids: &[u32]) -> impl Iterator<Item = usize> {
        let mut counted = 0;
        input_ids.iter().map(move |&id| match self {
            Numbering::FromZero => {
                counted += 1;
                counted - 1
            }
            Numbering::PastPadding { padding } if id == padding => padding as usize,
            Numbering::PastPadding { padding } => {
                counted += 1;
                padding as usize + counted
            }
        })
    }
}
