//! Scores: parity with sentence-transformers, chunks, collections, devices, ranking quality.

#[path = "../common/mod.rs"]
mod common;

mod chunks;
mod collection;
mod decoder;
mod decoder_forms;
mod empty_pairs;
mod eval_measures;
mod explain;
mod explain_offsets;
mod gpu;
mod highlights;
mod micro_batches;
mod parity;
mod quality;
mod seed;
