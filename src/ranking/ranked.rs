//! Rankings: documents by falling score.

use serde::Serialize;

use super::fusion::Fuse;
use crate::error::{Result, input};
use crate::text::Span;

/// One document of a ranking.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ranked {
    /// Index of the document in the input.
    pub index: usize,
    /// Its score; with [`Fuse`] the fused one.
    pub score: f32,
    /// With [`Fuse`]: the model's score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_score: Option<f32>,
    /// With [`LongDocuments::Chunk`](crate::LongDocuments::Chunk): where the chunk with this score is in the document,
    /// in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
}

/// The choice of results among scored documents.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Selection<'a> {
    /// Maximum number of results, the best first; `None` for all.
    pub top_n: Option<usize>,
    /// Minimum score of a result: the score that the caller sees, or the model's score with `fuse`. `None` for none.
    pub min_score: Option<f64>,
    /// A first stage whose order is fused with the model's.
    pub fuse: Option<Fuse<'a>>,
}

impl Selection<'_> {
    /// Checks the options for a number of documents.
    ///
    /// # Errors
    /// `input` for a number that is not finite or out of range, or a first stage of another length.
    pub fn check(&self, documents: usize) -> Result<()> {
        if let Some(min_score) = self.min_score.filter(|score| !score.is_finite()) {
            return Err(input(format!("the minimum score is {min_score}, which is not a finite number")));
        }
        self.fuse.map_or(Ok(()), |fuse| fuse.check(documents))
    }

    /// Ranks the documents that have a score. Equal scores keep input order.
    ///
    /// # Errors
    /// As [`check`](Self::check); `input` for a score that is not a number.
    pub fn rank(&self, scores: &[Option<f32>]) -> Result<Vec<Ranked>> {
        self.check(scores.len())?;
        if let Some(index) = scores.iter().position(|score| score.is_some_and(f32::is_nan)) {
            return Err(input(format!("the score of document {index} is not a number (NaN)")));
        }
        Ok(self.ranked(scores))
    }

    /// Ranks the documents that have a score, with options that [`check`](Self::check) accepts.
    pub(crate) fn ranked(&self, scores: &[Option<f32>]) -> Vec<Ranked> {
        let fused = self.fuse.map(|fuse| {
            let model: Vec<Option<f64>> = scores.iter().map(|score| score.map(f64::from)).collect();
            fuse.scores(&model)
        });
        let scored = scores.iter().enumerate().filter_map(|(index, score)| Some((index, (*score)?)));
        let mut order: Vec<(f64, Ranked)> = scored
            .filter(|(_, score)| self.min_score.is_none_or(|min_score| f64::from(*score) >= min_score))
            .map(|(index, model_score)| match &fused {
                None => (
                    f64::from(model_score),
                    Ranked { index, score: model_score, model_score: None, span: None },
                ),
                Some(fused) => {
                    let (score, model_score) = (fused[index] as f32, Some(model_score));
                    (fused[index], Ranked { index, score, model_score, span: None })
                }
            })
            .collect();
        // Adding 0 makes -0 equal to 0.
        order.sort_by(|(a, _), (b, _)| (b + 0.0).total_cmp(&(a + 0.0)));
        order.truncate(self.top_n.unwrap_or(usize::MAX));
        order.into_iter().map(|(_, ranked)| ranked).collect()
    }
}
