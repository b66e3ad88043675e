//! Tests of q8 and q4 checkpoints.

#[path = "../common/mod.rs"]
mod common;

mod files;
mod q4;
