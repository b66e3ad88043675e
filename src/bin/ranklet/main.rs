//! The command line. Data goes to stdout, everything else to stderr. Exit status 0 for success, 2 for wrong usage, 1
//! for any other error.

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod args;
mod bench;
mod calibrate;
mod commands;
mod eval;
mod explain;
mod html;
mod input;
mod output;
mod rank;
mod report;
mod scoring;
#[cfg(feature = "serve")]
mod serve;
mod terminal;
mod workload;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = args::Arguments::parse();
    match commands::run(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::status(&format!("ranklet: {error}"));
            ExitCode::FAILURE
        }
    }
}
