//! `ranklet eval`: measures a first stage and its reranking.

use std::collections::HashMap;

use ranklet::{Reranker, Result, eval};

use crate::input::{Qrels, RunQuery};
use crate::report::{Evaluation, Metrics};
use crate::scoring::raw_scores;
use crate::terminal::Progress;

const DEPTH: usize = 10;

pub(crate) fn evaluate(reranker: &Reranker, run: &[RunQuery], qrels: &Qrels) -> Result<Evaluation> {
    reranker.check_rankable()?;
    let judged: Vec<_> = run.iter().filter_map(|query| Some((query, qrels.get(query.id()?)?))).collect();
    let documents = judged.iter().map(|(query, _)| query.hits.len()).sum();
    let (mut first_stage, mut reranked) = (Metrics::default(), Metrics::default());
    let mut progress = Progress::new(documents);
    let mut done = 0;
    for (query, gains) in &judged {
        let hits = &query.hits;
        let ids: Vec<&str> = hits.iter().map(|hit| hit.docid.as_str()).collect();
        let ordered =
            |scores: &[f64]| eval::trec_order(scores, &ids).into_iter().map(|index| ids[index]).collect();
        first_stage.add(ordered(&hits.iter().map(|hit| hit.score).collect::<Vec<_>>()), gains);
        let contents: Vec<&str> = hits.iter().map(|hit| hit.content.as_str()).collect();
        let scores = raw_scores(reranker, &query.query, &contents)?;
        reranked.add(ordered(&scores.into_iter().map(f64::from).collect::<Vec<_>>()), gains);
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

impl Metrics {
    fn add(&mut self, ids: Vec<&str>, gains: &HashMap<String, i32>) {
        let ranked: Vec<i32> = ids.into_iter().map(|id| gains.get(id).copied().unwrap_or(0)).collect();
        let judged: Vec<i32> = gains.values().copied().collect();
        self.ndcg += eval::ndcg(&ranked, &judged, DEPTH);
        self.mrr += eval::reciprocal_rank(&ranked, DEPTH);
    }

    fn mean(self, queries: usize) -> Self {
        let queries = queries.max(1) as f64;
        Self { ndcg: self.ndcg / queries, mrr: self.mrr / queries }
    }
}
