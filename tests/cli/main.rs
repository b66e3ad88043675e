//! The command line, run as a program.

#[path = "../common/mod.rs"]
mod common;

mod documentation;
mod hub;
mod other_commands;
mod program;
mod rank_and_score;
mod refusals;
