//! From scores to results.

use pyo3::prelude::*;
use ranklet::{Fuse, FuseMethod, Selection};

use crate::error::{NativeError, caught};

/// A document of a ranking: its index, its score, and with a first stage the model's score.
type RankedDocument = (usize, f32, Option<f32>);

/// The scores of a first stage, the method of fusion, and the method's parameters `k` and `weight`.
type FirstStage = (Vec<Option<f64>>, String, Option<f64>, Option<f64>);

/// Ranks documents by their scores, best first; `None` is a document without a score.
#[pyfunction]
#[pyo3(signature = (scores, top_n, min_score, fuse))]
pub(crate) fn rank_scores(
    scores: Vec<Option<f32>>,
    top_n: Option<usize>,
    min_score: Option<f64>,
    fuse: Option<FirstStage>,
) -> Result<Vec<RankedDocument>, NativeError> {
    let (first_stage, method) = match fuse {
        None => (Vec::new(), None),
        Some((first_stage, name, k, weight)) => (first_stage, Some(FuseMethod::named(&name, k, weight)?)),
    };
    let fuse = method.map(|method| Fuse { first_stage: &first_stage, method });
    let ranked = caught(|| Selection { top_n, min_score, fuse }.rank(&scores))?;
    Ok(ranked.into_iter().map(|ranked| (ranked.index, ranked.score, ranked.model_score)).collect())
}
