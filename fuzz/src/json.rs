//! Mutates JSON so that it stays valid. Few mutations of single bytes do in a file of kilobytes.

use serde_json::{Value, json};

use crate::{SEPARATOR, join, split};

/// Marsaglia's xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

/// Mutates one value in one of the files of the input `data[..size]`, as a libFuzzer mutator. Every other time, and in
/// inputs without JSON, libFuzzer mutates bytes as usual.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut random = Random(u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let changed = if random.below(2) == 0 { change(&data[..size], &mut random) } else { None };
    match changed.filter(|changed| changed.len() <= max_size) {
        Some(changed) => {
            data[..changed.len()].copy_from_slice(&changed);
            changed.len()
        }
        None => libfuzzer_sys::fuzzer_mutate(data, size, max_size),
    }
}

fn change(input: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let mut files: Vec<Vec<u8>> = split(input).map(<[u8]>::to_vec).collect();
    let file = random.below(files.len());
    let mut json: Value = serde_json::from_slice(&files[file]).ok()?;
    let count = count(&json);
    let other = nth(&mut json, &mut random.below(count))?.clone();
    let target = nth(&mut json, &mut random.below(count))?;
    match (random.below(3), target) {
        (0, Value::Array(items)) => items.push(other),
        (0, Value::Object(fields)) => {
            let key = fields.keys().nth(random.below(fields.len()))?.clone();
            fields.remove(&key);
        }
        (1, target) => *target = other,
        (_, target) => *target = telling(random),
    }
    files[file] = serde_json::to_vec(&json).ok()?;
    debug_assert!(!files[file].contains(&SEPARATOR));
    Some(join(&files.iter().map(Vec::as_slice).collect::<Vec<_>>()))
}

/// Returns a value that often reveals defects in readers.
fn telling(random: &mut Random) -> Value {
    let values = json!([
        null,
        true,
        false,
        0,
        1,
        -1,
        2,
        540,
        100_000,
        u32::MAX,
        u64::MAX,
        0.5,
        1e300,
        "",
        " ",
        "a",
        "\u{1}",
        "[SEP]",
        [],
        {}
    ]);
    values[random.below(values.as_array().map_or(0, Vec::len))].clone()
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum(),
        _ => 0,
    }
}

/// Returns the `n`th value, counting containers before their content.
fn nth<'a>(value: &'a mut Value, n: &mut usize) -> Option<&'a mut Value> {
    if *n == 0 {
        return Some(value);
    }
    *n -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| nth(item, n)),
        Value::Object(fields) => fields.values_mut().find_map(|field| nth(field, n)),
        _ => None,
    }
}
