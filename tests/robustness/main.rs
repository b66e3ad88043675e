//! Damaged and malformed checkpoints give typed errors.

#[path = "../common/mod.rs"]
mod common;

mod damage;
mod malformed;
