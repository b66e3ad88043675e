//! Attention in f32.

use super::super::super::arch::{Isa, MOST_COLUMNS, MOST_ROWS, Tile};
use super::{Attend, Rows, exponentials};

/// Keys and values of one head, packed.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// `[panels of keys, head_dim, panel]`.
    keys: Vec<f32>,
    /// `[panels of columns, keys, panel]`.
    values: Vec<f32>,
}

/// See [the module](super).
#[inline(always)]
pub(in super::super) fn attend<S: Isa>(attend: Attend) {
    let Attend { query, key, value, heads, head_dim, context, scratch } = attend;
    let hidden = heads * head_dim;
    let padded = key.count.next_multiple_of(S::PANEL);
    scratch.logits.resize(MOST_ROWS * padded, 0.0);
    let (scale, eights) = (1.0 / (head_dim as f32).sqrt(), key.count.next_multiple_of(8));
    let mut tile: Tile<f32> = [0.0; MOST_ROWS * MOST_COLUMNS];
    for head in (0..hidden).step_by(head_dim) {
        pack_keys::<S>(key, head, head_dim, &mut scratch.float.keys);
        pack_values::<S>(value, head, head_dim, &mut scratch.float.values);
        for first in (0..query.count).step_by(S::ROWS) {
            let count = S::ROWS.min(query.count - first);
            let rows = &query.values[(query.first + first) * query.stride + head..];
            for (panel, keys) in scratch.float.keys.chunks_exact(head_dim * S::PANEL).enumerate() {
                S::tile_f32(rows, query.stride, keys, &mut tile);
                for (row, sums) in tile.chunks_exact(S::PANEL).take(count).enumerate() {
                    scratch.logits[row * padded + panel * S::PANEL..][..S::PANEL].copy_from_slice(sums);
                }
            }
            let mut inverse = [0.0; MOST_ROWS];
            for (row, inverse) in inverse.iter_mut().take(count).enumerate() {
                let logits = &mut scratch.logits[row * padded..][..eights];
                *inverse = 1.0 / exponentials::<S>(logits, key.count, scale);
            }
            for (panel, values) in scratch.float.values.chunks_exact(key.count * S::PANEL).enumerate() {
                S::tile_f32(&scratch.logits, padded, values, &mut tile);
                let from = panel * S::PANEL;
                let width = S::PANEL.min(head_dim - from);
                for (row, sums) in tile.chunks_exact(S::PANEL).take(count).enumerate() {
                    let to = &mut context[(first + row) * hidden + head + from..][..width];
                    for (to, sum) in to.iter_mut().zip(sums) {
                        *to = sum * inverse[row];
                    }
                }
            }
        }
    }
}

/// Keys as the tile wants weights, zeros after the last.
#[inline(always)]
fn pack_keys<S: Isa>(rows: Rows, head: usize, head_dim: usize, out: &mut Vec<f32>) {
    out.clear();
    out.resize(rows.count.next_multiple_of(S::PANEL) * head_dim, 0.0);
    for row in 0..rows.count {
        let panel = &mut out[row / S::PANEL * S::PANEL * head_dim..][..S::PANEL * head_dim];
        for (value, lanes) in
            rows.row(row, head + head_dim)[head..].iter().zip(panel.chunks_exact_mut(S::PANEL))
        {
            lanes[row % S::PANEL] = *value;
        }
    }
}

/// Values as the tile wants weights, zeros after the last column.
#[inline(always)]
fn pack_values<S: Isa>(rows: Rows, head: usize, head_dim: usize, out: &mut Vec<f32>) {
    out.clear();
    out.resize(head_dim.next_multiple_of(S::PANEL) * rows.count, 0.0);
    for row in 0..rows.count {
        for (panel, from) in rows.row(row, head + head_dim)[head..].chunks(S::PANEL).enumerate() {
            out[(panel * rows.count + row) * S::PANEL..][..from.len()].copy_from_slice(from);
        }
    }
}
