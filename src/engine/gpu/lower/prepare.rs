//! Lowers a Plan to the GPU engine's steps: packs and uploads the tensors it names.

use super::constants::Upload;
use super::weights::{Column, Packer};
use crate::checkpoint::Weights;
use crate::engine::gpu::GpuEngine;
use crate::engine::gpu::record::{
    Constant, Dispatch, Linear, Norm, Product, Q8Tables, Slot, Step, VEC4, bytes, gemm, norm_in_place,
};
use crate::engine::gpu::shader::{Epilogue, GemmTile, Storage};
use crate::engine::lower::{Lower, StepTypes, lower};
use crate::engine::positions::{alibi_slopes, distance_biases};
use crate::engine::weight_checks::check_magnitude;
use crate::error::Result;
use crate::model::{self, Plan};

/// A lowered Plan. Its weights are in the uploaded constants.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    pub(crate) steps: Vec<Step>,
    /// Rotary positions and their `head_dim`, by [`StepTypes::Rotary`].
    pub(crate) rotations: Vec<(model::Rotary, usize)>,
    /// Tables of relative positions, by [`StepTypes::DistanceRows`].
    pub(crate) relative_tables: Vec<model::Disentangled>,
    /// Dispatches that run once after the upload and compute constants from other constants.
    pub(crate) setup_dispatches: Vec<Dispatch>,
    /// Constants that only the setup dispatches read; they are freed afterwards.
    pub(crate) setup_only: Vec<Constant>,
}

/// Lowers a Plan. Its tensors must have been validated; they stay in `weights`.
pub(crate) fn prepare(
    plan: &Plan,
    weights: &Weights,
    storage: Storage,
    tile: GemmTile,
    upload: &mut impl Upload,
) -> Result<Prepared> {
    let packer = Packer { weights, storage, upload };
    let mut lowering = Lowering { packer, tile, prepared: Prepared::default() };
    lowering.prepared.steps = lower(plan, &mut lowering)?;
    Ok(lowering.prepared)
}

impl StepTypes for GpuEngine {
    /// Vectors of a row. The rows themselves are gathered on the CPU.
    type Embedding = usize;
    type Linear = Linear;
    type Norm = Norm;
    /// Index into [`Prepared::rotations`].
    type Rotary = usize;
    type Biases = Constant;
    type PositionTable = Constant;
    /// Index into [`Prepared::relative_tables`].
    type DistanceRows = usize;
}

struct Lowering<'a, U> {
    packer: Packer<'a, U>,
    tile: GemmTile,
    prepared: Prepared,
}

