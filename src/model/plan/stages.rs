//! Pipeline stages of a Plan, each for an engine of its own.
//!
//! A Plan can be split before a block that reads nothing but the residual stream of all tokens. These hidden states are then the
//! result of one stage and the input of the next, and every operation is the same as in one engine.

use super::*;

/// Tokens of a typical pair. They decide the cost of attention, and of steps that compute one row per pair.
const PAIR_TOKENS: u64 = 100;
/// Cost of tokenizing a token and of reading its embedding, in multiplications of a linear layer in q8. Like the other
/// costs, it comes from the processor time of BERT in WebAssembly with different numbers of layers and tokens.
const EMBED_COST: u64 = 150_000;
/// Cost of a multiplication in attention.
const ATTENTION_COST: u64 = 1;
/// Cost of an activation, and of an element of a norm or a residual.
const ELEMENT_COST: u64 = 30;

impl Plan {
    /// Returns the indices of the steps before which the Plan can be split, ascending.
    pub(crate) fn split_points(&self) -> Vec<usize> {
        let mut split_points = Vec::new();
        // The first block stays with the embeddings.
        let (mut has_block, mut is_unfolded) = (false, false);
        for (index, step) in self.steps.iter().enumerate() {
            match step {
                Step::Attention(_) | Step::FeedForward(_) => {
                    if has_block && !is_unfolded {
                        split_points.push(index);
                    }
                    has_block = true;
                }
                Step::Unfold(_) => is_unfolded = true,
                Step::Convolve(_) => is_unfolded = false,
                _ => {}
            }
            // Later steps read one row per pair.
            if matches!(step, Step::Attention(Attention { rows: Rows::Cls, .. })) {
                break;
            }
        }
        split_points
    }

    /// Returns the split points of `stages` stages that take about the same time, or of fewer if the Plan has too few points.
    pub(crate) fn balanced_split_points(&self, stages: usize) -> Vec<usize> {
        let mut costs = vec![0_u64];
        let mut rows = PAIR_TOKENS;
        for step in &self.steps {
            costs.push(costs[costs.len() - 1] + step.pair_cost(&mut rows));
        }
        let (total, possible) = (costs[self.steps.len()], self.split_points());
        let stages = stages.min(possible.len() + 1);
        let mut split_points: Vec<usize> = Vec::new();
        let mut next = 0;
        for stage in 1..stages {
            let target = total * stage as u64 / stages as u64;
            // Each later stage needs a split point.
            let choices = next..=possible.len() + stage - stages;
            if let Some(nearest) = choices.min_by_key(|index| costs[possible[*index]].abs_diff(target)) {
                split_points.push(possible[nearest]);
                next = nearest + 1;
            }
        }
        split_points
    }
}

impl Step {
    /// Returns the cost of a step for a typical pair. `rows` are those of the residual stream.
    fn pair_cost(&self, rows: &mut u64) -> u64 {
        let size = |linear: &Linear| linear.in_features as u64 * linear.out_features() as u64;
        match self {
            Step::Embed(_) => EMBED_COST * *rows,
            Step::Norm(norm) => ELEMENT_COST * norm.width as u64 * *rows,
            Step::Project(projection) => size(&projection.linear) * *rows,
            Step::Convolve(convolution) => size(&convolution.linear) * *rows,
            Step::Attention(Attention { query, key, value, output, rows: returned, .. }) => {
                let keys = (size(key) + size(value)) * *rows;
                if *returned == Rows::Cls {
                    *rows = 1;
                }
                let products = 2 * ATTENTION_COST * PAIR_TOKENS * query.out_features() as u64;
                let elements = ELEMENT_COST * query.in_features as u64;
                keys + (size(query) + size(output) + products + elements) * *rows
            }
            Step::FeedForward(FeedForward { intermediate, gate, output, .. }) => {
                let inner = size(intermediate) + gate.as_ref().map_or(0, size);
                let elements = ELEMENT_COST * (output.in_features + output.out_features()) as u64;
                (inner + size(output) + elements) * *rows
            }
            Step::Unfold(_) | Step::Pool(_) => 0,
        }
    }
}
