//! Deadlines, and the speed of scoring, by which micro-batches become small enough to end in time.

use std::time::Duration;

use crate::engine::clock::now_ms;

/// The share of the time until the deadline that a micro-batch may take. Scoring ends at most this much too late.
const MICRO_BATCH_SHARE: f64 = 0.1;

/// The time at which scoring ends, though not all pairs are scored.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    start_ms: f64,
    limit_ms: f64,
}

/// The speed of scoring so far. Later measurements count more.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScoringSpeed {
    tokens: f64,
    ms: f64,
}

impl Deadline {
    /// Returns the deadline some time from now.
    pub fn after(limit: Duration) -> Self {
        Self { start_ms: now_ms(), limit_ms: milliseconds(limit) }
    }

    /// Returns a deadline with the same limit, whose time began to run earlier.
    #[must_use]
    pub fn begun(self, earlier: Duration) -> Self {
        Self { start_ms: self.start_ms - milliseconds(earlier), ..self }
    }

    /// Whether the time is over.
    pub fn has_passed(&self) -> bool {
        self.remaining_ms() <= 0.0
    }

    /// Returns the time that is left; zero after the deadline.
    pub fn remaining(&self) -> Duration {
        Duration::try_from_secs_f64(self.remaining_ms().max(0.0) / 1e3).unwrap_or(Duration::MAX)
    }

    fn remaining_ms(&self) -> f64 {
        self.limit_ms - (now_ms() - self.start_ms)
    }

    /// Returns the maximum number of tokens of the next micro-batch: those of a tenth of the whole time, or of the time that
    /// is left. Before the speed is known, it is 1, which is less than a pair has.
    pub fn batch_tokens(&self, speed: ScoringSpeed) -> usize {
        let ms = (self.limit_ms * MICRO_BATCH_SHARE).min(self.remaining_ms());
        if speed.ms <= 0.0 || ms <= 0.0 {
            return 1;
        }
        (speed.tokens / speed.ms * ms).max(1.0) as usize
    }
}

impl ScoringSpeed {
    /// Counts the tokens that were scored in some time.
    pub fn count(&mut self, tokens: usize, time: Duration) {
        const OLD_SHARE: f64 = 0.8;
        if tokens == 0 {
            return;
        }
        self.tokens = OLD_SHARE * self.tokens + tokens as f64;
        self.ms = OLD_SHARE * self.ms + milliseconds(time);
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speed(measurements: &[(usize, u64)]) -> ScoringSpeed {
        let mut speed = ScoringSpeed::default();
        for (tokens, ms) in measurements {
            speed.count(*tokens, Duration::from_millis(*ms));
        }
        speed
    }

    #[test]
    fn micro_batches_take_a_tenth_of_the_time_or_what_is_left() {
        let deadline = Deadline::after(Duration::from_secs(1000));
        assert!(!deadline.has_passed());
        assert_eq!(deadline.batch_tokens(ScoringSpeed::default()), 1);
        assert_eq!(deadline.batch_tokens(speed(&[(50, 100)])), 50_000);
        let late = deadline.begun(Duration::from_secs(990));
        assert!((4000..=5000).contains(&late.batch_tokens(speed(&[(50, 100)]))));
        assert!((9..=10).contains(&late.remaining().as_secs()));
        let passed = Deadline::after(Duration::ZERO);
        assert!(passed.has_passed());
        assert_eq!((passed.remaining(), passed.batch_tokens(speed(&[(50, 100)]))), (Duration::ZERO, 1));
        assert_eq!(Deadline::after(Duration::MAX).batch_tokens(speed(&[(50, 100)])), usize::MAX);
    }

    #[test]
    fn later_measurements_of_the_speed_count_more() {
        let deadline = Deadline::after(Duration::from_secs(1000));
        let tokens = |measurements: &[(usize, u64)]| deadline.batch_tokens(speed(measurements));
        assert_eq!(tokens(&[(100, 100), (0, 5000)]), tokens(&[(100, 100)]));
        let [slower, faster] = [tokens(&[(100, 50), (100, 100)]), tokens(&[(100, 100), (100, 50)])];
        assert!(100_000 < slower && slower < faster && faster < 200_000, "{slower}, {faster}");
    }
}
