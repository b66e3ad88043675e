//! Counters in Prometheus' text format.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ranklet::ScoreCacheUsage;

use super::scheduler::Scored;

/// The upper bounds of the buckets of durations, in seconds.
const DURATION_BUCKETS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Counters since the server started.
#[derive(Debug, Default)]
pub(super) struct Metrics(Mutex<Counters>);

#[derive(Debug, Default)]
struct Counters {
    /// Answered requests by route and status.
    requests: BTreeMap<(&'static str, u16), u64>,
    /// Requests of each bucket, cumulative.
    buckets: [u64; DURATION_BUCKETS.len()],
    duration_sum: f64,
    duration_count: u64,
    documents: u64,
    tokens: u64,
    cache_hits: u64,
}

impl Metrics {
    /// Counts an answer. `route` is one of the server's routes, so that the number of labels is bounded.
    pub(super) fn count_request(&self, route: &'static str, status: u16) {
        *self.lock().requests.entry((route, status)).or_default() += 1;
    }

    /// Counts the documents of an answered request, their tokens, their cached scores, and the time from the request to
    /// the answer.
    pub(super) fn count_scored(&self, scored: &Scored, duration: Duration) {
        let mut counters = self.lock();
        counters.documents += scored.scores.len() as u64;
        counters.tokens += scored.tokens as u64;
        counters.cache_hits += scored.cache_hits as u64;
        let seconds = duration.as_secs_f64();
        counters.duration_sum += seconds;
        counters.duration_count += 1;
        for (bucket, bound) in counters.buckets.iter_mut().zip(DURATION_BUCKETS) {
            *bucket += u64::from(seconds <= bound);
        }
    }

    /// Writes all metrics. `requests` is the number of requests that are scored or wait.
    pub(super) fn text(&self, requests: usize, cache: Option<ScoreCacheUsage>) -> String {
        let counters = self.lock();
        let mut text = String::new();
        let mut family = |name: &str, kind: &str, help: &str, samples: &[(String, f64)]| {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (suffix, value) in samples {
                let _ = writeln!(text, "{name}{suffix} {value}");
            }
        };
        let single = |value: f64| [(String::new(), value)];
        let answered = counters.requests.iter();
        let answered: Vec<_> = answered
            .map(|((route, status), count)| {
                (format!("{{path=\"{route}\",status=\"{status}\"}}"), *count as f64)
            })
            .collect();
        family("ranklet_requests_total", "counter", "Answered requests.", &answered);
        family("ranklet_documents_total", "counter", "Scored documents.", &single(counters.documents as f64));
        let help = "Tokens that the model has processed.";
        family("ranklet_tokens_total", "counter", help, &single(counters.tokens as f64));
        let help = "Requests that are scored or wait.";
        family("ranklet_requests_pending", "gauge", help, &single(requests as f64));
        if let Some(ScoreCacheUsage { pairs, bytes }) = cache {
            let hits = single(counters.cache_hits as f64);
            let help = "Documents whose scores came from the cache.";
            family("ranklet_score_cache_hits_total", "counter", help, &hits);
            family(
                "ranklet_score_cache_pairs",
                "gauge",
                "Pairs in the cache of scores.",
                &single(pairs as f64),
            );
            let help = "Memory of the cache of scores in bytes.";
            family("ranklet_score_cache_bytes", "gauge", help, &single(bytes as f64));
        }
        let buckets = DURATION_BUCKETS.iter().zip(counters.buckets);
        let mut durations: Vec<_> =
            buckets.map(|(bound, count)| (format!("_bucket{{le=\"{bound}\"}}"), count as f64)).collect();
        durations.push(("_bucket{le=\"+Inf\"}".to_owned(), counters.duration_count as f64));
        durations.push(("_sum".to_owned(), counters.duration_sum));
        durations.push(("_count".to_owned(), counters.duration_count as f64));
        let help = "Time from a request to its answer, of requests that were scored.";
        family("ranklet_request_duration_seconds", "histogram", help, &durations);
        text
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counters> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
