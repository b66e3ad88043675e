//! `x W^T + b` over packed weights, and what follows it, tile by tile.

use super::lanes::padded;
use super::quantize::QuantisedRows;
use crate::checkpoint::Activation;
use crate::engine::cpu::arch::{DEPTH_STEP, Isa, MOST_COLUMNS, MOST_ROWS, Tile, unpacked};
use crate::engine::cpu::packed_weights::{PackedF32, PackedQ8};
use crate::math;

/// What becomes of the sums of a linear layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
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
    pub(crate) then: Then,
}

/// A linear layer with 7-bit weights over quantised rows. What their remainders give is added to the rows they are of.
#[inline(always)]
pub(super) fn linear_q8<S: Isa>(layer: &PackedQ8, input: &mut QuantisedRows, output: Output) {
    let mut tile: Tile<i32> = [0; MOST_ROWS * MOST_COLUMNS];
    let mut corrections = std::mem::take(&mut input.corrections);
    corrections.resize(input.precise.len() * S::PANEL, 0.0);
    let all = input.rows + input.precise.len();
    let panels = layer.panels.chunks_exact(layer.depth / DEPTH_STEP * S::PANEL);
    let mut room = Vec::new();
    for (index, panel) in panels.enumerate() {
        let panel = unpacked(panel, &mut room);
        let columns = Columns::of::<S>(index, layer.columns);
        let constants = Constants {
            scales: columns.eights::<S>(&layer.scales),
            sums: columns.eights::<S>(&layer.sums),
            biases: columns.eights::<S>(&layer.biases),
        };
        // Tiles from the last to the first: what a remainder gives is there when the row it is of needs it.
        let mut precise = input.precise.iter().enumerate().rev().peekable();
        for first in (0..all).step_by(S::ROWS).rev() {
            S::tile_q8(&input.values[first * input.stride..], input.stride, panel, &mut tile);
            let end = all.min(first + S::ROWS);
            for row in input.rows.max(first)..end {
                let sums = tile[(row - first) * S::PANEL..][..S::PANEL].as_chunks::<8>().0;
                let to = corrections[(row - input.rows) * S::PANEL..][..S::PANEL].as_chunks_mut::<8>().0;
                for (eight, (sums, to)) in sums.iter().zip(to).enumerate() {
                    S::store(constants.product::<S>(input, row, eight, sums), to);
                }
            }
            for (row, sums) in (first..end.min(input.rows)).zip(tile.chunks_exact(S::PANEL)).rev() {
                let line = columns.line(output.values, row);
                let correction = precise.next_if(|(_, of)| **of == row);
                for (eight, sums) in sums.as_chunks::<8>().0.iter().enumerate() {
                    let mut product = constants.product::<S>(input, row, eight, sums);
                    if let Some((remainder, _)) = correction {
                        let correction = &corrections[remainder * S::PANEL..].as_chunks().0[eight];
                        product = S::add(product, S::load(correction));
                    }
                    write::<S>(line, eight, output.then, S::add(product, S::load(&constants.biases[eight])));
                }
            }
        }
    }
    input.corrections = corrections;
}

/// What a column of a panel is scaled by and what is added, in eights.
struct Constants<'a> {
    scales: &'a [[f32; 8]],
    sums: &'a [[f32; 8]],
    biases: &'a [[f32; 8]],
}

impl Constants<'_> {
    /// `row` times eight columns, from the sums of the products of their codes.
    #[inline(always)]
    fn product<S: Isa>(&self, input: &QuantisedRows, row: usize, eight: usize, sums: &[i32; 8]) -> S::F32 {
        let sums = S::sub(S::load_i32(sums), S::splat(input.offsets[row]));
        let scaled = S::mul(S::mul(sums, S::splat(input.scales[row])), S::load(&self.scales[eight]));
        S::add(scaled, S::mul(S::splat(input.middles[row]), S::load(&self.sums[eight])))
    }
}

/// A linear layer in f32 over `rows` rows of `input`, which are `layer.depth` long.
#[inline(always)]
pub(super) fn linear_f32<S: Isa>(layer: &PackedF32, input: &[f32], rows: usize, output: Output) {
    let mut tile: Tile<f32> = [0.0; MOST_ROWS * MOST_COLUMNS];
    for (index, panel) in layer.panels.chunks_exact(layer.depth * S::PANEL).enumerate() {
        let columns = Columns::of::<S>(index, layer.columns);
        let biases = columns.eights::<S>(&layer.biases);
        for first in (0..rows).step_by(S::ROWS) {
            S::tile_f32(&input[first * layer.depth..], layer.depth, panel, &mut tile);
            for (row, sums) in (first..rows).zip(tile.chunks_exact(S::PANEL).take(S::ROWS)) {
                let line = columns.line(output.values, row);
                for (eight, sums) in sums.as_chunks::<8>().0.iter().enumerate() {
                    write::<S>(line, eight, output.then, S::add(S::load(sums), S::load(&biases[eight])));
                }
            }
        }
    }
}

/// The columns of one panel.
#[derive(Clone, Copy)]
struct Columns {
    first: usize,
    count: usize,
    /// Columns of the whole output.
    of: usize,
}

impl Columns {
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
    fn line(self, output: &mut [f32], row: usize) -> &mut [f32] {
        &mut output[row * self.of + self.first..][..self.count]
    }
}

/// Finishes eight sums and puts them where they belong in `line`, as far as it goes.
#[inline(always)]
fn write<S: Isa>(line: &mut [f32], eight: usize, then: Then, value: S::F32) {
    let (whole, rest) = line.as_chunks_mut::<8>();
    if let Some(to) = whole.get_mut(eight) {
        finish::<S>(then, value, to);
    } else if eight == whole.len() && !rest.is_empty() {
        let mut to = padded(rest, 0.0);
        finish::<S>(then, value, &mut to);
        rest.copy_from_slice(&to[..rest.len()]);
    }
}

#[inline(always)]
fn finish<S: Isa>(then: Then, value: S::F32, to: &mut [f32; 8]) {
    let value = match then {
        Then::Store => value,
        Then::Add => S::add(value, S::load(to)),
        Then::Activate(activation) => activate::<S>(activation, value),
    };
    S::store(value, to);
}

#[inline(always)]
pub(super) fn activate<S: Isa>(activation: Activation, x: S::F32) -> S::F32 {
    match activation {
        Activation::Gelu => math::gelu::<S>(x),
        Activation::GeluTanh => {
            // sqrt(2 / pi) (x + 0.044715 x^3)
            let cube = S::mul(S::mul(x, x), x);
            let inner = S::mul(S::splat(0.797_884_6), S::add(x, S::mul(S::splat(0.044_715), cube)));
            let half = S::mul(x, S::splat(0.5));
            S::mul(half, S::add(S::splat(1.0), math::tanh::<S>(inner)))
        }
        Activation::Relu => S::max(x, S::splat(0.0)),
        Activation::Silu => S::div(x, S::add(S::splat(1.0), math::exp::<S>(S::sub(S::splat(0.0), x)))),
        Activation::Tanh => math::tanh::<S>(x),
    }
}