impl<U: Upload> Lower<GpuEngine> for Lowering<'_, U> {
    /// The rows, which are normalized by a setup dispatch, and their number.
    type Table = (Constant, usize);

    fn embedding(&mut self, embed: &model::Embed) -> Result<usize> {
        Ok(embed.word.width.div_ceil(VEC4))
    }

    fn norm(&mut self, norm: &model::LayerNorm) -> Result<Norm> {
        self.packer.norm(norm)
    }

    fn linear(&mut self, layers: &[&model::Linear]) -> Result<Linear> {
        let columns: Vec<Column> = layers
            .iter()
            .enumerate()
            .flat_map(|(layer, linear)| {
                padded(linear.out_features()).map(move |feature| Some((layer, feature?)))
            })
            .collect();
        self.packer.linear(layers, &columns, &padded_features(layers[0].in_features))
    }

    fn head_projections(&mut self, layers: &[&model::Linear], head_dim: usize) -> Result<Linear> {
        let columns: Vec<Column> = layers
            .iter()
            .enumerate()
            .flat_map(|(layer, linear)| {
                let features = head_features(linear.out_features(), head_dim).into_iter();
                features.map(move |feature| feature.map(|feature| (layer, feature)))
            })
            .collect();
        self.packer.linear(layers, &columns, &padded_features(layers[0].in_features))
    }

    fn attention_output(&mut self, layer: &model::Linear, heads: usize) -> Result<Linear> {
        let columns: Vec<Column> =
            padded(layer.out_features()).map(|feature| feature.map(|feature| (0, feature))).collect();
        self.packer.linear(&[layer], &columns, &head_features(layer.in_features, layer.in_features / heads))
    }

    fn gated(&mut self, layer: &model::Linear, gate: &model::Linear) -> Result<Linear> {
        let columns = interleaved(layer.out_features());
        self.packer.linear(&[layer, gate], &columns, &padded_features(layer.in_features))
    }

    fn rotary(&mut self, rotary: model::Rotary, head_dim: usize) -> usize {
        self.prepared.rotations.push((rotary, head_dim));
        self.prepared.rotations.len() - 1
    }

    fn slopes(&mut self, heads: usize) -> Result<Constant> {
        self.packer.upload_f32("the ALiBi slopes", &alibi_slopes(heads))
    }

    fn distance_biases(&mut self, table: &model::Table) -> Result<Constant> {
        let values = self.packer.weights.view(&table.weight)?.to_f32();
        check_magnitude(&table.weight, values.iter().copied())?;
        self.packer.upload_f32(&table.weight, &distance_biases(&values, table.width))
    }

    fn table(&mut self, positions: &model::Disentangled) -> Result<(Constant, usize)> {
        let model::Table { weight, rows, width } = &positions.table;
        let values = self.packer.weights.view(weight)?.to_f32();
        check_magnitude(weight, values.iter().copied())?;
        let vectors = width.div_ceil(VEC4);
        let padded: Vec<f32> = values
            .chunks_exact(*width)
            .flat_map(|row| row.iter().copied().chain(std::iter::repeat(0.0)).take(vectors * VEC4))
            .collect();
        let constant = self.packer.upload_f32(weight, &padded)?;
        if let Some(norm) = &positions.norm {
            let norm = self.packer.norm(norm)?;
            self.prepared.setup_dispatches.push(norm_in_place(&norm, Slot::Constant(constant), *rows, false));
        }
        self.prepared.setup_only.push(constant);
        Ok((constant, *rows))
    }

    fn project_table(
        &mut self,
        &(table, rows): &(Constant, usize),
        layer: &model::Linear,
        heads: usize,
    ) -> Result<Constant> {
        let linear = self.head_projections(&[layer], layer.out_features() / heads)?;
        let size = bytes(rows, linear.column_vectors);
        let projected = self.packer.upload.create("relative positions", size)?;
        let buffers = [table, projected].map(Slot::Constant);
        let work = (Product::F32, Epilogue::Store);
        let dispatch = gemm(&linear, buffers, [rows, linear.column_vectors], work, self.tile);
        self.prepared.setup_dispatches.push(dispatch);
        self.prepared.setup_only.extend([linear.weight, linear.bias]);
        if let Some(Q8Tables { scales, factors, column_sums }) = linear.q8 {
            self.prepared.setup_only.extend([scales, factors, column_sums]);
        }
        Ok(projected)
    }

    /// Layers share an index if their distances map to the same rows, whatever their projections.
    fn distance_rows(&mut self, positions: &model::Disentangled) -> usize {
        let known = &mut self.prepared.relative_tables;
        let key = |of: &model::Disentangled| (of.table.clone(), of.buckets, of.max_distance);
        known.iter().position(|table| key(table) == key(positions)).unwrap_or_else(|| {
            known.push(positions.clone());
            known.len() - 1
        })
    }
}

/// Returns `0..count`, padded with `None` to whole vectors.
fn padded(count: usize) -> impl Iterator<Item = Option<usize>> {
    (0..count.next_multiple_of(VEC4)).map(move |feature| (feature < count).then_some(feature))
}

/// Returns the input feature at each column of a padded input row.
fn padded_features(count: usize) -> Vec<Option<usize>> {
    padded(count).collect()
}

/// Returns the feature at each column of a row of heads, each padded to whole vectors.
fn head_features(count: usize, head_dim: usize) -> Vec<Option<usize>> {
    (0..count / head_dim)
        .flat_map(|head| {
            padded(head_dim).map(move |feature| feature.map(|feature| head * head_dim + feature))
        })
        .collect()
}

/// Returns the columns of a layer and its gate, alternating vector by vector.
fn interleaved(count: usize) -> Vec<Column> {
    padded_features(count)
        .chunks_exact(VEC4)
        .flat_map(|vector| {
            [0, 1].map(|layer| vector.iter().map(move |feature| feature.map(|feature| (layer, feature))))
        })
        .flatten()
        .collect()
}
