//! Linear layers, `x W^T + b`, with an epilogue, over packed weights and tile by tile.

use super::lanes::pad_to_eight;
use super::quantize::QuantizedRows;
use crate::checkpoint::Activation;
use crate::engine::cpu::arch::{DEPTH_STEP, Isa, MAX_TILE_COLUMNS, MAX_TILE_ROWS, Tile, widen_panel};
use crate::engine::cpu::packed_weights::{PackedF32, PackedQ8};
use crate::math;

/// The operation applied to the results of a linear layer before they are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Epilogue {
    /// Stores the results.
    Store,
    /// Stores the results of an activation function.
    Activate(Activation),
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
pub(super) fn linear_q8<S: Isa>(isa: S, layer: &PackedQ8, input: &mut QuantizedRows, output: Output) {
    let mut tile: Tile<i32> = [0; MAX_TILE_ROWS * MAX_TILE_COLUMNS];
    let mut residual_products = std::mem::take(&mut input.residual_products);
    residual_products.resize(input.two_step_rows.len() * S::PANEL, 0.0);
    let all = input.rows + input.two_step_rows.len();
    let panels = layer.panels.chunks_exact(layer.depth / DEPTH_STEP * S::PANEL);
    let mut buffer = Vec::new();
    // Panels outside, rows inside: a panel stays in the L1 or L2 cache for all rows.
    for (index, panel) in panels.enumerate() {
        let panel = widen_panel(panel, &mut buffer);
        let columns = PanelColumns::of::<S>(index, layer.columns);
        let constants = ColumnConstants {
            scales: columns.eights::<S>(&layer.scales),
            column_sums: columns.eights::<S>(&layer.column_sums),
            biases: columns.eights::<S>(&layer.biases),
        };
        // Tiles from the last to the first, because residual rows come last and their products are added to earlier
        // rows.
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
                let row_values = columns.row_slice(output.values, row);
                let residual = two_step.next_if(|(_, of)| **of == row);
                for (eight, sums) in sums.as_chunks::<8>().0.iter().enumerate() {
                    let mut product = constants.product(isa, input, row, eight, sums);
                    if let Some((residual, _)) = residual {
                        let residual_product = &residual_products[residual * S::PANEL..].as_chunks().0[eight];
                        product = isa.add(product, isa.load(residual_product));
                    }
                    store_eight(
                        isa,
                        row_values,
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

/// The scales, weight sums and biases of a panel's columns, in groups of eight.
struct ColumnConstants<'a> {
    scales: &'a [[f32; 8]],
    column_sums: &'a [[f32; 8]],
    biases: &'a [[f32; 8]],
}

impl ColumnConstants<'_> {
    /// Returns `row` times eight columns, from the sums of the products of their codes.
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

/// Computes a linear layer in f32 over `rows` rows of `input`, each of `layer.depth` values.
#[inline(always)]
pub(super) fn linear_f32<S: Isa>(isa: S, layer: &PackedF32, input: &[f32], rows: usize, output: Output) {
    let mut tile: Tile<f32> = [0.0; MAX_TILE_ROWS * MAX_TILE_COLUMNS];
    // Panels outside, as in `linear_q8`. Each sum runs over the whole depth in one order, whatever the tile.
    for (index, panel) in layer.panels.chunks_exact(layer.depth * S::PANEL).enumerate() {
        let columns = PanelColumns::of::<S>(index, layer.columns);
        let biases = columns.eights::<S>(&layer.biases);
        for first in (0..rows).step_by(S::ROWS) {
            isa.tile_f32(&input[first * layer.depth..], layer.depth, panel, &mut tile);
            for (row, sums) in (first..rows).zip(tile.chunks_exact(S::PANEL).take(S::ROWS)) {
                let row_values = columns.row_slice(output.values, row);
                for (eight, sums) in sums.as_chunks::<8>().0.iter().enumerate() {
                    store_eight(
                        isa,
                        row_values,
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
    total: usize,
}

impl PanelColumns {
    #[inline(always)]
    fn of<S: Isa>(panel: usize, total: usize) -> Self {
        let first = panel * S::PANEL;
        Self { first, count: S::PANEL.min(total - first), total }
    }

    /// Their part of a vector with one value per column, zero-padded to whole panels, in groups of eight.
    #[inline(always)]
    fn eights<S: Isa>(self, vector: &[f32]) -> &[[f32; 8]] {
        vector[self.first..][..S::PANEL].as_chunks().0
    }

    /// Their part of a row of the output.
    #[inline(always)]
    fn row_slice(self, output: &mut [f32], row: usize) -> &mut [f32] {
        &mut output[row * self.total + self.first..][..self.count]
    }
}

/// Applies the epilogue to eight results and stores those that are within the row.
#[inline(always)]
fn store_eight<S: Isa>(isa: S, row_values: &mut [f32], eight: usize, epilogue: Epilogue, value: S::F32) {
    let (whole, rest) = row_values.as_chunks_mut::<8>();
    if let Some(to) = whole.get_mut(eight) {
        apply_epilogue(isa, epilogue, value, to);
    } else if eight == whole.len() && !rest.is_empty() {
        let mut to = pad_to_eight(rest, 0.0);
        apply_epilogue(isa, epilogue, value, &mut to);
        rest.copy_from_slice(&to[..rest.len()]);
    }
}

/// Stores eight results in `to` after the epilogue.
#[inline(always)]
fn apply_epilogue<S: Isa>(isa: S, epilogue: Epilogue, value: S::F32, to: &mut [f32; 8]) {
    let value = match epilogue {
        Epilogue::Store => value,
        Epilogue::Add => isa.add(value, isa.load(to)),
        Epilogue::Activate(activation) => activate(isa, activation, value),
    };
    isa.store(value, to);
}

/// Computes an activation function of eight lanes.
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
        Activation::QuickGelu => math::quick_gelu(isa, x),
        Activation::ClippedGelu => isa.min(isa.max(math::gelu(isa, x), isa.splat(-10.0)), isa.splat(10.0)),
        Activation::ReluSquared => {
            let positive = isa.max(x, isa.splat(0.0));
            isa.mul(positive, positive)
        }
        Activation::Relu6 => isa.min(isa.max(x, isa.splat(0.0)), isa.splat(6.0)),
        Activation::LeakyRelu => isa.max(x, isa.mul(x, isa.splat(0.01))),
        Activation::Mish => math::mish(isa, x),
        Activation::Hardswish => {
            let gate = isa.min(isa.max(isa.add(x, isa.splat(3.0)), isa.splat(0.0)), isa.splat(6.0));
            isa.div(isa.mul(x, gate), isa.splat(6.0))
        }
        Activation::Sigmoid => math::sigmoid(isa, x),
        Activation::Linear => x,
    }
}
