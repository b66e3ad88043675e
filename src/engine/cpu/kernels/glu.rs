//! The product inside a gated feed-forward block.

use super::lanes::pad_to_eight;
use super::linear::activate;
use crate::checkpoint::Activation;
use crate::engine::cpu::arch::Isa;

/// Turns rows `[rows, 2 columns]`, which have what is activated in front and its gate behind, into
/// `[rows, columns]` of `activation(x) * gate`, end to end from the beginning of `rows` on.
#[inline(always)]
pub(super) fn glu<S: Isa>(isa: S, rows: &mut [f32], columns: usize, activation: Activation) {
    for row in 0..rows.len() / (2 * columns) {
        // A row goes where only earlier rows were, or itself.
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
