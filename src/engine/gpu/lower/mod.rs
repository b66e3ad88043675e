//! Lowers a Plan: packs its weights, uploads them, and returns the steps that recording reads.

mod constants;
mod prepare;
mod weights;

pub(super) use constants::{Constants, Upload};
pub(super) use prepare::{Prepared, prepare};
