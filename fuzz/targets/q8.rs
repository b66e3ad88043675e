//! `model.safetensors` in our own q8 format: integers, their scales, and what the metadata says of them.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ranklet_fuzz::{Template, check, check_tensors, fixture, with, write_seeds};

static TEMPLATE: LazyLock<Template> = LazyLock::new(|| {
    let files =
        pollster::block_on(ranklet::quantize(fixture().clone(), "fuzz")).expect("the fixture is good");
    Template::new(files.get("model.safetensors").unwrap_or_default())
});

/// A matrix, a table and a vector in a few bytes.
const SMALL: &[u8] = br#"{"__metadata__":{"ranklet":
"{\"format\":\"q8\",\"version\":1,\"scheme\":\"\",\"source\":\"\",\"golden\":{\"pairs\":[]}}"},
"a":{"dtype":"U8","shape":[2,3],"data_offsets":[8,14]},"a.scale":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},
"b":{"dtype":"I8","shape":[1,2],"data_offsets":[22,24]},"b.scale":{"dtype":"F32","shape":[1],"data_offsets":[14,18]},
"c":{"dtype":"F32","shape":[1],"data_offsets":[18,22]}}"#;

/// The header with its golden pairs renamed away: damaged weights then get as far as being scored.
fn without_golden_pairs(header: String) -> String {
    header.replace(r#"\"pairs\":"#, r#"\"pairs\":[],\"was\":"#)
}

fn seeds() -> [Vec<u8>; 4] {
    [
        TEMPLATE.seed(|header| header),
        TEMPLATE.seed(without_golden_pairs),
        [b"h", SMALL, &[0xff], &[0; 24]].concat(),
        [b"e", SMALL].concat(),
    ]
}

fuzz_target!(init: write_seeds("q8", seeds()), |input: &[u8]| {
    let file = TEMPLATE.file(input);
    if check_tensors(&file) {
        check(with([("model.safetensors", &file[..])]));
    }
});
