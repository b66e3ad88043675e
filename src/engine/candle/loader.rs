//! Named tensors become candle tensors.

use std::collections::HashMap;

use candle_core::{Device, Tensor};

use super::attention::{Attention, Positions, Relative};
use super::{BlockNorm, FeedForward, LayerNorm, Linear, Step, candle_error};
use crate::checkpoint::Weights;
use crate::engine::embed::Embedding;
use crate::engine::positions::alibi_slopes;
use crate::error::Result;
use crate::model;

/// Takes tensors out of the weights as steps ask for them.
pub(super) struct Loader {
    weights: Weights,
    /// Tables of relative positions, normalised, by name: all layers share one.
    tables: HashMap<String, Tensor>,
}

impl Loader {
    pub(super) fn new(weights: Weights) -> Self {
        Self { weights, tables: HashMap::new() }
    }

    pub(super) fn step(&mut self, step: &model::Step) -> Result<Step> {
        Ok(match step {
            model::Step::Embed(embed) => Step::Embed {
                embedding: Box::new(Embedding::prepare(embed, &mut self.weights)?),
                width: embed.word.width,
            },
            model::Step::Norm(norm) => Step::Norm(self.norm(norm)?),
            model::Step::Project(linear) => Step::Project(self.linear(linear)?),
            model::Step::Attention(attention) => Step::Attention(Box::new(self.attention(attention)?)),
            model::Step::FeedForward(block) => Step::FeedForward(Box::new(FeedForward {
                intermediate: self.linear(&block.intermediate)?,
                gate: block.gate.as_ref().map(|gate| self.linear(gate)).transpose()?,
                activation: block.activation,
                output: self.linear(&block.output)?,
                norm: self.block_norm(&block.norm)?,
            })),
            model::Step::Pool(pooling) => Step::Pool(*pooling),
        })
    }

    fn attention(&mut self, attention: &model::Attention) -> Result<Attention> {
        let (query, key) = (self.linear(&attention.query)?, self.linear(&attention.key)?);
        let positions = match &attention.positions {
            model::Positions::Absent => Positions::Absent,
            model::Positions::Rotary(rotary) => Positions::Rotary(*rotary),
            model::Positions::Alibi => Positions::Alibi(alibi_slopes(attention.heads)),
            model::Positions::Disentangled(relative) => {
                Positions::Disentangled(Box::new(self.relative(relative, [&query, &key])?))
            }
        };
        Ok(Attention {
            query,
            key,
            value: self.linear(&attention.value)?,
            output: self.linear(&attention.output)?,
            heads: attention.heads,
            positions,
            window: attention.window,
            rows: attention.rows,
            norm: self.block_norm(&attention.norm)?,
        })
    }

    /// Relative positions are the same for every input, so they are projected once.
    fn relative(&mut self, relative: &model::Disentangled, own: [&Linear; 2]) -> Result<Relative> {
        let table = self.relative_table(relative)?;
        let mut project = |linear: &Option<model::Linear>| {
            let Some(linear) = linear else { return Ok(None) };
            // A layer may project positions as it projects rows; that tensor is taken already.
            let projection = match own.into_iter().find(|own| own.name == *linear) {
                Some(own) => own.clone(),
                None => self.linear(linear)?,
            };
            projection.forward(&table).map(Some).map_err(candle_error)
        };
        Ok(Relative {
            key: project(&relative.key)?,
            query: project(&relative.query)?,
            disentangled: relative.clone(),
        })
    }

    fn relative_table(&mut self, relative: &model::Disentangled) -> Result<Tensor> {
        let name = &relative.table.weight;
        if let Some(table) = self.tables.get(name) {
            return Ok(table.clone());
        }
        let shape = (relative.table.rows, relative.table.width);
        let values = self.weights.take(name)?.to_f32();
        let mut table = Tensor::from_vec(values, shape, &Device::Cpu).map_err(candle_error)?;
        if let Some(norm) = &relative.norm {
            table = self.norm(norm)?.forward(&table).map_err(candle_error)?;
        }
        self.tables.insert(name.clone(), table.clone());
        Ok(table)
    }

    fn block_norm(&mut self, norm: &model::BlockNorm) -> Result<BlockNorm> {
        Ok(match norm {
            model::BlockNorm::Before(norm) => BlockNorm::Before(self.norm(norm)?),
            model::BlockNorm::After(norm) => BlockNorm::After(self.norm(norm)?),
            model::BlockNorm::Absent => BlockNorm::Absent,
        })
    }

    fn norm(&mut self, norm: &model::LayerNorm) -> Result<LayerNorm> {
        let mut values = |name: &str| self.weights.take(name).map(|tensor| tensor.to_f32());
        let bias = norm.bias.as_deref().map_or_else(|| Ok(vec![0.0; norm.width]), &mut values)?;
        Ok(LayerNorm { weight: values(&norm.weight)?, bias, eps: norm.eps })
    }

    fn linear(&mut self, linear: &model::Linear) -> Result<Linear> {
        let weight = self.part(&linear.weight)?.t().map_err(candle_error)?;
        let bias = linear.bias.as_ref().map(|bias| self.part(bias)).transpose()?;
        Ok(Linear { name: linear.clone(), weight, bias })
    }

    fn part(&mut self, part: &model::TensorRows) -> Result<Tensor> {
        let tensor = self.weights.take_rows(&part.tensor, part.rows.clone())?;
        Tensor::from_vec(tensor.to_f32(), tensor.shape(), &Device::Cpu).map_err(candle_error)
    }
}
