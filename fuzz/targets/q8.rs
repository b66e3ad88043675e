//! Fuzzes `model.safetensors` in Ranklet's formats q8 and q4: integers, scales and metadata.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ranklet_fuzz::{Template, check, check_tensors, fixture, with, write_seeds};

static TEMPLATE: LazyLock<Template> = LazyLock::new(|| {
    let files = pollster::block_on(ranklet::quantize(fixture().clone(), "fuzz", ranklet::Dtype::Q8))
        .expect("the fixture is good");
    Template::new(files.get("model.safetensors").unwrap_or_default())
});

/// A matrix, a table and a vector in a few bytes.
const SMALL: &[u8] = br#"{"__metadata__":{"ranklet":
"{\"format\":\"q8\",\"version\":1,\"scheme\":\"\",\"source\":\"\",\"golden\":{\"pairs\":[]}}"},
"a":{"dtype":"U8","shape":[2,3],"data_offsets":[8,14]},"a.scale":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},
"b":{"dtype":"I8","shape":[1,2],"data_offsets":[22,24]},"b.scale":{"dtype":"F32","shape":[1],"data_offsets":[14,18]},
"c":{"dtype":"F32","shape":[1],"data_offsets":[18,22]}}"#;

/// The same tensors in 4-bit blocks.
const SMALL_Q4: &[u8] = br#"{"__metadata__":{"ranklet":
"{\"format\":\"q4\",\"version\":1,\"scheme\":\"\",\"source\":\"\",\"columns\":{\"a\":3,\"b\":2},\"golden\":{\"pairs\":[]}}"},
"a":{"dtype":"U8","shape":[2,2],"data_offsets":[4,8]},"a.scale":{"dtype":"F16","shape":[2,1],"data_offsets":[0,4]},
"b":{"dtype":"I8","shape":[1,1],"data_offsets":[10,11]},"b.scale":{"dtype":"F16","shape":[1,1],"data_offsets":[8,10]},
"c":{"dtype":"F32","shape":[1],"data_offsets":[11,15]}}"#;

/// Renames the golden pairs in a header, so that a model with damaged weights is not rejected before it scores.
fn without_golden_pairs(header: String) -> String {
    header.replace(r#"\"pairs\":"#, r#"\"pairs\":[],\"was\":"#)
}

fn seeds() -> [Vec<u8>; 6] {
    [
        TEMPLATE.seed(|header| header),
        TEMPLATE.seed(without_golden_pairs),
        [b"h", SMALL, &[0xff], &[0; 24]].concat(),
        [b"e", SMALL].concat(),
        [b"h", SMALL_Q4, &[0xff], &[0; 15]].concat(),
        [b"e", SMALL_Q4].concat(),
    ]
}

fuzz_target!(init: write_seeds("q8", seeds()), |input: &[u8]| {
    let file = TEMPLATE.file(input);
    if check_tensors("model.safetensors", &file) {
        check(with([("model.safetensors", &file[..])]));
    }
});
