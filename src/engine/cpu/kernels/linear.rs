//! `x W^T + b` over packed weights, and what follows it, tile by tile.

use super::lanes::pad_to_eight;
use super::quantize::QuantizedRows;
use crate::checkpoint::Activation;
use crate::engine::cpu::arch::{DEPTH_STEP, Isa, MAX_TILE_COLUMNS, MAX_TILE_ROWS, Tile, widen_panel};
use crate::engine::cpu::packed_weights::{PackedF32, PackedQ8};
use crate::math;

/// What becomes of the sums of a linear layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Epilogue {
    /// They are written down.
    Store,
    /// They go through a function first.
    Activate(Activation),
    /// They are added to what is there: the residual.
    Add,
}

/// Where a linear layer puts its result.
#[derive(Debug)]
pub(crate) struct Output<'a> {
    /// `[rows, columns of the layer]`.
    pub(crate) values: &'a mut [f32],
    pub(crate) epilogue: Epilogue,
}

/// A linear layer with 7-bit weights over quantized rows. What their remainders give is added to the rows they are of.
#[inline(always)]
pub(super) fn linear_q8<S: Isa>(isa: S, layer: &PackedQ8, input: &mut QuantizedRows, output: Output) {
    let mut tile: Tile<i32> = [0; MAX_TILE_ROWS * MAX_TILE_COLUMNS];
    let mut residual_products = std::mem::take(&mut input.residual_products);
    residual_products.resize(input.two_step_rows.len() * S::PANEL, 0.0);
    let all = input.rows + input.two_step_rows.len();
    let panels = layer.panels.chunks_exact(layer.depth / DEPTH_STEP * S::PANEL);
    let mut buffer = Vec::new();
    for (index, panel) in panels.enumerate() {
        let panel = widen_panel(panel, &mut buffer);
        let columns = PanelColumns::of::<S>(index, layer.columns);
        let constants = ColumnConstants {
            scales: columns.eights::<S>(&layer.scales),
            column_sums: columns.eights::<S>(&layer.column_sums),
            biases: columns.eights::<S>(&layer.biases),
        };
        // Tiles from the last to the first: what a remainder gives is there when the row it is of needs it.
        let mut two_step = input.two_step_rows.iter().enumerate().rev().peekable();
        for first in (0..all).step_by(S::ROWS).rev() {
            isa.tile_q8(&input.values[first * input.stride..], input.stride, panel, &mut tile);
            let end = all.min(first + S::ROWS);
            for row in input.rows.max(first)..end {
                let sums = tile[(row - first) * S::PANEL..][..S::PANEL].as_chunks::<8>().0;
                let to =
                    residual_products[(row - input.rows) * S::PANEL..][..S::PANEL].as_chunks_mut::<8>().0;
                for (eight, (sums, to)) in sums.iter().zip(to).enumerate() {
                    isa.store(constants.product(isa, input, row, eight, sums), to);
                }
            }
            for (row, sums) in (first..end.min(input.rows)).zip(tile.chunks_exact(S::PANEL)).rev() {
                let to_row = columns.row_slice(output.values, row);
                let residual = two_step.next_if(|(_, of)| **of == row);
                for (eight, sums) in sums.as_chunks::<8>().0.iter().enumerate() {
                    let mut product = constants.product(isa, input, row, eight, sums);
                    if let Some((residual, _)) = residual {
                        let residual_product = &residual_products[residual * S::PANEL..].as_chunks().0[eight];
                        product = isa.add(product, isa.load(residual_product));
                    }
                    store_eight(
                        isa,
                        to_row,
                        eight,
                        output.epilogue,
                        isa.add(product, isa.load(&constants.biases[eight])),
                    );
                }
            }
        }
    }
    input.residual_products = residual_products;
}

/// What a column of a panel is scaled by and what is added, in eights.
struct ColumnConstants<'a> {
    scales: &'a [[f32; 8]],
    column_sums: &'a [[f32; 8]],
    biases: &'a [[f32; 8]],
}

