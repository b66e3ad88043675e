//! Linear layers, `x W^T + b`, with an epilogue, over packed weights and tile by tile.

use std::ops::Range;

use super::quantize::QuantizedRows;
use crate::engine::cpu::arch::{
    self, DEPTH_STEP, Isa, MAX_TILE_COLUMNS, MAX_TILE_ROWS, MAX_TILES_Q8, Panel, PanelRows, Tile, TilesQ8,
    WideF32, widen_panel,
};
use crate::engine::cpu::packed_weights::{PackedF32, PackedQ8};
use crate::math::SimdF32;

/// The operation applied to the results of a linear layer before they are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Epilogue {
    /// Stores the results.
    Store,
    /// Adds the results to the output, which holds the residual stream.
    Add,
}

/// The output of a linear layer.
#[derive(Debug)]
pub(crate) struct Output<'a> {
    /// `[rows, columns of the layer]`.
    pub(crate) values: &'a mut [f32],
    /// How results are stored.
    pub(crate) epilogue: Epilogue,
}

/// Arranges a packed layer for [`linear_q8`].
#[inline(always)]
pub(super) fn arrange<S: Isa>(isa: S, layer: &mut PackedQ8) {
    layer.remainders = isa.arrange(&mut layer.panels, layer.depth);
    layer.row_stride = isa.row_stride(layer.depth);
}

/// Computes a linear layer with 7-bit weights over quantized rows, in three steps per tile of rows and panel of
/// columns.
///
/// 1. The tile is an exact integer product of codes, `sum(a q)`, with weight codes `q = w + 64` and activations `a`.
/// 2. `sum(a w) = sum(a q) - 64 sum(a)`, so a precomputed term of each row removes the offset of the codes.
/// 3. With `x = a s + z`, the result is `s sum(a w) scale + z sum(w) scale`; the last sum is precomputed for each
///    column (`column_sums`). gemmlowp does the same with integer zero points (Jacob et al. 2017, arXiv 1712.05877).
///
/// Products of residual rows are computed like others and added to the rows they belong to.
#[inline(always)]
pub(super) fn linear_q8<S: Isa>(isa: S, layer: &PackedQ8, input: &mut QuantizedRows, mut output: Output) {
    let mut buffer: TilesQ8 = [[0; MAX_TILE_ROWS * MAX_TILE_COLUMNS]; MAX_TILES_Q8];
    let _configured = isa.configure_q8();
    let mut residual_products = std::mem::take(&mut input.residual_products);
    residual_products.resize(input.two_step_rows.len() * S::PANEL, 0.0);
    let all = input.rows + input.two_step_rows.len();
    let panels = layer.panels.chunks_exact(layer.depth / DEPTH_STEP * S::PANEL);
    let (mut widened, mut partial) = (Vec::new(), [0.0; MAX_TILE_COLUMNS]);
    let (wide, lanes) = (isa.wide(), <S::Wide as WideF32<S>>::LANES);
    // Panels outside, rows inside: a panel stays in the L1 or L2 cache for all rows.
    for (index, panel) in panels.enumerate() {
        let panel =
            Panel { codes: widen_panel(panel, &mut widened), remainders: layer.remainders.of_panel(index) };
        let columns = PanelColumns::of::<S>(index, layer.columns);
        let constants = ColumnConstants {
            scales: columns.part::<S>(&layer.scales),
            column_sums: columns.part::<S>(&layer.column_sums),
            biases: columns.part::<S>(&layer.biases),
        };
        // Tiles from the last to the first, because residual rows come last and their products are added to earlier
        // rows.
        let mut two_step = input.two_step_rows.iter().enumerate().rev().peekable();
        let mut tiles = (0..all).step_by(S::ROWS_Q8).rev();
        while let Some(first) = tiles.next() {
            if columns.count == S::PANEL && (first + S::ROWS_Q8 <= input.rows || all == input.rows) {
                // The tiles down to the next one that has a two-step row.
                let start = two_step.peek().map_or(0, |(_, of)| (**of / S::ROWS_Q8 + 1) * S::ROWS_Q8);
                let end = input.rows.min(first + S::ROWS_Q8);
                if start <= first && columns.compute(isa, input, start..end, panel, &constants, &mut output) {
                    tiles = (0..start).step_by(S::ROWS_Q8).rev();
                    continue;
                }
            }
            isa.tiles_q8(&input.values[first * input.stride..], input.stride, panel, &mut buffer);
            let tile = buffer.as_flattened();
            let end = all.min(first + S::ROWS_Q8);
            for row in input.rows.max(first)..end {
                let sums = &tile[(row - first) * S::PANEL..][..S::PANEL];
                let to = &mut residual_products[(row - input.rows) * S::PANEL..][..S::PANEL];
                let row = RowConstants::of(isa, input, row);
                for column in (0..S::PANEL).step_by(lanes) {
                    wide.write(constants.product(isa, &row, column, sums), &mut to[column..]);
                }
            }
            if first >= input.rows {
                continue;
            }
            let end = end.min(input.rows);
            let whole = columns.count == S::PANEL && two_step.peek().is_none_or(|(_, of)| **of < first);
            if whole {
                constants.store_rows(isa, input, first..end, tile, columns, output.epilogue, output.values);
                continue;
            }
            for (row, sums) in (first..end).zip(tile.chunks_exact(S::PANEL)).rev() {
                let residual = two_step.next_if(|(_, of)| **of == row);
                let values = columns.row_slice(output.values, row);
                let to = columns.whole::<S>(values, &mut partial);
                let row = RowConstants::of(isa, input, row);
                for column in (0..S::PANEL).step_by(lanes) {
                    let mut product = constants.product(isa, &row, column, sums);
                    if let Some((residual, _)) = residual {
                        let residual = &residual_products[residual * S::PANEL..][..S::PANEL];
                        product = wide.add(product, wide.read(&residual[column..]));
                    }
                    let biased = wide.add(product, wide.read(&constants.biases[column..]));
                    store(wide, output.epilogue, biased, &mut to[column..]);
                }
                columns.keep::<S>(values, &partial);
            }
        }
    }
    input.residual_products = residual_products;
}

