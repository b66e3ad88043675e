//! The dictionary of tensors in a pickle.

use std::collections::HashSet;

use super::pickle::{Pickle, Value};
use super::tensor_view::TensorView;
use crate::checkpoint::weights::tensor::current_name;
use crate::error::{Result, weights};

/// Returns the tensors in `data.pkl`, with their current names.
///
/// # Errors
/// `weights` if it holds anything else, such as the checkpoint of a training run. transformers does not load these
/// either.
pub(super) fn tensors(bytes: &[u8]) -> Result<Vec<TensorView>> {
    let (pickle, value) = Pickle::run(bytes)?;
    let Value::Dict(index) = value else {
        return Err(weights(format!("data.pkl contains {}, not a dictionary of tensors", kind(value))));
    };
    let mut names = HashSet::new();
    let mut tensors = Vec::new();
    for (key, value) in pickle.dict(index) {
        let Value::Text(name) = key else {
            return Err(weights(format!("the dictionary in data.pkl has {} as a name", kind(*key))));
        };
        let found = if let Value::Tensor(index) = value { pickle.tensor(*index) } else { None };
        let tensor = found.ok_or_else(|| {
            let kind = kind(*value);
            weights(format!("{name} is {kind}, not a tensor: save the model's state_dict() and nothing else"))
        })?;
        let current = current_name(name);
        if !names.insert(current.clone()) {
            return Err(weights(format!("{name} occurs twice, possibly under an older name")));
        }
        tensors.push(TensorView::read(current, &pickle, tensor)?);
    }
    Ok(tensors)
}

/// Describes a value, for error messages.
fn kind(value: Value) -> &'static str {
    match value {
        Value::None => "None",
        Value::Bool => "True or False",
        Value::Int(_) => "a number",
        Value::Text(_) => "a text",
        Value::Tuple(_) => "a tuple",
        Value::Dict(_) => "a dictionary",
        Value::Global(_) => "a class or a function",
        Value::Storage(_) => "a storage",
        Value::Tensor(_) => "a tensor",
    }
}
