//! Multi-head attention of one pair: `softmax(q k^T / sqrt(head_dim)) v` for each head.
//!
//! In f32 over f32, and in q8 over 16-bit integers: those are exact in whatever order they are added, twice as fast as
//! f32 where nothing may be fused, and so fine that the 8-bit layers around them drown what they lose.

mod float;
mod integer;

pub(super) use float::attend as attend_f32;
pub(super) use integer::attend as attend_i16;

use super::super::arch::Isa;
use super::lanes::{range, sum};
use crate::math;

/// Rows of one pair within a matrix of all pairs: row `i`, column `c` is at `values[(first + i) * stride + c]`.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Rows<'a> {
    /// With [`MOST_ROWS`](super::super::arch::MOST_ROWS) rows to spare at the end.
    pub(in super::super) values: &'a [f32],
    /// Values from one row to the next.
    pub(in super::super) stride: usize,
    /// Where the pair begins.
    pub(in super::super) first: usize,
    /// Rows of the pair.
    pub(in super::super) count: usize,
}

impl<'a> Rows<'a> {
    /// A row's first `columns` columns.
    #[inline(always)]
    fn row(&self, row: usize, columns: usize) -> &'a [f32] {
        &self.values[(self.first + row) * self.stride..][..columns]
    }
}

/// Queries, keys and values of one pair with the heads side by side, and where the result goes.
#[derive(Debug)]
pub(in super::super) struct Attend<'a> {
    pub(in super::super) query: Rows<'a>,
    pub(in super::super) key: Rows<'a>,
    pub(in super::super) value: Rows<'a>,
    pub(in super::super) heads: usize,
    pub(in super::super) head_dim: usize,
    /// `[query rows, heads * head_dim]`.
    pub(in super::super) context: &'a mut [f32],
    pub(in super::super) scratch: &'a mut Scratch,
}

/// What attention needs room for; grows to the longest pair and is used again.
#[derive(Debug, Default)]
pub(in super::super) struct Scratch {
    float: float::Scratch,
    integer: integer::Scratch,
    /// Logits of a tile's rows, then powers: `[MOST_ROWS, keys rounded up]`.
    logits: Vec<f32>,
}

/// Turns the first `count` logits of whole eights into `e^(scale (x - largest))`, which is softmax without its division,
/// and returns their sum; the rest become next to nothing.
#[inline(always)]
fn exponentials<S: Isa>(logits: &mut [f32], count: usize, scale: f32) -> f32 {
    logits[count..].fill(f32::NEG_INFINITY);
    let largest = S::splat(range::<S>(logits).1);
    let scale = S::splat(scale);
    let mut total = S::splat(0.0);
    for eight in logits.as_chunks_mut::<8>().0 {
        let power = math::exp::<S>(S::mul(S::sub(S::load(eight), largest), scale));
        S::store(power, eight);
        total = S::add(total, power);
    }
    sum::<S>(total)
}
