//! The weights reader on its own, without a model that knows which tensors it wants.

use ranklet::checkpoint::Weights;

use crate::refused;

/// Whether `file` can be read at all; if so, every number of every tensor is, and those that pass for checked are
/// finite.
pub fn check_tensors(file: &[u8]) -> bool {
    let weights = match Weights::parse(file.to_vec().into()) {
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
                match weights.require(name, &view.shape) {
                    Ok(_) => assert!(values.iter().all(|value| value.is_finite()), "{name}: {values:?}"),
                    Err(error) => refused(&error),
                }
            }
            Err(error) => refused(&error),
        }
    }
    true
}
