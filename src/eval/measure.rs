//! Measures by name.

use std::fmt;
use std::str::FromStr;

use super::measures::{Gain, average_precision, ndcg, precision, recall, reciprocal_rank};

/// A measure with its depth, written as `ndcg@10`, `ndcg_exp@10`, `mrr@10`, `map`, `map@100`, `recall@100` or `p@10`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measure {
    kind: Kind,
    /// `None` means all ranks.
    depth: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ndcg(Gain),
    ReciprocalRank,
    AveragePrecision,
    Recall,
    Precision,
}

const NAMES: [(&str, Kind); 6] = [
    ("ndcg", Kind::Ndcg(Gain::Linear)),
    ("ndcg_exp", Kind::Ndcg(Gain::Exponential)),
    ("mrr", Kind::ReciprocalRank),
    ("map", Kind::AveragePrecision),
    ("recall", Kind::Recall),
    ("p", Kind::Precision),
];

impl Measure {
    /// Computes the measure for one query from the gains in ranked order and those of all judged documents.
    pub fn of(&self, ranked: &[i32], judged: &[i32]) -> f64 {
        let depth = self.depth.unwrap_or(usize::MAX);
        match self.kind {
            Kind::Ndcg(gain) => ndcg(ranked, judged, depth, gain),
            Kind::ReciprocalRank => reciprocal_rank(ranked, depth),
            Kind::AveragePrecision => average_precision(ranked, judged, depth),
            Kind::Recall => recall(ranked, judged, depth),
            Kind::Precision => precision(ranked, depth),
        }
    }
}

impl FromStr for Measure {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || {
            format!(
                "unknown measure {text:?}: use ndcg@K, ndcg_exp@K, mrr@K, map, map@K, recall@K or p@K, such as ndcg@10"
            )
        };
        let text = text.trim().to_ascii_lowercase();
        let (name, depth) = match text.split_once('@') {
            Some((name, depth)) => {
                let depth = depth.parse().ok().filter(|depth| *depth >= 1);
                (name, Some(depth.ok_or_else(unknown)?))
            }
            None => (text.as_str(), None),
        };
        let (_, kind) = NAMES.into_iter().find(|(known, _)| *known == name).ok_or_else(unknown)?;
        // Precision divides by the depth.
        if depth.is_none() && kind == Kind::Precision {
            return Err(unknown());
        }
        Ok(Self { kind, depth })
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(_, kind)| *kind == self.kind).map_or("", |(name, _)| name);
        match self.depth {
            Some(depth) => write!(f, "{name}@{depth}"),
            None => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Measure;

    #[test]
    fn measures_are_read_and_written_by_name() {
        for name in ["ndcg@10", "ndcg_exp@5", "mrr@10", "map", "map@100", "recall@100", "p@1", "mrr", "ndcg"]
        {
            assert_eq!(name.parse::<Measure>().unwrap().to_string(), name);
        }
        assert_eq!("nDCG@10".parse(), "ndcg@10".parse::<Measure>());
        for name in ["", "ndcg@0", "ndcg@", "ndcg@-1", "p", "f1@10", "ndcg@10@10"] {
            assert!(name.parse::<Measure>().is_err(), "{name}");
        }
    }
}
