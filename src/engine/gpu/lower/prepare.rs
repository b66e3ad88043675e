//! From a Plan to steps whose weights are on the GPU.

use super::constants::Upload;
use super::weights::{Column, Packer};
use crate::checkpoint::Weights;
use crate::engine::gpu::record::{
    Attention, BlockNorm, Constant, Dispatch, FeedForward, Linear, Positions, Qkv, Relative, Slot, Step,
    VEC4, bytes, gemm,
};
use crate::engine::gpu::shader::{Epilogue, GemmTile, Kernel, Storage, row_grid};
use crate::engine::magnitude::check_magnitude;
use crate::engine::positions::alibi_slopes;
use crate::error::Result;
use crate::model::{self, Plan};

/// What lowering makes, beside the uploaded buffers.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    pub(crate) steps: Vec<Step>,
    /// Rotations, and the `head_dim` each is for.
    pub(crate) rotations: Vec<(model::Rotary, usize)>,
    /// Tables of relative positions, for the rows that distances have in them.
    pub(crate) relative_tables: Vec<model::Disentangled>,
    /// What has to run once, before anything else: it makes constants out of others.
    pub(crate) setup_dispatches: Vec<Dispatch>,
    /// Constants that only those need.
    pub(crate) setup_only: Vec<Constant>,
}

/// Uploads the weights of a Plan whose tensors have all been checked.
pub(crate) fn prepare(
    plan: &Plan,
    weights: &Weights,
    storage: Storage,
    tile: GemmTile,
    upload: &mut impl Upload,
) -> Result<Prepared> {
    let packer = Packer { weights, storage, upload };
    let mut lowering = Lowering { packer, tile, prepared: Prepared::default(), tables: Vec::new() };
    for step in &plan.steps {
        let step = lowering.step(step)?;
        lowering.prepared.steps.push(step);
    }
    Ok(lowering.prepared)
}

struct Lowering<'a, U> {
    packer: Packer<'a, U>,
    tile: GemmTile,
    prepared: Prepared,
    /// Tables of relative positions, normalised, and what they are.
    tables: Vec<(model::Table, Constant)>,
}

