//! Tests the weights reader by itself, without a model that requests certain tensors.

use ranklet::Result;
use ranklet::internals::{Weights, WeightsReader};

use crate::refused;

/// Reads a file in small pieces of several sizes.
fn read(name: &str, file: &[u8]) -> Result<Weights> {
    let mut reader = WeightsReader::default();
    reader.open(name, file.len() as u64)?;
    let mut sizes = [1, 6, 3, 40, 1000].into_iter().cycle();
    while let Some(wanted) = reader.wanted() {
        let wanted = &file[wanted.start as usize..wanted.end as usize];
        reader.push(&wanted[..wanted.len().min(sizes.next().unwrap_or(1))])?;
    }
    reader.finish()
}

/// Returns whether the file `name` can be read. If so, reads every number of every tensor, and checks that the numbers
/// of checked tensors are finite.
pub fn check_tensors(name: &str, file: &[u8]) -> bool {
    let weights = match read(name, file) {
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