/// The scales, weight sums and biases of a panel's columns.
struct ColumnConstants<'a> {
    scales: &'a [f32],
    column_sums: &'a [f32],
    biases: &'a [f32],
}

/// The constants of a row in every lane.
struct RowConstants<S: Isa> {
    offset_term: <S::Wide as SimdF32>::F32,
    scale: <S::Wide as SimdF32>::F32,
    zero_point: <S::Wide as SimdF32>::F32,
}

impl<S: Isa> RowConstants<S> {
    #[inline(always)]
    fn of(isa: S, input: &QuantizedRows, row: usize) -> Self {
        let wide = isa.wide();
        Self {
            offset_term: wide.splat(input.offset_terms[row]),
            scale: wide.splat(input.scales[row]),
            zero_point: wide.splat(input.zero_points[row]),
        }
    }
}

impl ColumnConstants<'_> {
    /// Returns `row` times the columns from `column` on, from the sums of the products of their codes.
    #[inline(always)]
    fn product<S: Isa>(
        &self,
        isa: S,
        row: &RowConstants<S>,
        column: usize,
        sums: &[i32],
    ) -> <S::Wide as SimdF32>::F32 {
        let wide = isa.wide();
        let sums = wide.sub(wide.read_i32(&sums[column..]), row.offset_term);
        let scaled = wide.mul(wide.mul(sums, row.scale), wide.read(&self.scales[column..]));
        wide.add(scaled, wide.mul(row.zero_point, wide.read(&self.column_sums[column..])))
    }

    /// Stores the results of rows without residuals in a panel whose columns are all in the output.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "the state of one loop, whose body this is")]
    fn store_rows<S: Isa>(
        &self,
        isa: S,
        input: &QuantizedRows,
        rows: Range<usize>,
        tile: &[i32],
        columns: PanelColumns,
        epilogue: Epilogue,
        output: &mut [f32],
    ) {
        let (wide, lanes) = (isa.wide(), <S::Wide as WideF32<S>>::LANES);
        // In registers, for all rows.
        let mut vectors = [[wide.splat(0.0); MAX_TILE_COLUMNS / 8]; 3];
        for (values, vectors) in [self.scales, self.column_sums, self.biases].iter().zip(&mut vectors) {
            for (values, vector) in values.chunks_exact(lanes).zip(vectors) {
                *vector = wide.read(values);
            }
        }
        let [scales, column_sums, biases] = vectors;
        let to = output[rows.start * columns.total..].chunks_mut(columns.total);
        let constants = input.offset_terms[rows.clone()].iter().zip(&input.scales[rows.clone()]);
        let constants = constants.zip(&input.zero_points[rows]);
        for ((to, sums), ((&offset_term, &scale), &zero_point)) in
            to.zip(tile.chunks_exact(S::PANEL)).zip(constants)
        {
            let to = &mut to[columns.first..][..S::PANEL];
            let row = RowConstants::<S> {
                offset_term: wide.splat(offset_term),
                scale: wide.splat(scale),
                zero_point: wide.splat(zero_point),
            };
            for (vector, column) in (0..S::PANEL).step_by(lanes).enumerate() {
                let sums = wide.sub(wide.read_i32(&sums[column..]), row.offset_term);
                let scaled = wide.mul(wide.mul(sums, row.scale), scales[vector]);
                let product = wide.add(scaled, wide.mul(row.zero_point, column_sums[vector]));
                store(wide, epilogue, wide.add(product, biases[vector]), &mut to[column..]);
            }
        }
    }
}

