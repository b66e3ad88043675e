//! The command line, run as a program.

#[path = "../common/mod.rs"]
mod common;

mod commands;
mod hub;
