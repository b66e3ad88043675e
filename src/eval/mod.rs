//! Measures of rankings, as trec_eval computes them, and tests of their differences.
//!
//! A ranking is given as the gains of its documents in ranked order: the judged relevance of each document, 0 for one
//! without a judgment. [`trec_order`] sorts documents as trec_eval does before it measures.
//!
//! [`fit_calibration`] turns scores into probabilities, and [`expected_calibration_error`] measures these.

mod calibration;
mod kendall;
mod measure;
mod measures;
mod statistics;

pub use calibration::{expected_calibration_error, fit_calibration};
pub use kendall::kendall_tau;
pub use measure::Measure;
pub use measures::{Gain, average_precision, ndcg, precision, recall, reciprocal_rank, trec_order};
pub use statistics::{bootstrap_interval, permutation_test};
