//! The feed-forward block.

use std::ops::Range;

use super::Run;
use super::arena::{self, Arena};
use super::linear::{Input, Linear};
use crate::checkpoint::Activation;
use crate::engine::cpu::BlockNorm;
use crate::engine::cpu::kernels::{Output, Then};

/// Rows of a feed-forward block that are computed together, with their remainders, so that what lies between its layers
/// stays in the cache: whole tiles, whichever they are.
pub(crate) const BLOCK_ROWS: usize = 96;

#[derive(Debug)]
pub(crate) struct FeedForward {
    /// With the gate beside it, so that their input is quantised once.
    pub(crate) intermediate: Linear,
    /// Whether there is a gate.
    pub(crate) gated: bool,
    pub(crate) activation: Activation,
    pub(crate) output: Linear,
    pub(crate) norm: BlockNorm,
}

impl Run<'_> {
    pub(crate) fn feed_forward(&mut self, block: &FeedForward) {
        self.enter(&block.norm);
        let mut rest = 0..self.rows;
        while !rest.is_empty() {
            let rows = next_rows(&rest, &self.arena.firsts);
            rest.start = rows.end;
            self.feed_rows_forward(block, rows);
        }
        self.normed = matches!(block.norm, BlockNorm::After(_));
    }

    fn feed_rows_forward(&mut self, block: &FeedForward, rows: Range<usize>) {
        let FeedForward { intermediate, gated, activation, output, norm } = block;
        let (kernels, columns) = (self.engine.kernels, intermediate.columns());
        let Arena { x, normed, firsts, wide, quantised, .. } = &mut self.arena;
        let values = &norm.input(x, normed)[rows.start * self.width..];
        let outside = Input { values, rows: rows.clone(), firsts };
        arena::rows(wide, rows.len(), columns);
        let then = if *gated { Then::Store } else { Then::Activate(*activation) };
        intermediate.apply(kernels, &outside, quantised, Output { values: wide, then });
        if *gated {
            (kernels.gate)(&mut wide[..rows.len() * columns], columns / 2, *activation);
        }
        let x = &mut x[rows.start * self.width..];
        let inside = Input { values: wide, rows: rows.clone(), firsts };
        output.apply(kernels, &inside, quantised, Output { values: x, then: Then::Add });
        if let BlockNorm::After(norm) = norm {
            self.finite &= (kernels.norm)(&mut x[..rows.len() * self.width], norm);
        }
    }
}

/// As many of `rows` as fill a block, where each of `firsts` takes the place of two.
fn next_rows(rows: &Range<usize>, firsts: &[usize]) -> Range<usize> {
    let mut firsts = firsts[firsts.partition_point(|&row| row < rows.start)..].iter().peekable();
    let mut places = 0;
    let end = rows.clone().find(|row| {
        places += if firsts.next_if_eq(&row).is_some() { 2 } else { 1 };
        places > BLOCK_ROWS
    });
    rows.start..end.unwrap_or(rows.end)
}
