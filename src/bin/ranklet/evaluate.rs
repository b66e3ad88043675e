//! `ranklet eval`: a first stage and its reranking, measured side by side.

use std::collections::HashMap;

use ranklet::{Reranker, Result, best_first, eval};
use serde::Serialize;

use crate::commands::score_quietly;
use crate::input::{Hit, Qrels, RunQuery};
use crate::output::Progress;

const DEPTH: usize = 10;

/// The measures of both orders, means over the judged queries.
#[derive(Debug, Serialize)]
pub(crate) struct Evaluation {
    pub(crate) queries: usize,
    pub(crate) unjudged_queries: usize,
    pub(crate) documents: usize,
    pub(crate) first_stage: Measures,
    pub(crate) reranked: Measures,
}

#[derive(Debug, Default, Serialize)]
pub(crate) struct Measures {
    #[serde(rename = "ndcg@10")]
    pub(crate) ndcg: f64,
    #[serde(rename = "mrr@10")]
    pub(crate) mrr: f64,
}

pub(crate) fn evaluate(reranker: &Reranker, run: &[RunQuery], qrels: &Qrels) -> Result<Evaluation> {
    reranker.check_rankable()?;
    let judged: Vec<_> = run.iter().filter_map(|query| Some((query, qrels.get(query.id()?)?))).collect();
    let documents = judged.iter().map(|(query, _)| query.hits.len()).sum();
    let (mut first_stage, mut reranked) = (Measures::default(), Measures::default());
    let mut progress = Progress::new(documents);
    let mut done = 0;
    for (query, gains) in &judged {
        let hits = first_stage_order(&query.hits);
        first_stage.add(&hits, gains);
        let contents: Vec<&str> = hits.iter().map(|hit| hit.content.as_str()).collect();
        let scores = score_quietly(reranker, &query.query, &contents)?;
        let order: Vec<&Hit> = best_first(&scores, None).iter().map(|ranked| hits[ranked.index]).collect();
        reranked.add(&order, gains);
        done += hits.len();
        progress.show(done);
    }
    Ok(Evaluation {
        queries: judged.len(),
        unjudged_queries: run.len() - judged.len(),
        documents,
        first_stage: first_stage.mean(judged.len()),
        reranked: reranked.mean(judged.len()),
    })
}

/// By falling score, ties by falling document id: trec_eval's order, whatever `rank` says.
fn first_stage_order(hits: &[Hit]) -> Vec<&Hit> {
    let mut order: Vec<&Hit> = hits.iter().collect();
    order.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| b.docid.as_str().cmp(a.docid.as_str())));
    order
}

impl Measures {
    fn add(&mut self, hits: &[&Hit], gains: &HashMap<String, i32>) {
        let ranked: Vec<i32> =
            hits.iter().map(|hit| gains.get(hit.docid.as_str()).copied().unwrap_or(0)).collect();
        let judged: Vec<i32> = gains.values().copied().collect();
        self.ndcg += eval::ndcg(&ranked, &judged, DEPTH);
        self.mrr += eval::reciprocal_rank(&ranked, DEPTH);
    }

    fn mean(self, queries: usize) -> Self {
        let queries = queries.max(1) as f64;
        Self { ndcg: self.ndcg / queries, mrr: self.mrr / queries }
    }
}