impl ColumnConstants<'_> {
    /// `row` times eight columns, from the sums of the products of their codes.
    #[inline(always)]
    fn product<S: Isa>(
        &self,
        isa: S,
        input: &QuantizedRows,
        row: usize,
        eight: usize,
        sums: &[i32; 8],
    ) -> S::F32 {
        let sums = isa.sub(isa.load_i32(sums), isa.splat(input.offset_terms[row]));
        let scaled = isa.mul(isa.mul(sums, isa.splat(input.scales[row])), isa.load(&self.scales[eight]));
        isa.add(scaled, isa.mul(isa.splat(input.zero_points[row]), isa.load(&self.column_sums[eight])))
    }
}

/// A linear layer in f32 over `rows` rows of `input`, which are `layer.depth` long.
#[inline(always)]
pub(super) fn linear_f32<S: Isa>(isa: S, layer: &PackedF32, input: &[f32], rows: usize, output: Output) {
    let mut tile: Tile<f32> = [0.0; MAX_TILE_ROWS * MAX_TILE_COLUMNS];
    for (index, panel) in layer.panels.chunks_exact(layer.depth * S::PANEL).enumerate() {
        let columns = PanelColumns::of::<S>(index, layer.columns);
        let biases = columns.eights::<S>(&layer.biases);
        for first in (0..rows).step_by(S::ROWS) {
            isa.tile_f32(&input[first * layer.depth..], layer.depth, panel, &mut tile);
            for (row, sums) in (first..rows).zip(tile.chunks_exact(S::PANEL).take(S::ROWS)) {
                let to_row = columns.row_slice(output.values, row);
                for (eight, sums) in sums.as_chunks::<8>().0.iter().enumerate() {
                    store_eight(
                        isa,
                        to_row,
                        eight,
                        output.epilogue,
                        isa.add(isa.load(sums), isa.load(&biases[eight])),
                    );
                }
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
    of: usize,
}

impl PanelColumns {
    #[inline(always)]
    fn of<S: Isa>(panel: usize, of: usize) -> Self {
        let first = panel * S::PANEL;
        Self { first, count: S::PANEL.min(of - first), of }
    }

    /// Their part of a vector that is as long as all panels are wide together, in eights.
    #[inline(always)]
    fn eights<S: Isa>(self, vector: &[f32]) -> &[[f32; 8]] {
        vector[self.first..][..S::PANEL].as_chunks().0
    }

    /// Their part of a row of the output.
    #[inline(always)]
    fn row_slice(self, output: &mut [f32], row: usize) -> &mut [f32] {
        &mut output[row * self.of + self.first..][..self.count]
    }
}

/// Finishes eight sums and puts them where they belong in `to_row`, as far as it goes.
#[inline(always)]
fn store_eight<S: Isa>(isa: S, to_row: &mut [f32], eight: usize, epilogue: Epilogue, value: S::F32) {
    let (whole, rest) = to_row.as_chunks_mut::<8>();
    if let Some(to) = whole.get_mut(eight) {
        apply_epilogue(isa, epilogue, value, to);
    } else if eight == whole.len() && !rest.is_empty() {
        let mut to = pad_to_eight(rest, 0.0);
        apply_epilogue(isa, epilogue, value, &mut to);
        rest.copy_from_slice(&to[..rest.len()]);
    }
}

#[inline(always)]
fn apply_epilogue<S: Isa>(isa: S, epilogue: Epilogue, value: S::F32, to: &mut [f32; 8]) {
    let value = match epilogue {
        Epilogue::Store => value,
        Epilogue::Add => isa.add(value, isa.load(to)),
        Epilogue::Activate(activation) => activate(isa, activation, value),
    };
    isa.store(value, to);
}

#[inline(always)]
pub(super) fn activate<S: Isa>(isa: S, activation: Activation, x: S::F32) -> S::F32 {
    match activation {
        Activation::Gelu => math::gelu(isa, x),
        Activation::GeluTanh => {
            // sqrt(2 / pi) (x + 0.044715 x^3)
            let cube = isa.mul(isa.mul(x, x), x);
            let inner = isa.mul(isa.splat(0.797_884_6), isa.add(x, isa.mul(isa.splat(0.044_715), cube)));
            let half = isa.mul(x, isa.splat(0.5));
            isa.mul(half, isa.add(isa.splat(1.0), math::tanh(isa, inner)))
        }
        Activation::Relu => isa.max(x, isa.splat(0.0)),
        Activation::Silu => isa.div(x, isa.add(isa.splat(1.0), math::exp(isa, isa.sub(isa.splat(0.0), x)))),
        Activation::Tanh => math::tanh(isa, x),
    }
}
