//! Lowers a Plan to the CPU engine's steps: packs the named tensors for the kernels.
//!
//! A tensor is freed as soon as it is packed, so the weights are never in memory twice.

use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use super::arch::MAX_TILE_ROWS;
use super::exec::{Attention, FeedForward, Input, Linear, Positions, QkvProjections, RotaryCache};
use super::kernels::{
    Epilogue, Kernels, Norm, Output, PackedPositions, QuantizedRows, RelativePositions, RowsView,
};
use super::packed_weights::{PackedF32, PackedQ8};
use super::{BlockNorm, Step};
use crate::checkpoint::{Tensor, Weights};
use crate::engine::embed::Embedding;
use crate::engine::magnitude::check_magnitude;
use crate::engine::positions::alibi_slopes;
use crate::error::{Result, weights};
use crate::model::{self, Plan, TensorRows};
use crate::options::Dtype;

/// Lowers all steps of a Plan. Its tensors must have been validated.
pub(super) fn steps(
    kernels: &'static dyn Kernels,
    plan: &Plan,
    weights: Weights,
    dtype: Dtype,
) -> Result<Vec<Step>> {
    let mut lowering = Lowering { weights, dtype, kernels, rotary_caches: Vec::new(), tables: Vec::new() };
    plan.steps.iter().map(|step| lowering.step(step)).collect()
}

struct Lowering {
    /// Tensors that have not been packed yet.
    weights: Weights,
    dtype: Dtype,
    kernels: &'static dyn Kernels,
    /// Rotary tables made so far; layers with the same angles share one.
    rotary_caches: Vec<Arc<RotaryCache>>,
    /// Tables of relative positions made so far, normalized; layers with the same table share one.
    tables: Vec<(model::Disentangled, Rc<Vec<f32>>)>,
}

/// Reads rows of a tensor: [`Weights::take_rows`], or [`Weights::view_rows`] if other layers read the same rows later.
type Read = fn(&mut Weights, &str, Range<usize>) -> Result<Tensor>;

impl Lowering {
    fn step(&mut self, step: &model::Step) -> Result<Step> {
        Ok(match step {
            model::Step::Embed(embed) => Step::Embed(Arc::new(Embedding::prepare(embed, &mut self.weights)?)),
            model::Step::Norm(norm) => Step::Norm(self.norm(norm)?),
            model::Step::Project(layer) => Step::Project(self.linear(&[layer])?),
            model::Step::Attention(attention) => Step::Attention(Box::new(self.attention(attention)?)),
            model::Step::FeedForward(block) => {
                let inner: Vec<_> =
                    [Some(&block.intermediate), block.gate.as_ref()].into_iter().flatten().collect();
                Step::FeedForward(Box::new(FeedForward {
                    intermediate: self.linear(&inner)?,
                    gated: block.gate.is_some(),
                    activation: block.activation,
                    output: self.linear(&[&block.output])?,
                    norm: self.block_norm(&block.norm)?,
                }))
            }
            model::Step::Pool(pooling) => Step::Pool(*pooling),
        })
    }

    fn attention(&mut self, attention: &model::Attention) -> Result<Attention> {
        let model::Attention { query, key, value, output, heads, positions, window, rows, norm } = attention;
        // Positions first: they may view the query and key projections, which are taken below.
        let positions = self.positions(positions, *heads, query.out_features() / heads)?;
        let qkv = match rows {
            model::Rows::All => QkvProjections::All(self.linear(&[query, key, value])?),
            model::Rows::Cls => {
                QkvProjections::Cls { query: self.linear(&[query])?, key_value: self.linear(&[key, value])? }
            }
        };
        Ok(Attention {
            qkv,
            output: self.linear(&[output])?,
            heads: *heads,
            positions,
            window: *window,
            norm: self.block_norm(norm)?,
        })
    }

    fn positions(
        &mut self,
        positions: &model::Positions,
        heads: usize,
        head_dim: usize,
    ) -> Result<Positions> {
        Ok(match positions {
            model::Positions::Absent => Positions::Absent,
            model::Positions::Rotary(rotary) => Positions::Rotary(self.rotary_cache(*rotary, head_dim)),
            model::Positions::Alibi => Positions::Alibi(alibi_slopes(heads)),
            model::Positions::Disentangled(positions) => {
                Positions::Relative(Box::new(self.relative(positions, heads, head_dim)?))
            }
        })
    }

    fn rotary_cache(&mut self, rotary: model::Rotary, head_dim: usize) -> Arc<RotaryCache> {
        let alike = |rotary_cache: &&Arc<RotaryCache>| {
            (rotary_cache.rotary, rotary_cache.head_dim) == (rotary, head_dim)
        };
        if let Some(rotary_cache) = self.rotary_caches.iter().find(alike) {
            return Arc::clone(rotary_cache);
        }
        let rotary_cache = Arc::new(RotaryCache::new(rotary, head_dim));
        self.rotary_caches.push(Arc::clone(&rotary_cache));
        rotary_cache
    }

    /// Projects and packs the relative positions of one layer.
    fn relative(
        &mut self,
        positions: &model::Disentangled,
        heads: usize,
        head_dim: usize,
    ) -> Result<RelativePositions> {
        let table = self.table(positions)?;
        let mut project = |layer: &Option<model::Linear>| {
            layer.as_ref().map(|layer| self.project_table(&table, layer, heads, head_dim)).transpose()
        };
        let (keys, queries) = (project(&positions.key)?, project(&positions.query)?);
        Ok(RelativePositions { keys, queries, disentangled: positions.clone() })
    }

