//! The feed-forward block.

use std::ops::Range;

use super::ForwardPass;
use super::arena::{self, Arena};
use super::linear::Input;
use crate::engine::cpu::kernels::{Epilogue, Output};
use crate::engine::cpu::{BlockNorm, CpuEngine};

/// Rows of a feed-forward block that are computed together, residual rows included, so that the inner activations stay
/// in the cache. A multiple of the tile rows of every instruction set (4, 5, 6 and 8) but AMX, whose last tile of 32 is not
/// full.
pub(crate) const BLOCK_ROWS: usize = 120;

type FeedForward = crate::engine::lower::FeedForward<CpuEngine>;

impl ForwardPass<'_> {
    pub(crate) fn feed_forward(&mut self, block: &FeedForward) {
        self.normalize_input(&block.norm);
        let mut rest = 0..self.rows;
        while !rest.is_empty() {
            let rows = next_block(&rest, &self.arena.cls_rows);
            rest.start = rows.end;
            self.feed_forward_block(block, rows);
        }
        self.is_normalized = matches!(block.norm, BlockNorm::After(_));
    }

    fn feed_forward_block(&mut self, block: &FeedForward, rows: Range<usize>) {
        let FeedForward { intermediate, gated, activation, output, norm } = block;
        let (kernels, columns) = (self.engine.kernels, intermediate.columns());
        let Arena { x, normed, cls_rows, wide, quantized, .. } = &mut self.arena;
        let values = &norm.input(x, normed)[rows.start * self.width..];
        let input = Input { values, rows: rows.clone(), cls_rows };
        arena::rows(wide, rows.len(), columns);
        intermediate.apply(kernels, &input, quantized, Output { values: wide, epilogue: Epilogue::Store });
        let inner = &mut wide[..rows.len() * columns];
        if *gated {
            kernels.glu(inner, columns / 2, *activation);
        } else {
            kernels.activate(inner, *activation);
        }
        let x = &mut x[rows.start * self.width..];
        let inner = Input { values: wide, rows: rows.clone(), cls_rows };
        output.apply(kernels, &inner, quantized, Output { values: x, epilogue: Epilogue::Add });
        if let BlockNorm::After(norm) = norm {
            self.finite &= kernels.norm(&mut x[..rows.len() * self.width], norm);
        }
    }
}

/// Returns the first of `rows` that fill a block. A CLS row counts twice, because it has a residual row.
fn next_block(rows: &Range<usize>, cls_rows: &[usize]) -> Range<usize> {
    let mut cls_rows = cls_rows[cls_rows.partition_point(|&row| row < rows.start)..].iter().peekable();
    let mut count = 0;
    let end = rows.clone().find(|row| {
        count += if cls_rows.next_if_eq(&row).is_some() { 2 } else { 1 };
        count > BLOCK_ROWS
    });
    rows.start..end.unwrap_or(rows.end)
}
