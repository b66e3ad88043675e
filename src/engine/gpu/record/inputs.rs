//! Uploads of a batch: embeddings, offsets, attention tiles and position tables.

use super::recorder::BatchShape;
use super::recording::{Input, Scratch, Slot};
use super::steps::VEC4;
use crate::engine::embed::Embedding;
use crate::engine::gpu::shader::QUERY_TILE;
use crate::engine::positions::RotaryTable;
use crate::model::{Disentangled, Rotary};
use crate::text::Batch;

/// Buffers and their contents.
pub(crate) type Uploads = Vec<(Slot, Vec<u8>)>;

/// Returns the shape of a batch.
pub(crate) fn shape(batch: &Batch) -> BatchShape {
    let tiles = batch.ranges().map(|rows| rows.len().div_ceil(QUERY_TILE)).sum();
    BatchShape { tokens: batch.tokens(), pairs: batch.pairs(), tiles, max_seqlen: max_seqlen(batch) }
}

/// Returns everything that the kernels read of a batch.
pub(crate) fn uploads(
    batch: &Batch,
    embedding: &Embedding,
    rotations: &[(Rotary, usize)],
    relative_tables: &[Disentangled],
    needs_positions: bool,
) -> Uploads {
    let cu_seqlens: Vec<u32> = batch.cu_seqlens.iter().map(|row| *row as u32).collect();
    let mut uploads = vec![
        (Slot::Scratch(Scratch::ResidualA), embeddings(batch, embedding)),
        (Slot::Input(Input::CuSeqlens), words(&cu_seqlens)),
        (Slot::Input(Input::Tiles), words(&tiles(batch))),
        (Slot::Input(Input::ClsTiles), words(&cls_tiles(batch))),
    ];
    if needs_positions || !rotations.is_empty() {
        let positions: Vec<u32> = batch.ranges().flat_map(|rows| 0..rows.len() as u32).collect();
        uploads.push((Slot::Input(Input::Positions), words(&positions)));
    }
    let max_seqlen = max_seqlen(batch);
    uploads.extend(rotations.iter().enumerate().map(|(index, (rotary, head_dim))| {
        (Slot::Input(Input::RotaryTable(index)), rotary_table(rotary, *head_dim, max_seqlen))
    }));
    uploads.extend(relative_tables.iter().enumerate().map(|(index, table)| {
        let max_distance = max_seqlen.cast_signed() - 1;
        let rows: Vec<u32> =
            (-max_distance..=max_distance).map(|distance| table.row(distance) as u32).collect();
        (Slot::Input(Input::RelativeRows(index)), words(&rows))
    }));
    uploads
}

/// Returns the length of the longest pair, in tokens.
fn max_seqlen(batch: &Batch) -> usize {
    batch.ranges().map(|rows| rows.len()).max().unwrap_or(0)
}

/// Gathers the embedding rows, each padded to whole vectors.
fn embeddings(batch: &Batch, embedding: &Embedding) -> Vec<u8> {
    let (width, tokens) = (embedding.width(), batch.tokens());
    let mut rows = vec![0.0; tokens * width];
    embedding.gather(batch, &mut rows);
    let row_bytes = width.next_multiple_of(VEC4) * size_of::<f32>();
    let mut bytes = vec![0; tokens * row_bytes];
    for (row, to) in rows.chunks_exact(width).zip(bytes.chunks_exact_mut(row_bytes)) {
        for (value, to) in row.iter().zip(to.as_chunks_mut().0) {
            *to = value.to_le_bytes();
        }
    }
    bytes
}

/// Returns the tiles of attention over all rows: first query row, number of queries, first row of the pair, rows of the
/// pair. See `Tile` in `attention.wgsl`.
fn tiles(batch: &Batch) -> Vec<u32> {
    let tiles = batch.ranges().flat_map(|rows| {
        rows.clone().step_by(QUERY_TILE).map(move |first| {
            [first, QUERY_TILE.min(rows.end - first), rows.start, rows.len()].map(|number| number as u32)
        })
    });
    tiles.flatten().collect()
}

/// Returns the tiles of attention over CLS rows, whose queries have one row per pair.
fn cls_tiles(batch: &Batch) -> Vec<u32> {
    let tiles = batch
        .ranges()
        .enumerate()
        .map(|(pair, rows)| [pair, 1, rows.start, rows.len()].map(|number| number as u32));
    tiles.flatten().collect()
}

/// Returns cosines and sines, `[positions, head_dim / 2, 2]`.
fn rotary_table(rotary: &Rotary, head_dim: usize, positions: usize) -> Vec<u8> {
    let table = RotaryTable::new(rotary, head_dim, positions);
    let pairs = (0..positions).flat_map(|position| {
        let (cos, sin) = table.at(position);
        cos.iter().zip(sin).flat_map(|(cos, sin)| [cos.to_le_bytes(), sin.to_le_bytes()])
    });
    pairs.flatten().collect()
}

fn words(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}
