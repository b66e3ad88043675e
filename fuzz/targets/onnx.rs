//! Fuzzes ONNX files: the graph, every tensor, and a model that computes with them.
//!
//! After the byte `f`, an input is a file. Otherwise it is a file whose tensors are in `model.onnx_data`, which has
//! those of a real model; the first byte determines in which form.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ranklet::internals::Weights;
use ranklet_fuzz::onnx::{Form, Message, bert};
use ranklet_fuzz::{check, fixture, with, write_seeds};

const FORMS: [Form; 3] = [Form::Paths, Form::Fused, Form::Integers];

/// The graphs of a model in every form, and their tensors.
static MODELS: LazyLock<[(Vec<u8>, Vec<u8>); 3]> = LazyLock::new(|| {
    let weights =
        Weights::parse(fixture().get("model.safetensors").unwrap_or_default()).expect("the fixture is good");
    FORMS.map(|form| bert(&weights, form))
});

/// The configuration of a model with one layer.
static CONFIG: LazyLock<String> = LazyLock::new(|| {
    let config = String::from_utf8_lossy(fixture().get("config.json").unwrap_or_default()).into_owned();
    config.replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1")
});

/// Returns the graphs of a whole model, and tiny files with data in every field.
fn seeds() -> Vec<Vec<u8>> {
    let tensor = Message::default().number(1, 2).number(1, 1).number(2, 1).bytes(8, "classifier.weight");
    let floats = [0.5f32, -1.0].map(f32::to_le_bytes).concat();
    let data = [
        tensor.clone().bytes(9, &floats),
        tensor.clone().bytes(4, &floats),
        tensor.clone().bytes(10, [0; 16]),
        tensor.clone().bytes(5, [1, 0x80, 1]),
        tensor.number(5, 1).number(5, 2),
    ];
    let file = |tensor: &Message| {
        let constant = Message::default().bytes(1, "value").bytes(5, tensor).number(20, 4);
        let node = Message::default().bytes(2, "a").bytes(4, "Constant").bytes(5, constant);
        let graph = Message::default().bytes(1, node).bytes(5, tensor);
        [b"f", &Message::default().number(1, 8).bytes(7, graph).into_bytes()[..]].concat()
    };
    let models = MODELS.iter().zip("pui".bytes());
    models.map(|((graph, _), kind)| [&[kind], &graph[..]].concat()).chain(data.iter().map(file)).collect()
}

fuzz_target!(init: write_seeds("onnx", seeds()), |input: &[u8]| {
    let Some((kind, file)) = input.split_first() else { return };
    let data = match kind {
        b'f' => &[][..],
        b'u' => &MODELS[1].1,
        b'i' => &MODELS[2].1,
        _ => &MODELS[0].1,
    };
    check(with([
        ("model.safetensors", &[][..]),
        ("config.json", CONFIG.as_bytes()),
        ("model.onnx", file),
        ("model.onnx_data", data),
    ]));
});
