//! Fuzzes a plain `model.safetensors`: the header, every tensor, and a model that computes with them.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ranklet_fuzz::{Template, check, check_tensors, fixture, with, write_seeds};

static TEMPLATE: LazyLock<Template> =
    LazyLock::new(|| Template::new(fixture().get("model.safetensors").unwrap_or_default()));

/// Every supported type, an unsupported one, an old name and metadata, in a few bytes.
const SMALL: &[u8] = br#"{"__metadata__":{"format":"pt"},
"a.gamma":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},
"b":{"dtype":"F16","shape":[1,2],"data_offsets":[8,12]},
"c":{"dtype":"BF16","shape":[],"data_offsets":[12,14]},
"d":{"dtype":"I64","shape":[0,3],"data_offsets":[14,14]}}"#;

fn seeds() -> [Vec<u8>; 4] {
    let whole = [&(SMALL.len() as u64).to_le_bytes()[..], SMALL, &[0; 14]].concat();
    [
        TEMPLATE.seed(|header| header),
        [b"f", &whole[..]].concat(),
        [b"h", SMALL, &[0xff], &[0; 14]].concat(),
        [b"e", SMALL].concat(),
    ]
}

fuzz_target!(init: write_seeds("safetensors", seeds()), |input: &[u8]| {
    let file = TEMPLATE.file(input);
    if check_tensors("model.safetensors", &file) {
        check(with([("model.safetensors", &file[..])]));
    }
});
