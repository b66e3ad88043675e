//! Fuzzes `pytorch_model.bin`: the archive, the pickle, every tensor, and a model that computes with them.
//!
//! The first byte of an input determines the rest: after `f` it is the file. Otherwise it is a pickle, which is put
//! into an archive with the storages of a real model.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ranklet::internals::Weights;
use ranklet_fuzz::torch::{Pickled, archive, dictionary};
use ranklet_fuzz::{check, check_tensors, fixture, with, write_seeds};

const NAME: &str = "pytorch_model.bin";

/// Name, shape and data.
type Tensor = (String, Vec<i64>, Vec<u8>);

static TENSORS: LazyLock<Vec<Tensor>> = LazyLock::new(|| {
    let weights =
        Weights::parse(fixture().get("model.safetensors").unwrap_or_default()).expect("the fixture is good");
    let tensor = |name: &str| {
        let tensor = weights.view(name).expect("the fixture is good");
        let bytes = tensor.to_f32().into_iter().flat_map(f32::to_le_bytes).collect();
        (name.to_owned(), tensor.shape().iter().map(|size| *size as i64).collect(), bytes)
    };
    weights.names().map(tensor).collect()
});

/// Returns the pickle of the first `count` tensors.
fn pickle(count: usize) -> Vec<u8> {
    let pickled = |(number, (name, shape, bytes)): (usize, &'static Tensor)| {
        let strides: Vec<i64> = (1..=shape.len()).map(|from| shape[from..].iter().product()).collect();
        let (key, elements) = (number.to_string(), (bytes.len() / 4) as i64);
        let tensor =
            Pickled { class: "FloatStorage", key: &key, elements, offset: 0, shape, strides: &strides };
        (name.as_str(), tensor.bytes())
    };
    dictionary(&TENSORS.iter().take(count).enumerate().map(pickled).collect::<Vec<_>>())
}

fn with_storages(pickle: &[u8]) -> Vec<u8> {
    let names: Vec<String> = (0..TENSORS.len()).map(|number| format!("data/{number}")).collect();
    let storages = names.iter().zip(&*TENSORS).map(|(name, (_, _, bytes))| (name.as_str(), &bytes[..]));
    archive(&[("data.pkl", pickle), ("byteorder", b"little")].into_iter().chain(storages).collect::<Vec<_>>())
}

/// Returns the pickles of the whole model and of a part of it, and a tiny archive as a file.
fn seeds() -> [Vec<u8>; 3] {
    let small =
        Pickled { class: "HalfStorage", key: "0", elements: 4, offset: 1, shape: &[1, 2], strides: &[1, 1] };
    let small = dictionary(&[("a.gamma", small.bytes())]);
    let file = archive(&[("data.pkl", &small), ("byteorder", b"little"), ("data/0", &[0; 8])]);
    [[b"p", &pickle(TENSORS.len())[..]].concat(), [b"p", &pickle(2)[..]].concat(), [b"f", &file[..]].concat()]
}

fuzz_target!(init: write_seeds("torch", seeds()), |input: &[u8]| {
    let file = match input {
        [b'f', file @ ..] => file.to_vec(),
        [_, pickle @ ..] => with_storages(pickle),
        [] => Vec::new(),
    };
    if check_tensors(NAME, &file) {
        check(with([("model.safetensors", &[][..]), (NAME, &file[..])]));
    }
});
