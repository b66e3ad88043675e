//! The result of an evaluation.

use std::fmt::Write;

use ranklet::eval::{Measure, bootstrap_interval, permutation_test};
use serde_json::{Map, Value, json};

use super::qrels::Gains;
use super::run::RunQuery;

/// Something that orders the documents of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum System {
    FirstStage,
    Reranked,
    /// The model of `--compare`.
    Compared,
}

impl System {
    /// The name in JSON.
    pub(crate) fn key(self) -> &'static str {
        match self {
            System::FirstStage => "first_stage",
            System::Reranked => "reranked",
            System::Compared => "compared",
        }
    }

    pub(crate) fn title(self) -> String {
        self.key().replace('_', " ")
    }
}

/// Rankings of all judged queries, with their measures.
#[derive(Debug)]
pub(crate) struct Evaluation {
    pub(crate) systems: Vec<System>,
    pub(crate) measures: Vec<Measure>,
    pub(crate) documents: usize,
    pub(crate) unjudged_queries: usize,
    pub(crate) missing_queries: Vec<String>,
    pub(crate) results: Vec<QueryResult>,
}

/// One query.
#[derive(Debug)]
pub(crate) struct QueryResult {
    pub(crate) id: String,
    pub(crate) text: String,
    /// Document ids and scores in ranked order, `[systems]`.
    rankings: Vec<Vec<(String, f64)>>,
    /// `[systems][measures]`.
    values: Vec<Vec<f64>>,
}

impl QueryResult {
    pub(crate) fn new(
        query: &RunQuery,
        gains: &Gains,
        rankings: Vec<Vec<(String, f64)>>,
        measures: &[Measure],
    ) -> Self {
        let judged: Vec<i32> = gains.values().copied().collect();
        let values = rankings.iter().map(|ranking| {
            let ranked: Vec<i32> =
                ranking.iter().map(|(id, _)| gains.get(id).copied().unwrap_or(0)).collect();
            measures.iter().map(|measure| measure.of(&ranked, &judged)).collect()
        });
        Self { id: query.id.clone(), text: query.text.clone(), values: values.collect(), rankings }
    }
}

/// Two systems compared by one measure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Comparison {
    pub(crate) measure: Measure,
    pub(crate) systems: (System, System),
    /// The mean of the second system minus the mean of the first.
    pub(crate) difference: f64,
    pub(crate) interval: (f64, f64),
    /// Of the paired permutation test.
    pub(crate) p_value: f64,
}

impl Evaluation {
    /// Values of one measure for all queries.
    pub(crate) fn values(&self, system: usize, measure: usize) -> Vec<f64> {
        self.results.iter().map(|result| result.values[system][measure]).collect()
    }

    pub(crate) fn mean(&self, system: usize, measure: usize) -> f64 {
        mean(&self.values(system, measure))
    }

    pub(crate) fn interval(&self, system: usize, measure: usize) -> (f64, f64) {
        bootstrap_interval(&self.values(system, measure))
    }

    /// Compares each system with the one before it, by every measure.
    pub(crate) fn comparisons(&self) -> Vec<Comparison> {
        let pairs = (1..self.systems.len())
            .flat_map(|second| (0..self.measures.len()).map(move |measure| (second, measure)));
        pairs
            .map(|(second, measure)| {
                let (before, after) = (self.values(second - 1, measure), self.values(second, measure));
                let differences: Vec<f64> =
                    after.iter().zip(&before).map(|(after, before)| after - before).collect();
                Comparison {
                    measure: self.measures[measure],
                    systems: (self.systems[second - 1], self.systems[second]),
                    difference: mean(&differences),
                    interval: bootstrap_interval(&differences),
                    p_value: permutation_test(&after, &before),
                }
            })
            .collect()
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut json = Map::new();
        json.insert("queries".into(), json!(self.results.len()));
        json.insert("unjudged_queries".into(), json!(self.unjudged_queries));
        json.insert("missing_queries".into(), json!(self.missing_queries));
        json.insert("documents".into(), json!(self.documents));
        for (index, system) in self.systems.iter().enumerate() {
            json.insert(system.key().into(), self.by_measure(|measure| json!(self.mean(index, measure))));
        }
        let intervals = self.systems.iter().enumerate().map(|(index, system)| {
            (system.key().to_owned(), self.by_measure(|measure| json!(self.interval(index, measure))))
        });
        json.insert("intervals".into(), Value::Object(intervals.collect()));
        let comparisons = self.comparisons().into_iter().map(|comparison| {
            json!({
                "measure": comparison.measure.to_string(),
                "systems": [comparison.systems.0.key(), comparison.systems.1.key()],
                "difference": comparison.difference,
                "interval": comparison.interval,
                "p_value": comparison.p_value,
            })
        });
        json.insert("comparisons".into(), comparisons.collect());
        json.insert("per_query".into(), self.results.iter().map(|result| self.query_json(result)).collect());
        Value::Object(json)
    }

    fn query_json(&self, result: &QueryResult) -> Value {
        let mut json = Map::new();
        json.insert("qid".into(), json!(result.id));
        for (index, system) in self.systems.iter().enumerate() {
            json.insert(system.key().into(), self.by_measure(|measure| json!(result.values[index][measure])));
        }
        Value::Object(json)
    }

    fn by_measure(&self, value: impl Fn(usize) -> Value) -> Value {
        let entries =
            self.measures.iter().enumerate().map(|(index, measure)| (measure.to_string(), value(index)));
        Value::Object(entries.collect())
    }

    /// Writes the order of the first model as a TREC run.
    pub(crate) fn trec_run(&self) -> String {
        let mut run = String::new();
        let reranked = self.systems.iter().position(|system| *system == System::Reranked).unwrap_or(0);
        for result in &self.results {
            for (index, (document, score)) in result.rankings[reranked].iter().enumerate() {
                // Writing to a string cannot fail.
                let _ = writeln!(run, "{} Q0 {document} {} {score} ranklet", result.id, index + 1);
            }
        }
        run
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
