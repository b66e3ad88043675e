//! Headers of safetensors files whose offsets match the shapes.

use serde_json::{Map, Value, json};

/// Max size in bytes of the data that a header describes.
const MAX_DATA_BYTES: usize = 1 << 20;

/// Returns the header with all tensors placed one after the other, and the size of the data. `None` if the header
/// cannot be parsed that far.
pub(crate) fn with_places_that_fit(header: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut header: Map<String, Value> = serde_json::from_slice(header).ok()?;
    let mut tensors: Vec<&mut Value> =
        header.iter_mut().filter(|(name, _)| *name != "__metadata__").map(|(_, tensor)| tensor).collect();
    tensors.sort_by_key(|tensor| tensor["data_offsets"][0].as_u64());
    let mut end = 0;
    for tensor in tensors {
        let start = end;
        end = size(tensor).and_then(|size| size.checked_add(start)).filter(|end| *end <= MAX_DATA_BYTES)?;
        tensor.as_object_mut()?.insert("data_offsets".to_owned(), json!([start, end]));
    }
    Some((serde_json::to_vec(&header).ok()?, end))
}

/// Returns the size in bytes of a tensor with this type and shape.
fn size(tensor: &Value) -> Option<usize> {
    let element = match tensor.get("dtype")?.as_str()? {
        "BOOL" | "U8" | "I8" => 1,
        "F16" | "BF16" | "I16" | "U16" => 2,
        "F32" | "I32" | "U32" => 4,
        "F64" | "I64" | "U64" => 8,
        _ => return None,
    };
    tensor.get("shape")?.as_array()?.iter().try_fold(element, |product: usize, size| {
        usize::try_from(size.as_u64()?).ok().and_then(|size| product.checked_mul(size))
    })
}
