//! Probabilities from scores: Platt's fit, and the expected calibration error.

use crate::checkpoint::Calibration;
use crate::error::{Result, input};

/// Bins of equal width of the expected calibration error.
const BINS: usize = 15;
const MAX_ITERATIONS: usize = 100;
/// A gradient from here on down, per pair, ends the search.
const MIN_GRADIENT: f64 = 1e-12;
/// The smallest step of the line search.
const MIN_STEP: f64 = 1e-10;

/// Fits `sigmoid(scale * logit + offset)` to judgments: 1 for a relevant document, 0 for another one, or a share between,
/// such as that of clicks.
///
/// This is Platt's method (1999) with his smoothed targets, as Newton's method with a line search finds the minimum (Lin,
/// Lin and Weng 2007). The scale is negative if relevant documents have the lower logits.
///
/// # Errors
/// `input` for lists of different lengths, a number that is not finite or out of range, judgments of one kind only, and
/// equal logits.
pub fn fit_calibration(logits: &[f32], relevant: &[f64]) -> Result<Calibration> {
    check(logits, relevant)?;
    let positive: f64 = relevant.iter().sum();
    let negative = relevant.len() as f64 - positive;
    if positive <= 0.0 || negative <= 0.0 {
        let kind = if positive > 0.0 { "relevant" } else { "not relevant" };
        return Err(input(format!(
            "all judged documents are {kind}: a calibration needs judgments of both kinds"
        )));
    }
    // Logits with mean 0 and deviation 1, so that the equations are well conditioned.
    let count = logits.len() as f64;
    let mean = logits.iter().map(|&logit| f64::from(logit)).sum::<f64>() / count;
    let variance = logits.iter().map(|&logit| (f64::from(logit) - mean).powi(2)).sum::<f64>() / count;
    let deviation = variance.sqrt();
    if deviation == 0.0 {
        return Err(input(
            "all judged documents have the same score, which says nothing about their relevance",
        ));
    }
    let (high, low) = ((positive + 1.0) / (positive + 2.0), 1.0 / (negative + 2.0));
    let samples: Vec<(f64, f64)> = logits
        .iter()
        .zip(relevant)
        .map(|(&logit, relevant)| {
            ((f64::from(logit) - mean) / deviation, relevant * high + (1.0 - relevant) * low)
        })
        .collect();
    let [slope, intercept] = minimize(&samples, [0.0, ((positive + 1.0) / (negative + 1.0)).ln()]);
    let scale = slope / deviation;
    let calibration = Calibration { scale: scale as f32, offset: (intercept - scale * mean) as f32 };
    if calibration.scale.is_finite() && calibration.offset.is_finite() {
        Ok(calibration)
    } else {
        Err(input("the scores of the judged documents are too close to each other for a calibration"))
    }
}

fn check(logits: &[f32], relevant: &[f64]) -> Result<()> {
    if logits.len() != relevant.len() {
        return Err(input(format!("{} logits, but {} judgments", logits.len(), relevant.len())));
    }
    if let Some(index) = logits.iter().position(|logit| !logit.is_finite()) {
        return Err(input(format!("logit {index} is {}, which is not a finite number", logits[index])));
    }
    match relevant.iter().find(|relevant| !(0.0..=1.0).contains(*relevant)) {
        Some(judgment) => Err(input(format!("the judgment {judgment} is not a number from 0 to 1"))),
        None => Ok(()),
    }
}

/// Finds the slope and the intercept with the minimum cross-entropy of `sigmoid(slope * x + intercept)` to the targets.
fn minimize(samples: &[(f64, f64)], start: [f64; 2]) -> [f64; 2] {
    /// Keeps the Hessian invertible.
    const RIDGE: f64 = 1e-12;
    let mut at = start;
    let mut loss = cross_entropy(samples, at);
    for _ in 0..MAX_ITERATIONS {
        let (mut gradient, mut hessian) = ([0.0; 2], [RIDGE, 0.0, RIDGE]);
        for &(x, target) in samples {
            let probability = sigmoid(at[0] * x + at[1]);
            let (difference, weight) = (probability - target, probability * (1.0 - probability));
            gradient = [gradient[0] + difference * x, gradient[1] + difference];
            hessian = [hessian[0] + weight * x * x, hessian[1] + weight * x, hessian[2] + weight];
        }
        if gradient.iter().all(|part| part.abs() < MIN_GRADIENT * samples.len() as f64) {
            break;
        }
        let [xx, x, one] = hessian;
        let determinant = xx * one - x * x;
        let direction = [
            (x * gradient[1] - one * gradient[0]) / determinant,
            (x * gradient[0] - xx * gradient[1]) / determinant,
        ];
        let slope = gradient[0] * direction[0] + gradient[1] * direction[1];
        let mut step = 1.0;
        let next = loop {
            let next = [at[0] + step * direction[0], at[1] + step * direction[1]];
            let next_loss = cross_entropy(samples, next);
            if next_loss < loss + 1e-4 * step * slope {
                break Some((next, next_loss));
            }
            step /= 2.0;
            if step < MIN_STEP {
                break None;
            }
        };
        // No further step is better: rounding hides the difference.
        let Some(next) = next else { break };
        (at, loss) = next;
    }
    at
}

fn cross_entropy(samples: &[(f64, f64)], [slope, intercept]: [f64; 2]) -> f64 {
    let loss = |&(x, target): &(f64, f64)| {
        let logit = slope * x + intercept;
        logit.max(0.0) - logit * target + (-logit.abs()).exp().ln_1p()
    };
    samples.iter().map(loss).sum()
}

fn sigmoid(x: f64) -> f64 {
    let e = (-x.abs()).exp();
    if x >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
}

impl Calibration {
    /// The calibration of `Scores::Sigmoid`.
    pub const SIGMOID: Self = Self { scale: 1.0, offset: 0.0 };

    /// Returns the probability at a logit.
    pub fn probability(&self, logit: f32) -> f64 {
        sigmoid(f64::from(self.scale) * f64::from(logit) + f64::from(self.offset))
    }
}

/// Returns the expected calibration error (Naeini et al. 2015) with 15 bins of equal width: the mean difference between the
/// probability and the share of relevant documents, each weighted by the documents of its bin. 0 without documents.
///
/// # Errors
/// `input` as for [`fit_calibration`], but for judgments of one kind and equal logits.
pub fn expected_calibration_error(
    calibration: &Calibration,
    logits: &[f32],
    relevant: &[f64],
) -> Result<f64> {
    check(logits, relevant)?;
    let mut gaps = [0.0; BINS];
    for (&logit, relevant) in logits.iter().zip(relevant) {
        let probability = calibration.probability(logit);
        gaps[((probability * BINS as f64) as usize).min(BINS - 1)] += probability - relevant;
    }
    Ok(gaps.iter().map(|gap| gap.abs()).sum::<f64>() / logits.len().max(1) as f64)
}
