//! Code shared by the fuzz targets: a tiny real checkpoint whose files they replace, and the properties they check.

mod checkpoint;
mod frame;
mod header;
mod json;
mod memory;
pub mod onnx;
mod tensors;
#[path = "../../tests/common/torch.rs"]
pub mod torch;

pub use checkpoint::{check, fixture, fixtures, refused, with};
pub use frame::Template;
pub use json::mutate;
pub use tensors::check_tensors;

use std::path::Path;

/// A byte that UTF-8 never contains. It separates the files of one input.
const SEPARATOR: u8 = 0xff;

/// Splits an input into files.
pub fn split(input: &[u8]) -> impl Iterator<Item = &[u8]> {
    input.split(|byte| *byte == SEPARATOR)
}

/// Joins files into an input.
pub fn join(files: &[&[u8]]) -> Vec<u8> {
    files.join(&SEPARATOR)
}

/// Writes the initial inputs into the corpus of `target`.
pub fn write_seeds(target: &str, seeds: impl IntoIterator<Item = Vec<u8>>) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    std::fs::create_dir_all(&corpus).expect("the corpus is a folder");
    for (number, seed) in seeds.into_iter().enumerate() {
        std::fs::write(corpus.join(format!("seed-{number}")), seed).expect("the corpus can be written");
    }
}