impl<U: Upload> Lowering<'_, U> {
    fn step(&mut self, step: &model::Step) -> Result<Step> {
        Ok(match step {
            model::Step::Embed(embed) => Step::Embed { vectors: embed.word.width.div_ceil(VEC4) },
            model::Step::Norm(norm) => Step::Norm(self.packer.norm(norm)?),
            model::Step::Project(layer) => Step::Project(self.linear(&[layer])?),
            model::Step::Attention(attention) => Step::Attention(Box::new(self.attention(attention)?)),
            model::Step::FeedForward(block) => Step::FeedForward(self.feed_forward(block)?),
            model::Step::Pool(pooling) => Step::Pool(*pooling),
        })
    }

    /// Layers side by side, their columns as they come.
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

    fn attention(&mut self, attention: &model::Attention) -> Result<Attention> {
        let model::Attention { query, key, value, output, heads, positions, window, rows, norm } = attention;
        let head_dim = query.out_features() / heads;
        let features = head_features(*heads, head_dim);
        let qkv = match rows {
            model::Rows::All => Qkv::All(self.head_projection(&[query, key, value], &features)?),
            model::Rows::Cls => Qkv::Cls {
                query: self.head_projection(&[query], &features)?,
                key_value: self.head_projection(&[key, value], &features)?,
            },
        };
        let outputs: Vec<Column> =
            padded(output.out_features()).map(|feature| feature.map(|feature| (0, feature))).collect();
        Ok(Attention {
            qkv,
            output: self.packer.linear(&[output], &outputs, &features)?,
            heads: *heads,
            head_dim,
            positions: self.positions(positions, *heads, head_dim)?,
            window: *window,
            norm: self.block_norm(norm)?,
        })
    }

    /// Projections to heads, each of them filled up to whole vectors.
    fn head_projection(&mut self, layers: &[&model::Linear], features: &[Option<usize>]) -> Result<Linear> {
        let columns: Vec<Column> = (0..layers.len())
            .flat_map(|layer| features.iter().map(move |feature| feature.map(|feature| (layer, feature))))
            .collect();
        self.packer.linear(layers, &columns, &padded_features(layers[0].in_features))
    }

    fn positions(
        &mut self,
        positions: &model::Positions,
        heads: usize,
        head_dim: usize,
    ) -> Result<Positions> {
        Ok(match positions {
            model::Positions::Absent => Positions::Absent,
            model::Positions::Rotary(rotary) => Positions::Rotary(self.rotation(*rotary, head_dim)),
            model::Positions::Alibi => {
                Positions::Alibi(self.packer.upload_f32("the slopes of the heads", &alibi_slopes(heads))?)
            }
            model::Positions::Disentangled(positions) => {
                Positions::Relative(self.relative(positions, heads, head_dim)?)
            }
        })
    }

    fn rotation(&mut self, rotary: model::Rotary, head_dim: usize) -> usize {
        let rotations = &mut self.prepared.rotations;
        rotations.iter().position(|known| *known == (rotary, head_dim)).unwrap_or_else(|| {
            rotations.push((rotary, head_dim));
            rotations.len() - 1
        })
    }

    /// Relative positions, to be projected once by the GPU as this layer projects them.
    fn relative(
        &mut self,
        positions: &model::Disentangled,
        heads: usize,
        head_dim: usize,
    ) -> Result<Relative> {
        let table = self.normed_table(positions)?;
        let mut project = |layer: &Option<model::Linear>| {
            layer
                .as_ref()
                .map(|layer| self.project_table(table, positions.table.rows, layer, heads, head_dim))
                .transpose()
        };
        let (key, query) = (project(&positions.key)?, project(&positions.query)?);
        Ok(Relative { key, query, relative_table: self.relative_table(positions) })
    }

    /// The number of a table; layers differ in their projections, which do not matter to distances.
    fn relative_table(&mut self, positions: &model::Disentangled) -> usize {
        let known = &mut self.prepared.relative_tables;
        let places = |of: &model::Disentangled| (of.table.clone(), of.buckets, of.max_distance);
        known.iter().position(|table| places(table) == places(positions)).unwrap_or_else(|| {
            known.push(positions.clone());
            known.len() - 1
        })
    }

    /// The rows of relative positions, normalised.
    fn normed_table(&mut self, positions: &model::Disentangled) -> Result<Constant> {
        if let Some((_, constant)) = self.tables.iter().find(|(table, _)| *table == positions.table) {
            return Ok(*constant);
        }
        let model::Table { weight, rows, width } = &positions.table;
        let values = self.packer.weights.view(weight)?.to_f32();
        check_magnitude(weight, values.iter().copied())?;
        let vectors = width.div_ceil(VEC4);
        let filled: Vec<f32> = values
            .chunks_exact(*width)
            .flat_map(|row| row.iter().copied().chain(std::iter::repeat(0.0)).take(vectors * VEC4))
            .collect();
        let constant = self.packer.upload_f32(weight, &filled)?;
        if let Some(norm) = &positions.norm {
            let norm = self.packer.norm(norm)?;
            let params = [*rows as u32, norm.width as u32, vectors as u32, norm.eps.to_bits()];
            self.prepared.setup_dispatches.push(Dispatch {
                kernel: Kernel::Norm { in_place: true },
                buffers: [norm.weight, norm.bias, constant].map(Slot::Constant).to_vec(),
                params: params.to_vec(),
                grid: row_grid(*rows),
            });
        }
        self.tables.push((positions.table.clone(), constant));
        self.prepared.setup_only.push(constant);
        Ok(constant)
    }

    fn project_table(
        &mut self,
        table: Constant,
        rows: usize,
        layer: &model::Linear,
        heads: usize,
        head_dim: usize,
    ) -> Result<Constant> {
        let linear = self.head_projection(&[layer], &head_features(heads, head_dim))?;
        let size = bytes(rows, linear.columns);
        let projected = self.packer.upload.create("relative positions", size)?;
        let buffers = [table, projected].map(Slot::Constant);
        self.prepared.setup_dispatches.push(gemm(
            &linear,
            buffers,
            [rows, linear.columns],
            Epilogue::Store,
            self.tile,
        ));
        self.prepared.setup_only.extend([linear.weight, linear.bias]);
        self.prepared.setup_only.extend(linear.scales.into_iter().flatten());
        Ok(projected)
    }

    fn feed_forward(&mut self, block: &model::FeedForward) -> Result<FeedForward> {
        let intermediate = match &block.gate {
            None => self.linear(&[&block.intermediate])?,
            Some(gate) => {
                let columns = interleaved(block.intermediate.out_features());
                let layers = [&block.intermediate, gate];
                self.packer.linear(&layers, &columns, &padded_features(block.intermediate.in_features))?
            }
        };
        Ok(FeedForward {
            intermediate,
            gated: block.gate.is_some(),
            activation: block.activation,
            output: self.linear(&[&block.output])?,
            norm: self.block_norm(&block.norm)?,
        })
    }

    fn block_norm(&mut self, norm: &model::BlockNorm) -> Result<BlockNorm> {
        Ok(match norm {
            model::BlockNorm::Before(norm) => BlockNorm::Before(self.packer.norm(norm)?),
            model::BlockNorm::After(norm) => BlockNorm::After(self.packer.norm(norm)?),
            model::BlockNorm::Absent => BlockNorm::Absent,
        })
    }
}

/// `0..count`, and nothing up to a whole vector.
fn padded(count: usize) -> impl Iterator<Item = Option<usize>> {
    (0..count.next_multiple_of(VEC4)).map(move |feature| (feature < count).then_some(feature))
}

/// The input feature at each place of an input row.
fn padded_features(count: usize) -> Vec<Option<usize>> {
    padded(count).collect()
}

/// The feature at each place of a row of heads, each of which is filled up to whole vectors.
fn head_features(heads: usize, head_dim: usize) -> Vec<Option<usize>> {
    (0..heads)
        .flat_map(|head| {
            padded(head_dim).map(move |feature| feature.map(|feature| head * head_dim + feature))
        })
        .collect()
}

/// Columns of a layer and of its gate, a vector of either in turns.
fn interleaved(count: usize) -> Vec<Column> {
    let features: Vec<_> = padded_features(count);
    features
        .chunks_exact(VEC4)
        .flat_map(|vector| {
            [0, 1].map(|layer| vector.iter().map(move |feature| feature.map(|feature| (layer, feature))))
        })
        .flatten()
        .collect()
}
