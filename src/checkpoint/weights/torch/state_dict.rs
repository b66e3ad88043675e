//! The dictionary of tensors that a pickle holds.

use std::collections::HashSet;

use super::pickle::{Pickle, Value};
use super::tensor_view::TensorView;
use crate::checkpoint::weights::tensor::current_name;
use crate::error::{Result, weights};

/// The tensors in `data.pkl`, old spellings of names brought up to date.
///
/// # Errors
/// `weights` when it holds anything else, as checkpoints of training runs do, which transformers does not load either.
pub(super) fn tensors(bytes: &[u8]) -> Result<Vec<TensorView>> {
    let (pickle, value) = Pickle::run(bytes)?;
    let Value::Dict(place) = value else {
        return Err(weights(format!("data.pkl holds {}, not a dictionary of tensors", kind(value))));
    };
    let mut names = HashSet::new();
    let mut tensors = Vec::new();
    for (key, value) in pickle.dict(place) {
        let Value::Text(name) = key else {
            return Err(weights(format!("the dictionary in data.pkl has {} for a name", kind(*key))));
        };
        let found = if let Value::Tensor(place) = value { pickle.tensor(*place) } else { None };
        let tensor = found.ok_or_else(|| {
            let kind = kind(*value);
            weights(format!("{name} is {kind}, not a tensor: save the model's state_dict() and nothing else"))
        })?;
        let current = current_name(name);
        if !names.insert(current.clone()) {
            return Err(weights(format!(
                "both {name} and its other spelling are there, or one of them twice"
            )));
        }
        tensors.push(TensorView::read(current, &pickle, tensor)?);
    }
    Ok(tensors)
}

/// What a value is, for messages.
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
