//! Fuses the model's order with that of a first stage.

use crate::error::{Result, input};

/// The scores of a first stage, and how they are combined with the model's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fuse<'a> {
    /// The first stage's score of each document, higher is better; `None` where it did not return the document.
    pub first_stage: &'a [Option<f64>],
    /// The method.
    pub method: FuseMethod,
}

/// A method of fusing two rankings.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum FuseMethod {
    /// Reciprocal rank fusion (Cormack et al. 2009): the sum of `1 / (k + rank)` over both rankings, with ranks from 1.
    /// Equal scores are ranked in input order.
    Rrf {
        /// The weight of the first ranks falls with it; 60 by default.
        k: f64,
    },
    /// `weight * model + (1 - weight) * first stage`, where both lists of scores are mapped to 0..1 by their minimum and
    /// maximum. A list of equal scores is mapped to 0, and so is a document that the first stage did not return.
    Linear {
        /// The weight of the model; 0.5 by default.
        weight: f64,
    },
}

impl FuseMethod {
    /// Reads a method by its name, `"rrf"` or `"linear"`, and its parameters.
    ///
    /// # Errors
    /// `input` for an unknown name, a parameter of the other method, and a parameter that is out of range.
    pub fn named(name: &str, k: Option<f64>, weight: Option<f64>) -> Result<Self> {
        let method = match (name, k, weight) {
            ("rrf", _, None) => FuseMethod::Rrf { k: k.unwrap_or(60.0) },
            ("linear", None, _) => FuseMethod::Linear { weight: weight.unwrap_or(0.5) },
            ("rrf", ..) => {
                return Err(input("fuse: the weight is a parameter of the method linear, not of rrf"));
            }
            ("linear", ..) => return Err(input("fuse: k is a parameter of the method rrf, not of linear")),
            _ => return Err(input(format!("fuse: unknown method {name:?}: use one of rrf, linear"))),
        };
        method.check().map(|()| method)
    }

    fn check(self) -> Result<()> {
        match self {
            FuseMethod::Rrf { k } if !(k.is_finite() && k >= 0.0) => {
                Err(input(format!("fuse: k is {k}; it must be a number of 0 or more")))
            }
            FuseMethod::Linear { weight } if !(0.0..=1.0).contains(&weight) => {
                Err(input(format!("fuse: the weight is {weight}; it must be a number from 0 to 1")))
            }
            _ => Ok(()),
        }
    }
}

impl Fuse<'_> {
    /// Checks the parameters, and that the first stage has a finite score or none for each of the documents.
    ///
    /// # Errors
    /// `input` otherwise.
    pub(super) fn check(&self, documents: usize) -> Result<()> {
        self.method.check()?;
        let scores = self.first_stage;
        if scores.len() != documents {
            return Err(input(format!(
                "fuse: the first stage has {} scores, and there are {documents} documents; give each its score, or null",
                scores.len()
            )));
        }
        match scores.iter().position(|score| score.is_some_and(|score| !score.is_finite())) {
            Some(index) => Err(input(format!(
                "fuse: the first stage's score of document {index} is {}, which is not a finite number",
                scores[index].unwrap_or_default()
            ))),
            None => Ok(()),
        }
    }

    /// Returns the fused scores of the documents that the model has scored; the numbers of the others are meaningless.
    pub(super) fn scores(&self, model: &[Option<f64>]) -> Vec<f64> {
        match self.method {
            FuseMethod::Rrf { k } => {
                let both = [ranks(model), ranks(self.first_stage)];
                let reciprocal = |rank: Option<usize>| rank.map_or(0.0, |rank| 1.0 / (k + rank as f64));
                (0..model.len())
                    .map(|index| reciprocal(both[0][index]) + reciprocal(both[1][index]))
                    .collect()
            }
            FuseMethod::Linear { weight } => {
                let both = normalized(model).into_iter().zip(normalized(self.first_stage));
                both.map(|(model, first_stage)| weight * model + (1.0 - weight) * first_stage).collect()
            }
        }
    }
}

/// Returns the rank of each score, from 1. Equal scores are ranked in input order.
fn ranks(scores: &[Option<f64>]) -> Vec<Option<usize>> {
    let mut order: Vec<(usize, f64)> =
        scores.iter().enumerate().filter_map(|(index, score)| Some((index, (*score)?))).collect();
    // Adding 0 makes -0 equal to 0.
    order.sort_by(|(_, a), (_, b)| (b + 0.0).total_cmp(&(a + 0.0)));
    let mut ranks = vec![None; scores.len()];
    for (rank, (index, _)) in (1..).zip(order) {
        ranks[index] = Some(rank);
    }
    ranks
}

/// Maps scores to 0..1 by their minimum and maximum.
fn normalized(scores: &[Option<f64>]) -> Vec<f64> {
    let known = || scores.iter().flatten().copied();
    let min = known().fold(f64::INFINITY, f64::min);
    let max = known().fold(f64::NEG_INFINITY, f64::max);
    // Halves, because the difference of two large numbers can be infinite.
    let range = max / 2.0 - min / 2.0;
    let map = |score: f64| if range > 0.0 { (score / 2.0 - min / 2.0) / range } else { 0.0 };
    scores.iter().map(|score| score.map_or(0.0, map)).collect()
}
