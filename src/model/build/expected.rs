//! The tensors of a model in the order in which it uses them, before its weights are read.

use std::collections::HashSet;
#[cfg(any(test, target_arch = "wasm32"))]
use std::ops::Range;

use super::PlanBuilder;
use super::linear::linear;
use crate::checkpoint::{ExpectedRole, ExpectedTensor, ExpectedTensors, ModelConfig, ModuleChain, QuantGrid};
use crate::error::Result;
use crate::model::plan::{LayerNorm, Linear, PlanTensor};
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
            names.extend(stage.tensors().into_iter().map(|tensor| tensor.name.to_owned()));
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
        let plan = self.plan();
        let mut list = ExpectedList::default();
        for PlanTensor { name, role, purpose, shape } in plan.tensors() {
            list.add(name, shape, purpose, role.grid());
        }
        if !is_chain {
            self.expect_head(&mut list);
        }
        list.tensors
    }

    /// Adds the tensors of the head, which q8 does not quantize.
    fn expect_head(&self, list: &mut ExpectedList) {
        let config = self.config;
        for layer in self.names.head {
            match *layer {
                HeadLayer::Pooler(name) => {
                    list.linear(&self.square(&format!("{}{name}", self.prefix), config.biases.head));
                }
                HeadLayer::Dense(name) => list.linear(&self.square(name, config.biases.head)),
                HeadLayer::Classifier(name) => {
                    list.linear(&linear(name, config.hidden_size, config.num_labels, true));
                }
                HeadLayer::Norm(name) => {
                    list.norm(&self.norm_at(name.to_owned(), config.hidden_size));
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
    fn add(&mut self, name: &str, shape: Vec<usize>, role: ExpectedRole, grid: Option<QuantGrid>) {
        if self.names.insert(name.to_owned()) {
            self.tensors.push(ExpectedTensor { name: name.to_owned(), shape, role, grid });
        }
    }

    fn linear(&mut self, linear: &Linear) {
        self.add(&linear.weight.tensor, linear.stored_shape().to_vec(), ExpectedRole::Matrix, None);
        if let Some(bias) = &linear.bias {
            self.add(&bias.tensor, vec![bias.total_rows], ExpectedRole::Bias, None);
        }
    }

    fn norm(&mut self, norm: &LayerNorm) {
        self.add(&norm.weight, vec![norm.width], ExpectedRole::Norm, None);
        norm.bias.iter().for_each(|bias| self.add(bias, vec![norm.width], ExpectedRole::Bias, None));
    }
}
