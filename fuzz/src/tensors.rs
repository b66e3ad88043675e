//! The weights reader on its own, without a model that knows which tensors it wants.

use ranklet::Result;
use ranklet::checkpoint::{Weights, WeightsReader};

use crate::refused;

/// The file as it comes in small pieces of several sizes.
fn read(file: &[u8]) -> Result<Weights> {
    let mut reader = WeightsReader::new(file.len() as u64);
    let mut rest = file;
    for size in [1, 6, 3, 40, 1000].into_iter().cycle() {
        let (piece, after) = rest.split_at(rest.len().min(size));
        reader.push(piece)?;
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    reader.finish()
}

/// Whether `file` can be read at all; if so, every number of every tensor is, and those that pass for checked are
/// finite.
pub fn check_tensors(file: &[u8]) -> bool {
    let weights = match read(file) {
        Ok(weights) => weights,
        Err(error) => {
            refused(&error);
            return false;
        }
    };
    for name in weights.names() {
        match weights.view(name) {
            Ok(view) => {
                let values = view.to_f32();
                assert_eq!(values.len(), view.elements());
                match weights.require(name, view.shape()) {
                    Ok(_) => assert!(values.iter().all(|value| value.is_finite()), "{name}: {values:?}"),
                    Err(error) => refused(&error),
                }
            }
            Err(error) => refused(&error),
        }
    }
    true
}