/// Computes a linear layer in f32 over `rows` rows of `input`, each of `layer.depth` values.
#[inline(always)]
pub(super) fn linear_f32<S: Isa>(isa: S, layer: &PackedF32, input: &[f32], rows: usize, output: Output) {
    let mut tile: Tile<f32> = [0.0; MAX_TILE_ROWS * MAX_TILE_COLUMNS];
    let (wide, lanes) = (isa.wide(), <S::Wide as WideF32<S>>::LANES);
    let mut partial = [0.0; MAX_TILE_COLUMNS];
    // Panels outside, as in `linear_q8`. Each sum runs over the whole depth in one order, whatever the tile.
    for (index, panel) in layer.panels.chunks_exact(layer.depth * S::PANEL).enumerate() {
        let columns = PanelColumns::of::<S>(index, layer.columns);
        let biases = columns.part::<S>(&layer.biases);
        for first in (0..rows).step_by(S::ROWS_F32) {
            isa.tile_f32(&input[first * layer.depth..], layer.depth, panel, &mut tile);
            for (row, sums) in (first..rows).zip(tile.chunks_exact(S::PANEL).take(S::ROWS_F32)) {
                let values = columns.row_slice(output.values, row);
                let to = columns.whole::<S>(values, &mut partial);
                for column in (0..S::PANEL).step_by(lanes) {
                    let biased = wide.add(wide.read(&sums[column..]), wide.read(&biases[column..]));
                    store(wide, output.epilogue, biased, &mut to[column..]);
                }
                columns.keep::<S>(values, &partial);
            }
        }
    }
}

/// The columns of one panel.
#[derive(Clone, Copy)]
struct PanelColumns {
    first: usize,
    count: usize,
    /// Columns of the whole output.
    total: usize,
}

impl PanelColumns {
    #[inline(always)]
    fn of<S: Isa>(panel: usize, total: usize) -> Self {
        let first = panel * S::PANEL;
        Self { first, count: S::PANEL.min(total - first), total }
    }

    /// Returns their part of a vector with one value per column, zero-padded to whole panels.
    #[inline(always)]
    fn part<S: Isa>(self, vector: &[f32]) -> &[f32] {
        &vector[self.first..][..S::PANEL]
    }

    /// Computes rows without residuals, if the instruction set has a function for this, and returns whether it has.
    #[inline(always)]
    fn compute<S: Isa>(
        self,
        isa: S,
        input: &QuantizedRows,
        rows: Range<usize>,
        panel: Panel,
        constants: &ColumnConstants,
        output: &mut Output,
    ) -> bool {
        let values = &input.values[rows.start * input.stride..];
        let to = &mut output.values[rows.start * self.total + self.first..];
        let columns = arch::PanelColumns {
            scales: constants.scales,
            column_sums: constants.column_sums,
            biases: constants.biases,
            total: self.total,
            adds: output.epilogue == Epilogue::Add,
        };
        isa.panel_rows_q8(PanelRows { values, stride: input.stride, count: rows.len() }, panel, columns, to)
    }

    /// Returns their part of a row of the output.
    #[inline(always)]
    fn row_slice(self, output: &mut [f32], row: usize) -> &mut [f32] {
        &mut output[row * self.total + self.first..][..self.count]
    }

    /// Returns a whole panel's part of a row: `values`, or a copy in `buffer` if the output has fewer columns.
    #[inline(always)]
    fn whole<'a, S: Isa>(
        self,
        values: &'a mut [f32],
        buffer: &'a mut [f32; MAX_TILE_COLUMNS],
    ) -> &'a mut [f32] {
        if self.count == S::PANEL {
            return &mut values[..S::PANEL];
        }
        buffer[..self.count].copy_from_slice(values);
        &mut buffer[..S::PANEL]
    }

    /// Stores the copy that [`whole`](Self::whole) made, if it made one.
    #[inline(always)]
    fn keep<S: Isa>(self, values: &mut [f32], buffer: &[f32; MAX_TILE_COLUMNS]) {
        if self.count != S::PANEL {
            values.copy_from_slice(&buffer[..self.count]);
        }
    }
}

/// Stores results after the epilogue.
#[inline(always)]
fn store<S: Isa, W: WideF32<S>>(wide: W, epilogue: Epilogue, value: W::F32, to: &mut [f32]) {
    let value = match epilogue {
        Epilogue::Store => value,
        Epilogue::Add => wide.add(value, wide.read(to)),
    };
    wide.write(value, to);
}
