//! SmoothQuant (Xiao et al., 2022, arXiv:2211.10438): input scales, by which inputs are divided before they are
//! quantized.
//!
//! Some input columns of a layer are much larger than others. All columns of a row share one quantization step, so the
//! large columns decide it and the small ones lose precision. Dividing a column and multiplying its weights by the same
//! scale moves the problem to the weights, whose columns differ too. The scale `s = x^0.3 / w^p`, with `x` and `w` the
//! maximum magnitudes of a column, balances both. The powers minimize the error of the logits on a text that no test
//! uses.

use crate::model::{Plan, Step, TensorRows};

/// Layers that read the same inputs, so they share input scales.
#[derive(Debug)]
pub(super) struct SmoothingGroup<'a> {
    /// The matrices of the layers.
    pub(super) weights: Vec<&'a TensorRows>,
    /// The power of a column's maximum weight.
    power: f32,
}

/// Returns the groups of a Plan. The output projections of attention are in no group, because their input columns are
/// similar.
pub(super) fn groups(plan: &Plan) -> Vec<SmoothingGroup<'_>> {
    let mut groups = Vec::new();
    for step in &plan.steps {
        match step {
            Step::Attention(attention) => {
                let weights =
                    [&attention.query, &attention.key, &attention.value].map(|linear| &linear.weight);
                groups.push(SmoothingGroup { weights: weights.to_vec(), power: 0.3 });
            }
            Step::FeedForward(block) => {
                let linears = [Some(&block.intermediate), block.gate.as_ref()].into_iter().flatten();
                groups.push(SmoothingGroup {
                    weights: linears.map(|linear| &linear.weight).collect(),
                    power: 0.3,
                });
                // After the activation, a few columns are much larger than the others.
                groups.push(SmoothingGroup { weights: vec![&block.output.weight], power: 0.6 });
            }
            Step::Embed(_)
            | Step::Norm(_)
            | Step::Project(_)
            | Step::Unfold(_)
            | Step::Convolve(_)
            | Step::Pool(_) => {}
        }
    }
    groups
}

impl SmoothingGroup<'_> {
    /// Computes the input scales, one per column, with a geometric mean of 1.
    ///
    /// `inputs` and `weights` are the maximum magnitudes per column, those of weights over all matrices of the group.
    pub(super) fn input_scales(&self, inputs: &[f32], weights: &[f32]) -> Vec<f32> {
        let logarithms: Vec<f32> = inputs
            .iter()
            .zip(weights)
            .map(|(input, weight)| {
                0.3 * input.clamp(1e-3, 1e5).ln() - self.power * weight.clamp(1e-4, 1e5).ln()
            })
            .collect();
        let mean = logarithms.iter().sum::<f32>() / logarithms.len() as f32;
        logarithms.into_iter().map(|logarithm| (logarithm - mean).exp()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_columns_have_larger_scales_and_the_geometric_mean_is_one() {
        let group = SmoothingGroup { weights: Vec::new(), power: 0.6 };
        let scales = group.input_scales(&[1.0, 100.0, 1.0], &[1.0, 1.0, 10.0]);
        assert!(scales[1] > scales[0] && scales[2] < scales[0]);
        assert!((scales[1] / scales[0] - 100f32.powf(0.3)).abs() < 1e-4);
        assert!((scales[0] / scales[2] - 10f32.powf(0.6)).abs() < 1e-4);
        assert!((scales.iter().product::<f32>() - 1.0).abs() < 1e-5);
    }

    #[test]
    fn columns_of_zeros_have_the_scale_one() {
        let group = SmoothingGroup { weights: Vec::new(), power: 0.3 };
        assert_eq!(group.input_scales(&[0.0; 4], &[0.0; 4]), [1.0; 4]);
    }
}
