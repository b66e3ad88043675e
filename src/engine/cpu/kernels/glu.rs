//! Gated linear units (GLU Variants, Shazeer 2020, arXiv 2002.05202): the product in a gated feed-forward block.

use super::lanes::pad_to_eight;
use super::linear::activate;
use crate::checkpoint::Activation;
use crate::engine::cpu::arch::Isa;

/// Computes `activation(x) * gate` in place: rows `[x, gate]` of `2 * columns` values become rows of `columns` values,
/// end to end from the start of `rows`.
#[inline(always)]
pub(super) fn glu<S: Isa>(isa: S, rows: &mut [f32], columns: usize, activation: Activation) {
    for row in 0..rows.len() / (2 * columns) {
        // In place, because a result is written only over values that were read before.
        let (from, to) = (2 * row * columns, row * columns);
        for column in (0..columns).step_by(8) {
            let width = 8.min(columns - column);
            let x = pad_to_eight(&rows[from + column..][..width], 0.0);
            let gate = pad_to_eight(&rows[from + columns + column..][..width], 0.0);
            let mut product = [0.0; 8];
            isa.store(isa.mul(activate(isa, activation, isa.load(&x)), isa.load(&gate)), &mut product);
            rows[to + column..][..width].copy_from_slice(&product[..width]);
        }
    }
}
