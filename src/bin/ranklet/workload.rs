//! Workloads for measurements: passages with the lengths of those that a first stage finds.

use serde::Deserialize;

/// A query, a tab and a document per line, on twenty subjects.
const TEXT: &str = include_str!("../../quantize/calibration.txt");

/// Quantiles of the number of words per passage: a tenth has fewer than 33, half have fewer than 62. With a query of
/// eight words, a hundred such pairs have about ten thousand tokens.
const LENGTHS: [(f64, f64); 8] = [
    (0.0, 14.0),
    (0.1, 33.0),
    (0.25, 47.0),
    (0.5, 62.0),
    (0.75, 86.0),
    (0.9, 108.0),
    (0.97, 124.0),
    (1.0, 156.0),
];

/// A query and the documents to score for it.
#[derive(Debug, Deserialize)]
pub(crate) struct Workload {
    pub(crate) query: String,
    pub(crate) documents: Vec<String>,
}

/// Generates workloads with new documents each, the same ones in every process.
#[derive(Debug)]
pub(crate) struct WorkloadGenerator {
    queries: Vec<&'static str>,
    words: Vec<&'static str>,
    state: u64,
}

impl WorkloadGenerator {
    pub(crate) fn new() -> Self {
        let (queries, documents): (Vec<_>, Vec<_>) =
            TEXT.lines().filter_map(|line| line.split_once('\t')).unzip();
        let words = documents.into_iter().flat_map(str::split_whitespace).collect();
        Self { queries, words, state: 0x9e37_79b9_7f4a_7c15 }
    }

    /// Generates a workload. Lengths are spread evenly over [`LENGTHS`], so workloads of one size have about the same
    /// number of tokens.
    pub(crate) fn next(&mut self, documents: usize) -> Workload {
        let query = self.below(self.queries.len());
        let query = self.queries[query].to_owned();
        let mut lengths: Vec<usize> =
            (0..documents).map(|index| words_at_quantile((index as f64 + 0.5) / documents as f64)).collect();
        for index in (1..lengths.len()).rev() {
            let other = self.below(index + 1);
            lengths.swap(index, other);
        }
        let documents = lengths.into_iter().map(|length| self.passage(length)).collect();
        Workload { query, documents }
    }

    /// Returns `length` consecutive words from a random position of the text.
    fn passage(&mut self, length: usize) -> String {
        let start = self.below(self.words.len());
        self.words.iter().cycle().skip(start).take(length).copied().collect::<Vec<_>>().join(" ")
    }

    /// Returns a random number below `bound`, by xorshift.
    fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 11) as usize % bound
    }
}

/// The number of words that a `share` of the passages does not reach.
fn words_at_quantile(share: f64) -> usize {
    let segment = LENGTHS.windows(2).find(|segment| share <= segment[1].0);
    let [(from, shorter), (to, longer)] = *segment.unwrap_or(&LENGTHS[LENGTHS.len() - 2..]) else {
        return LENGTHS[0].1 as usize;
    };
    (shorter + (longer - shorter) * (share - from) / (to - from)).round() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workloads_are_new_each_time_and_the_same_in_every_run() {
        let (mut one, mut other) = (WorkloadGenerator::new(), WorkloadGenerator::new());
        let (first, second) = (one.next(20), one.next(20));
        assert_eq!(first.documents, other.next(20).documents);
        assert!(first.documents.iter().all(|document| !second.documents.contains(document)));
    }

    #[test]
    fn lengths_follow_the_quantiles() {
        let lengths = |count| {
            let documents = WorkloadGenerator::new().next(count).documents;
            let mut lengths: Vec<_> = documents.iter().map(|document| document.split(' ').count()).collect();
            lengths.sort_unstable();
            lengths
        };
        let hundred = lengths(100);
        assert_eq!((hundred[0], hundred[99]), (15, 151));
        assert!((60..=64).contains(&hundred[50]), "{}", hundred[50]);
        assert_eq!(lengths(1), [62]);
        assert!(lengths(0).is_empty());
    }
}