    /// Returns the normalized rows of relative positions, padded with [`MAX_TILE_ROWS`] rows for the tiles.
    fn table(&mut self, positions: &model::Disentangled) -> Result<Rc<Vec<f32>>> {
        let alike = |(other, _): &&(model::Disentangled, _)| {
            (&other.table, &other.norm) == (&positions.table, &positions.norm)
        };
        if let Some((_, values)) = self.tables.iter().find(alike) {
            return Ok(Rc::clone(values));
        }
        let model::Table { weight, rows, width } = &positions.table;
        let mut values = self.weights.view(weight)?.to_f32();
        match &positions.norm {
            None => check_magnitude(weight, values.iter().copied())?,
            Some(norm) => {
                if !self.kernels.norm(&mut values, &self.norm(norm)?) {
                    return Err(weights(format!("{weight} holds values that are too large to compute with")));
                }
            }
        }
        values.resize((rows + MAX_TILE_ROWS) * width, 0.0);
        let values = Rc::new(values);
        self.tables.push((positions.clone(), Rc::clone(&values)));
        Ok(values)
    }

    /// Projects the rows of relative positions with `layer` and packs the result for each head.
    fn project_table(
        &mut self,
        table: &[f32],
        layer: &model::Linear,
        heads: usize,
        head_dim: usize,
    ) -> Result<PackedPositions> {
        let view: Read = |weights, name, rows| weights.view_rows(name, rows);
        let packed = self.packed(&[layer], view)?;
        let rows = table.len() / layer.in_features - MAX_TILE_ROWS;
        let mut values = vec![0.0; (rows + MAX_TILE_ROWS) * packed.columns()];
        // These rows affect every score, so all are quantized in two steps, as the CLS rows are.
        let cls_rows: Vec<usize> = (0..rows).collect();
        let input = Input { values: table, rows: 0..rows, cls_rows: &cls_rows };
        let output = Output { values: &mut values, epilogue: Epilogue::Store };
        packed.apply(self.kernels, &input, &mut QuantizedRows::default(), output);
        if !values.iter().all(|value| value.is_finite()) {
            let name = &layer.weight.tensor;
            return Err(weights(format!(
                "{name} gives relative positions that are too large to compute with"
            )));
        }
        let rows = RowsView { values: &values, stride: packed.columns(), first: 0, count: rows };
        Ok(match self.dtype {
            Dtype::Q8 => self.kernels.pack_i16(rows, heads, head_dim),
            _ => self.kernels.pack_f32(rows, heads, head_dim),
        })
    }

    /// Packs layers over the same input as one.
    fn linear(&mut self, layers: &[&model::Linear]) -> Result<Linear> {
        self.packed(layers, Weights::take_rows)
    }

    /// Packs layers over the same input as one; `read` decides whether their tensors are freed.
    fn packed(&mut self, layers: &[&model::Linear], read: Read) -> Result<Linear> {
        let parts = layers
            .iter()
            .map(|layer| {
                let weight = read(&mut self.weights, &layer.weight.tensor, layer.weight.rows.clone())?;
                let bias = layer.bias.as_ref().map(|bias| self.vector(bias, read)).transpose()?;
                Ok((weight, bias.unwrap_or_else(|| vec![0.0; layer.out_features()])))
            })
            .collect::<Result<Vec<(Tensor, Vec<f32>)>>>()?;
        let (first, others) = (&parts[0].0, &parts[1..]);
        if let Some((other, _)) = others.iter().find(|(part, _)| part.input_scales() != first.input_scales())
        {
            let (first, other) = (first.name(), other.name());
            return Err(weights(format!(
                "{first} and {other} read the same inputs, but their input scales differ"
            )));
        }
        let name = first.name();
        Ok(match self.dtype {
            Dtype::Q8 => {
                let packed = PackedQ8::new(&parts, self.kernels.panel());
                let factor = packed.input_factors.iter().copied().fold(1.0, f32::max);
                check_magnitude(name, packed.scales.iter().map(|scale| scale * factor))?;
                Linear::Q8(packed)
            }
            _ => {
                let packed = PackedF32::new(&parts, self.kernels.panel());
                check_magnitude(name, packed.panels.iter().copied())?;
                Linear::F32(packed)
            }
        })
    }

    fn block_norm(&mut self, norm: &model::BlockNorm) -> Result<BlockNorm> {
        Ok(match norm {
            model::BlockNorm::Before(norm) => BlockNorm::Before(self.norm(norm)?),
            model::BlockNorm::After(norm) => BlockNorm::After(self.norm(norm)?),
            model::BlockNorm::Absent => BlockNorm::Absent,
        })
    }

    fn norm(&mut self, norm: &model::LayerNorm) -> Result<Norm> {
        let mut whole =
            |name: &String| self.vector(&TensorRows::all(name.clone(), norm.width), Weights::take_rows);
        let bias = norm.bias.as_ref().map(&mut whole).transpose()?;
        Ok(Norm {
            weight: whole(&norm.weight)?,
            bias: bias.unwrap_or_else(|| vec![0.0; norm.width]),
            eps: norm.eps as f32,
        })
    }

    fn vector(&mut self, part: &TensorRows, read: Read) -> Result<Vec<f32>> {
        let values = read(&mut self.weights, &part.tensor, part.rows.clone())?.to_f32();
        check_magnitude(&part.tensor, values.iter().copied())?;
        Ok(values)
    }
}
