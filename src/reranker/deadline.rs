//! The deadline of a scoring run.

use std::time::Duration;

use crate::engine::clock::now_ms;

/// The share of the time until the deadline that a micro-batch may take. The run ends at most this much too late.
const MICRO_BATCH_SHARE: f64 = 0.1;

/// The time at which a run ends, though not all of its pairs are scored.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    start_ms: f64,
    limit_ms: f64,
}

impl Deadline {
    /// Returns the deadline some time from now.
    pub(super) fn after(limit: Duration) -> Self {
        Self { start_ms: now_ms(), limit_ms: limit.as_secs_f64() * 1e3 }
    }

    pub(super) fn has_passed(&self) -> bool {
        self.remaining_ms() <= 0.0
    }

    fn remaining_ms(&self) -> f64 {
        self.limit_ms - (now_ms() - self.start_ms)
    }

    /// Returns the maximum number of tokens of the next micro-batch, if scoring `tokens` took `ms`. Before anything is
    /// scored, it is that of one pair.
    pub(super) fn batch_tokens(&self, tokens: usize, ms: f64) -> usize {
        let share = (self.limit_ms * MICRO_BATCH_SHARE).min(self.remaining_ms());
        if tokens == 0 || ms <= 0.0 || share <= 0.0 {
            return 1;
        }
        (tokens as f64 / ms * share).max(1.0) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn micro_batches_take_a_tenth_of_the_time_or_what_is_left() {
        let deadline = Deadline::after(Duration::from_secs(1000));
        assert!(!deadline.has_passed());
        assert_eq!(deadline.batch_tokens(0, 0.0), 1);
        assert_eq!(deadline.batch_tokens(50, 100.0), 50_000);
        let late = Deadline { start_ms: deadline.start_ms - 990_000.0, ..deadline };
        assert!((4000..=5000).contains(&late.batch_tokens(50, 100.0)));
        let passed = Deadline::after(Duration::ZERO);
        assert!(passed.has_passed());
        assert_eq!(passed.batch_tokens(50, 100.0), 1);
    }
}
