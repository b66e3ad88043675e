//! GPTQ (Frantar et al., 2022, arXiv:2210.17323): rounds a matrix to a grid so that its products with real inputs
//! change least.
//!
//! Rounding each weight to the nearest step minimizes the error of the weights, not that of `W x`: inputs are
//! correlated, so later columns can compensate for the error of a column. Columns are rounded one by one, and the error
//! of each is distributed over the following ones according to the second moments of the inputs, `H = X^T X`.

use crate::error::{Result, internal};

/// Added to the diagonal of `H`, relative to its mean, so that rare directions of the inputs do not count too much.
const DAMPING: f64 = 0.01;

/// The error feedback for the inputs of a layer. Row `i` has the factors by which an error in column `i` changes the
/// columns after it.
///
/// This is the upper triangular `U` with `H^-1 = U^T U`, `[size, size]` row-major, each row divided by its diagonal.
#[derive(Debug)]
pub(super) struct ErrorFeedback {
    size: usize,
    rows: Vec<f32>,
}

impl ErrorFeedback {
    /// Computes the feedback from `H`, `[size, size]` row-major.
    ///
    /// # Errors
    /// `internal` if `H` is not finite or not positive definite.
    pub(super) fn new(second_moments: &[f32], size: usize) -> Result<Self> {
        let mean = (0..size).map(|i| f64::from(second_moments[i * size + i])).sum::<f64>() / size as f64;
        if !mean.is_finite() {
            return Err(internal("calibrating: an activation is not finite"));
        }
        let damping = (DAMPING * mean).max(f64::MIN_POSITIVE);
        let damped =
            |i: usize, j: usize| f64::from(second_moments[i * size + j]) + if i == j { damping } else { 0.0 };
        // H = R R^T with R upper triangular is a Cholesky factorization from the last row to the first; then
        // H^-1 = (R^-1)^T (R^-1), so U = R^-1.
        let factor = upper_factor(damped, size)?;
        let mut rows = vec![0.0; size * size];
        let mut inverse = vec![0.0; size];
        for i in 0..size {
            invert_row(&factor, size, i, &mut inverse);
            for j in i + 1..size {
                rows[i * size + j] = (inverse[j] / inverse[i]) as f32;
            }
        }
        Ok(Self { size, rows })
    }

    /// Rounds a row of weights, column by column. `round` gets the index of a column and its value.
    pub(super) fn round(&self, row: &[f32], round: impl Fn(usize, f32) -> f32) -> Vec<f32> {
        let mut row = row.to_vec();
        for i in 0..self.size {
            let rounded = round(i, row[i]);
            let error = row[i] - rounded;
            row[i] = rounded;
            let feedback = &self.rows[i * self.size..][i + 1..self.size];
            for (weight, factor) in row[i + 1..].iter_mut().zip(feedback) {
                *weight -= error * factor;
            }
        }
        row
    }
}

/// Computes the upper triangular `R` with `R R^T = matrix`, for a symmetric matrix.
fn upper_factor(matrix: impl Fn(usize, usize) -> f64, size: usize) -> Result<Vec<f64>> {
    let mut factor = vec![0.0; size * size];
    for i in (0..size).rev() {
        for j in (i..size).rev() {
            let (row_i, row_j) = (&factor[i * size..][j + 1..size], &factor[j * size..][j + 1..size]);
            let rest = matrix(i, j) - row_i.iter().zip(row_j).map(|(a, b)| a * b).sum::<f64>();
            factor[i * size + j] = if i == j { rest.sqrt() } else { rest / factor[j * size + j] };
        }
        if !factor[i * size + i].is_normal() {
            return Err(internal("calibrating: the second moments are not positive definite"));
        }
    }
    Ok(factor)
}

/// Computes row `i` of `R^-1`, from column `i` on: solves `x R = e_i` by forward substitution.
fn invert_row(factor: &[f64], size: usize, i: usize, row: &mut [f64]) {
    row[i..].fill(0.0);
    row[i] = 1.0;
    for k in i..size {
        row[k] /= factor[k * size + k];
        let (done, rest) = row.split_at_mut(k + 1);
        for (value, factor) in rest.iter_mut().zip(&factor[k * size + k + 1..(k + 1) * size]) {
            *value -= done[k] * factor;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pseudorandom numbers, the same on all machines.
    fn numbers(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        (0..count)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 23) as f32 - 1.0
            })
            .collect()
    }

    /// Inputs whose columns are correlated, so that one column can compensate for another.
    fn correlated_inputs(rows: usize, size: usize) -> Vec<f32> {
        let (shared, own) = (numbers(rows, 1), numbers(rows * size, 2));
        (0..rows * size).map(|i| shared[i / size] + 0.2 * own[i]).collect()
    }

    fn second_moments(inputs: &[f32], size: usize) -> Vec<f32> {
        let mut moments = vec![0.0; size * size];
        for row in inputs.chunks_exact(size) {
            for i in 0..size {
                for j in 0..size {
                    moments[i * size + j] += row[i] * row[j];
                }
            }
        }
        moments
    }

    fn output_error(inputs: &[f32], exact: &[f32], rounded: &[f32]) -> f32 {
        let error = |row: &[f32]| -> f32 { (0..exact.len()).map(|i| row[i] * (exact[i] - rounded[i])).sum() };
        inputs.chunks_exact(exact.len()).map(|row| error(row).powi(2)).sum()
    }

    #[test]
    fn feedback_has_less_than_half_the_output_error_of_rounding_to_nearest() {
        let (rows, size) = (200, 24);
        let inputs = correlated_inputs(rows, size);
        let feedback = ErrorFeedback::new(&second_moments(&inputs, size), size).unwrap();
        let weights = numbers(size, 3);
        let round = |value: f32| (value * 8.0).round() / 8.0;
        let nearest: Vec<f32> = weights.iter().map(|&weight| round(weight)).collect();
        let fed_back = feedback.round(&weights, |_, weight| round(weight));
        assert!(fed_back.iter().all(|&weight| round(weight) == weight));
        let (nearest, fed_back) =
            (output_error(&inputs, &weights, &nearest), output_error(&inputs, &weights, &fed_back));
        assert!(fed_back < 0.5 * nearest, "{fed_back} against {nearest}");
    }

    #[test]
    fn the_factor_multiplies_back_to_the_matrix() {
        let size = 7;
        let moments = second_moments(&correlated_inputs(30, size), size);
        let factor = upper_factor(|i, j| f64::from(moments[i * size + j]), size).unwrap();
        for i in 0..size {
            for j in 0..size {
                let product: f64 = (0..size).map(|k| factor[i * size + k] * factor[j * size + k]).sum();
                assert!((product - f64::from(moments[i * size + j])).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn inputs_that_are_all_zero_round_to_nearest() {
        let feedback = ErrorFeedback::new(&[0.0; 9], 3).unwrap();
        assert_eq!(feedback.round(&[0.4, 0.6, -0.6], |_, weight| weight.round()), [0.0, 1.0, -1.0]);
    }

    #[test]
    fn inputs_that_are_not_finite_are_an_error() {
        assert!(ErrorFeedback::new(&[f32::NAN; 4], 2).is_err());
    }
}
