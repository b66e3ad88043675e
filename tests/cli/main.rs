//! Tests of the command line, which run the program.

#[path = "../common/mod.rs"]
mod common;

mod calibrate;
mod decoders;
mod documentation;
mod documents;
mod embedded;
mod eval;
mod explain;
mod hub;
mod hub_weights;
mod other_commands;
mod program;
mod rank_and_score;
mod rank_options;
mod refusals;
#[cfg(feature = "serve")]
mod serve;
