//! Damaged and malformed checkpoints give typed errors.

#[path = "../common/mod.rs"]
mod common;

mod broken;
mod config_files;
mod damage;
mod dependencies;
mod other_models;
mod replaced_files;
mod tokenizer_files;
mod weights_files;
