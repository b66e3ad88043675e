//! From scores to results: the order, fusion with a first stage, and which documents are left out.

mod fusion;
mod ranked;

pub use fusion::{Fuse, FuseMethod};
pub use ranked::{Ranked, Selection};
