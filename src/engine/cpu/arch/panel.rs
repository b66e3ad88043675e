//! The operands of a q8 layer.

use super::split::Remainder;
use super::{QuantizedValue, WeightCodes};

/// A panel of packed weights.
#[derive(Clone, Copy)]
pub(crate) struct Panel<'a> {
    /// `[depth / n][PANEL]` of [`WeightCodes`], each of `n` values in 0..=127.
    pub(crate) codes: &'a [WeightCodes],
    /// The parts of weights that `Isa::arrange` split off.
    pub(crate) remainders: &'a [Remainder],
}

/// The constants of a quantized row: `x = value * scale + zero_point`.
#[derive(Clone, Copy)]
pub(crate) struct RowConstants {
    pub(crate) scale: f32,
    pub(crate) zero_point: f32,
    /// 64 times the sum of the values.
    pub(crate) offset_term: f32,
}

/// Consecutive quantized rows with their terms.
#[derive(Clone, Copy)]
pub(crate) struct PanelRows<'a> {
    /// `[count and padding rows, stride]`.
    pub(crate) values: &'a [QuantizedValue],
    pub(crate) stride: usize,
    pub(crate) count: usize,
}

/// The columns of a panel without padding columns.
#[derive(Clone, Copy)]
pub(crate) struct PanelColumns<'a> {
    /// `[PANEL]`, as are the next two.
    pub(crate) scales: &'a [f32],
    pub(crate) column_sums: &'a [f32],
    pub(crate) biases: &'a [f32],
    /// Columns of the whole output.
    pub(crate) total: usize,
    /// True to add results to the output, false to overwrite it.
    pub(crate) adds: bool,
}
