//! The tensors of a model in the order in which it uses them, before its weights are read.

use std::collections::HashSet;
#[cfg(any(test, target_arch = "wasm32"))]
use std::ops::Range;

use super::PlanBuilder;
use super::linear::linear;
use crate::checkpoint::{ExpectedRole, ExpectedTensor, ExpectedTensors, ModelConfig, ModuleChain};
use crate::error::Result;
use crate::model::plan::{Attention, BlockNorm, LayerNorm, Linear, Positions, Step, Table, TensorRole};
use crate::model::tensor_names::HeadLayer;

/// Returns the tensors of a checkpoint, under every name that they may have. There are none for a decoder.
#[inline(never)]
pub(crate) fn expected_tensors(
    config: &ModelConfig,
    chain: Option<&ModuleChain>,
    is_quantized: bool,
) -> Result<ExpectedTensors> {
    if config.decoder.is_some() {
        return Ok(ExpectedTensors::default());
    }
    let namings = PlanBuilder::candidates(config)?.map(|builder| builder.expected(chain.is_some())).collect();
    Ok(ExpectedTensors { namings, is_quantized, stage: None })
}

/// Returns the tensors that a stage of the collapsed Plan reads, and the head if it is the last stage, under every name that
/// they may have.
#[cfg(any(test, target_arch = "wasm32"))]
pub(crate) fn stage_tensors(config: &ModelConfig, steps: &Range<usize>) -> Result<HashSet<String>> {
    let mut names = HashSet::new();
    for builder in PlanBuilder::candidates(config)? {
        for has_normalized_table in [false, true] {
            let plan = PlanBuilder { has_normalized_table, ..builder }.plan().collapse_last_layer();
            let is_last = steps.end == plan.steps.len();
            let stage = plan.stage(steps.clone());
            names.extend(stage.tensors().into_iter().map(|(name, ..)| name.to_owned()));
            if is_last {
                let mut head = ExpectedList::default();
                builder.expect_head(&mut head);
                names.extend(head.names);
            }
        }
    }
    Ok(names)
}

impl PlanBuilder<'_> {
    fn expected(&self, is_chain: bool) -> Vec<ExpectedTensor> {
        let mut list = ExpectedList::default();
        for step in &self.plan().steps {
            match step {
                Step::Embed(embed) => {
                    let position = embed.position.as_ref().map(|position| &position.table);
                    let tables =
                        [Some(&embed.word), position, embed.token_type.as_ref(), embed.task.as_ref()];
                    tables.into_iter().flatten().for_each(|table| list.table(table, ExpectedRole::Table));
                }
                Step::Norm(norm) => list.norm(norm, ExpectedRole::Norm),
                Step::Project(projection) => list.linear(&projection.linear, ExpectedRole::Matrix),
                Step::Convolve(convolution) => {
                    list.linear(&convolution.linear, ExpectedRole::Matrix);
                    list.norm(&convolution.norm, ExpectedRole::Norm);
                }
                Step::Attention(attention) => list.attention(attention),
                Step::FeedForward(block) => {
                    list.block_norm(&block.norm, true);
                    list.linear(&block.intermediate, ExpectedRole::Matrix);
                    block.gate.iter().for_each(|gate| list.linear(gate, ExpectedRole::Matrix));
                    list.linear(&block.output, ExpectedRole::Matrix);
                    list.block_norm(&block.norm, false);
                }
                Step::Unfold(_) | Step::Pool(_) => {}
            }
        }
        if !is_chain {
            self.expect_head(&mut list);
        }
        list.tensors
    }

    fn expect_head(&self, list: &mut ExpectedList) {
        let config = self.config;
        for layer in self.names.head {
            match *layer {
                HeadLayer::Pooler(name) => {
                    list.head(&self.square(&format!("{}{name}", self.prefix), config.biases.head));
                }
                HeadLayer::Dense(name) => list.head(&self.square(name, config.biases.head)),
                HeadLayer::Classifier(name) => {
                    list.head(&linear(name, config.hidden_size, config.num_labels, true));
                }
                HeadLayer::Norm(name) => {
                    list.norm(&self.norm_at(name.to_owned(), config.hidden_size), ExpectedRole::Norm);
                }
                HeadLayer::Activate(_) | HeadLayer::ActivateWithHeadAct => {}
            }
        }
    }
}

/// A list of tensors, each once.
#[derive(Default)]
struct ExpectedList {
    tensors: Vec<ExpectedTensor>,
    names: HashSet<String>,
}

impl ExpectedList {
    fn add(&mut self, name: &str, shape: Vec<usize>, role: ExpectedRole, stored: Option<TensorRole>) {
        if self.names.insert(name.to_owned()) {
            let grid = stored.and_then(TensorRole::grid);
            self.tensors.push(ExpectedTensor { name: name.to_owned(), shape, role, grid });
        }
    }

    fn table(&mut self, table: &Table, role: ExpectedRole) {
        self.add(&table.weight, vec![table.rows, table.width], role, Some(TensorRole::Table));
    }

    fn norm(&mut self, norm: &LayerNorm, role: ExpectedRole) {
        self.add(&norm.weight, vec![norm.width], role, None);
        norm.bias.iter().for_each(|bias| self.add(bias, vec![norm.width], ExpectedRole::Bias, None));
    }

    fn block_norm(&mut self, norm: &BlockNorm, is_before: bool) {
        match norm {
            BlockNorm::Before(norm) if is_before => self.norm(norm, ExpectedRole::Norm),
            BlockNorm::After(norm) if !is_before => self.norm(norm, ExpectedRole::Norm),
            _ => {}
        }
    }

    fn linear(&mut self, linear: &Linear, role: ExpectedRole) {
        self.add(&linear.weight.tensor, linear.stored_shape().to_vec(), role, Some(TensorRole::Matrix));
        self.bias(linear);
    }

    /// Adds a layer of the head, which q8 does not quantize.
    fn head(&mut self, linear: &Linear) {
        self.add(&linear.weight.tensor, linear.stored_shape().to_vec(), ExpectedRole::Matrix, None);
        self.bias(linear);
    }

    fn bias(&mut self, linear: &Linear) {
        if let Some(bias) = &linear.bias {
            self.add(&bias.tensor, vec![bias.total_rows], ExpectedRole::Bias, None);
        }
    }

    fn attention(&mut self, attention: &Attention) {
        let Attention { query, key, value, output, positions, norm, .. } = attention;
        self.block_norm(norm, true);
        let is_separate = query.weight.tensor != key.weight.tensor;
        for (linear, role) in
            [(query, ExpectedRole::Query), (key, ExpectedRole::Key), (value, ExpectedRole::Value)]
        {
            self.linear(linear, if is_separate { role } else { ExpectedRole::Matrix });
        }
        match positions {
            Positions::Disentangled(positions) => {
                self.table(&positions.table, ExpectedRole::Position);
                positions.norm.iter().for_each(|norm| self.norm(norm, ExpectedRole::Position));
                let projections = [&positions.key, &positions.query].into_iter().flatten();
                projections.for_each(|linear| self.linear(linear, ExpectedRole::Position));
            }
            Positions::Bucketed(Table { weight, rows, width }) => {
                self.add(weight, vec![*rows, *width], ExpectedRole::Position, None);
            }
            Positions::Absent | Positions::Rotary(_) | Positions::Alibi => {}
        }
        self.linear(output, ExpectedRole::Matrix);
        self.block_norm(norm, false);
    }
}
