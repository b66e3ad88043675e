//! Tests with small hand-written files.

use std::time::{Duration, Instant};

use super::graph::{Data, Graph, Node, StoredTensor};
use super::layers::Layers;
use super::naming::Naming;
use super::operators::Operator;
use crate::checkpoint::weights::expected::{ExpectedRole, ExpectedTensor, ExpectedTensors};
use crate::checkpoint::weights::quant_grid::QuantGrid;
use crate::checkpoint::weights::tensor::Encoding;
use crate::checkpoint::{Weights, WeightsReader};
use crate::error::{ErrorKind, Result};

/// A protobuf message.
#[derive(Default, Clone)]
struct Message(Vec<u8>);

impl Message {
    fn number(mut self, field: u8, value: u8) -> Self {
        assert!(value < 0x80 && field < 16);
        self.0.extend([field << 3, value]);
        self
    }

    fn bytes(mut self, field: u8, content: impl AsRef<[u8]>) -> Self {
        let content = content.as_ref();
        assert!(content.len() < 1 << 14 && field < 16);
        self.0.extend([field << 3 | 2, (content.len() & 0x7f) as u8 | 0x80, (content.len() >> 7) as u8]);
        self.0.extend_from_slice(content);
        self
    }
}

impl AsRef<[u8]> for Message {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

fn node(op: &str, name: &str, inputs: &[&str], output: &str) -> Message {
    let node = inputs.iter().fold(Message::default(), |node, input| node.bytes(1, input));
    node.bytes(2, output).bytes(3, name).bytes(4, op)
}

fn tensor(name: &str, shape: &[u8], data_type: u8) -> Message {
    let tensor = shape.iter().fold(Message::default(), |tensor, size| tensor.number(1, *size));
    tensor.number(2, data_type).bytes(8, name)
}

fn raw(name: &str, shape: &[u8], values: &[f32]) -> Message {
    tensor(name, shape, 1).bytes(9, floats(values))
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn file(nodes: &[Message], tensors: &[Message]) -> Vec<u8> {
    let graph = nodes.iter().fold(Message::default(), |graph, node| graph.bytes(1, node));
    let graph = tensors.iter().fold(graph, |graph, tensor| graph.bytes(5, tensor));
    Message::default().number(1, 8).bytes(7, graph).0
}

fn expect(name: &str, shape: &[usize], role: ExpectedRole) -> ExpectedTensor {
    let grid = match role {
        ExpectedRole::Norm | ExpectedRole::Bias => None,
        ExpectedRole::Table => Some(QuantGrid::EMBEDDING),
        _ => Some(QuantGrid::MATRIX),
    };
    ExpectedTensor { name: name.to_owned(), shape: shape.to_vec(), role, grid }
}

fn read(file: &[u8], expected: &[ExpectedTensor], is_quantized: bool, piece: usize) -> Result<Weights> {
    let expected = ExpectedTensors { namings: vec![expected.to_vec()], is_quantized, stage: None };
    let mut reader = WeightsReader::new(None, expected);
    reader.open("onnx/model.onnx", file.len() as u64)?;
    while let Some(wanted) = reader.wanted() {
        let end = wanted.end.min(wanted.start + piece as u64);
        reader.push(&file[wanted.start as usize..end as usize])?;
    }
    reader.finish()
}

fn values(weights: &Weights, name: &str) -> Vec<f32> {
    weights.view(name).unwrap().to_f32()
}

#[test]
fn pieces_of_any_size_and_every_field_give_the_same_tensor() {
    let wanted = [expect("a.weight", &[2, 1], ExpectedRole::Matrix)];
    let data = floats(&[0.5, -2.0]);
    let repeated = [&[0x25][..], &data[..4], &[0x25], &data[4..]].concat();
    // 0.5 and -2 in f16 and bf16, as varints.
    let half = [0x80, 0x70, 0x80, 0x80, 0x03];
    let brain = [0x80, 0x7e, 0x80, 0x80, 0x03];
    let forms = [
        tensor("a.weight", &[2, 1], 1).bytes(9, &data),
        tensor("a.weight", &[2, 1], 1).bytes(4, &data),
        Message([tensor("a.weight", &[2, 1], 1).0, repeated].concat()),
        tensor("a.weight", &[2, 1], 10).bytes(5, half),
        tensor("a.weight", &[2, 1], 16).bytes(5, brain),
        tensor("a.weight", &[2, 1], 11).bytes(10, [0.5f64, -2.0].map(f64::to_le_bytes).concat()),
        // Packed sizes.
        Message::default().bytes(1, [2, 1]).number(2, 1).bytes(8, "a.weight").bytes(9, &data),
    ];
    for (index, form) in forms.iter().enumerate() {
        let constant = node("Constant", "", &[], "a.weight")
            .bytes(5, Message::default().bytes(1, "value").bytes(5, form).number(15, 4));
        let initializer = file(&[node("Relu", "r", &["x"], "y")], std::slice::from_ref(form));
        for file in [initializer, file(&[constant], &[])] {
            for piece in [1, 2, 7, 1000] {
                let weights = read(&file, &wanted, false, piece).unwrap();
                assert_eq!(values(&weights, "a.weight"), [0.5, -2.0], "form {index} in pieces of {piece}");
            }
        }
    }
    assert_eq!(Data::default(), Data::Absent);
}

/// A layer of attention without names: the order of queries, keys and values in the file is not that of the model.
fn attention(order: [&str; 3]) -> (Vec<u8>, Vec<ExpectedTensor>) {
    let mut nodes: Vec<Message> =
        order.iter().map(|part| node("MatMul", "", &["x", &format!("w_{part}")], part)).collect();
    nodes.extend([
        node("Transpose", "", &["k"], "kt"),
        node("MatMul", "", &["q", "kt"], "scores"),
        node("Softmax", "", &["scores"], "p"),
        node("MatMul", "", &["p", "v"], "context"),
    ]);
    let tensors = [("q", 1.0), ("k", 2.0), ("v", 3.0)]
        .map(|(part, value)| raw(&format!("w_{part}"), &[2, 2], &[value, 0.0, value + 0.5, 0.0]));
    let expected = [("q", ExpectedRole::Query), ("k", ExpectedRole::Key), ("v", ExpectedRole::Value)]
        .map(|(part, role)| expect(&format!("{part}.weight"), &[2, 2], role));
    (file(&nodes, &tensors), expected.to_vec())
}

#[test]
fn queries_keys_and_values_are_told_apart_by_the_products() {
    for order in [["q", "k", "v"], ["v", "k", "q"], ["k", "v", "q"]] {
        let (file, expected) = attention(order);
        let weights = read(&file, &expected, false, 1000).unwrap();
        for (name, value) in [("q.weight", 1.0), ("k.weight", 2.0), ("v.weight", 3.0)] {
            // Transposed.
            assert_eq!(values(&weights, name), [value, value + 0.5, 0.0, 0.0], "{order:?} {name}");
        }
    }
}

#[test]
fn a_fused_attention_node_has_three_matrices_in_one() {
    let node = node("Attention", "Attention_0", &["x", "qkv", "qkv_bias"], "y");
    let matrix: Vec<f32> = (0..12).map(|value| value as f32).collect();
    let tensors = [raw("qkv", &[2, 6], &matrix), raw("qkv_bias", &[6], &matrix[..6])];
    let roles = [ExpectedRole::Query, ExpectedRole::Key, ExpectedRole::Value];
    let expected: Vec<_> = ["q", "k", "v"]
        .into_iter()
        .zip(roles)
        .flat_map(|(part, role)| {
            let bias = expect(&format!("{part}.bias"), &[2], ExpectedRole::Bias);
            [expect(&format!("{part}.weight"), &[2, 2], role), bias]
        })
        .collect();
    let weights = read(&file(&[node], &tensors), &expected, false, 1000).unwrap();
    assert_eq!(values(&weights, "q.weight"), [0.0, 6.0, 1.0, 7.0]);
    assert_eq!(values(&weights, "k.weight"), [2.0, 8.0, 3.0, 9.0]);
    assert_eq!(values(&weights, "v.weight"), [4.0, 10.0, 5.0, 11.0]);
    assert_eq!(values(&weights, "v.bias"), [4.0, 5.0]);
}

/// A matrix of integers: two outputs of three inputs, with a scale per output.
fn integers(codes: [i8; 6]) -> Vec<u8> {
    let nodes = [
        node("MatMulInteger", "/a/MatMul_quant", &["x", "w_quantized", "x_zero", "w_zero"], "i"),
        node("Cast", "", &["i"], "c"),
        node("Mul", "", &["x_scale", "w_scale"], "s"),
        node("Mul", "", &["c", "s"], "y"),
    ];
    let tensors = [
        tensor("w_quantized", &[3, 2], 3).bytes(9, codes.map(i8::cast_unsigned)),
        raw("w_scale", &[2], &[0.5, 0.25]),
        tensor("w_zero", &[2], 3).bytes(9, [0, 1]),
    ];
    file(&nodes, &tensors)
}

#[test]
fn integers_that_fit_the_grid_are_taken_as_they_are() {
    let expected = [expect("a.weight", &[2, 3], ExpectedRole::Matrix)];
    for is_quantized in [false, true] {
        let weights = read(&integers([10, 1, -64, 2, 63, -63]), &expected, is_quantized, 1000).unwrap();
        let tensor = weights.view("a.weight").unwrap();
        assert_eq!(tensor.encoding, Encoding::Q7);
        assert_eq!(tensor.codes(0), (&[74, 0, 127][..], 0.5));
        assert_eq!(tensor.codes(1), (&[64, 65, 0][..], 0.25));
        assert_eq!(tensor.to_f32(), [5.0, -32.0, 31.5, 0.0, 0.25, -16.0]);
    }
}

#[test]
fn integers_that_do_not_fit_stay_exact_in_f32_and_are_rounded_in_q8() {
    let expected = [expect("a.weight", &[2, 3], ExpectedRole::Matrix)];
    let file = integers([10, 1, -64, 2, 64, 3]);
    let weights = read(&file, &expected, false, 1000).unwrap();
    assert_eq!(values(&weights, "a.weight"), [5.0, -32.0, 32.0, 0.0, 0.25, 0.5]);
    let tensor = weights.view("a.weight").unwrap();
    assert_eq!(tensor.encoding, Encoding::F32);
    let weights = read(&file, &expected, true, 1000).unwrap();
    let tensor = weights.view("a.weight").unwrap();
    assert_eq!(tensor.encoding, Encoding::Q7);
    // Only the row with 64 is rounded.
    assert_ne!(tensor.codes(0).1, 0.5);
    assert_eq!(tensor.codes(1), (&[64, 65, 66][..], 0.25));
}

#[test]
fn what_is_not_read_is_refused_with_the_way_out() {
    let expected = [expect("a.weight", &[2, 2], ExpectedRole::Matrix)];
    let with = |nodes: &[Message], tensors: &[Message]| read(&file(nodes, tensors), &expected, false, 1000);
    let matmul = node("MatMul", "/a/MatMul", &["x", "w"], "y");
    let external = |location: &str| {
        let entry = |key: &str, value: &str| Message::default().bytes(1, key).bytes(2, value);
        tensor("w", &[2, 2], 1).bytes(13, entry("location", location)).number(14, 1)
    };
    let bits = node("MatMulNBits", "/a/MatMul_Q4", &["x", "w", "s"], "y");
    let cases = [
        (with(&[bits], &[]), ErrorKind::Unsupported, ["MatMulNBits", "/a/MatMul_Q4", "model_quantized.onnx"]),
        (
            with(std::slice::from_ref(&matmul), &[tensor("w", &[2, 2], 7).bytes(9, [0; 32])]),
            ErrorKind::Unsupported,
            ["w has INT64 elements", "model_fp16.onnx", "onnx/model.onnx: "],
        ),
        (
            with(std::slice::from_ref(&matmul), &[tensor("w", &[2, 2], 3).bytes(9, [0; 4])]),
            ErrorKind::Unsupported,
            ["w has whole numbers", "a.weight", "model_fp16.onnx"],
        ),
        (
            with(std::slice::from_ref(&matmul), &[tensor("w", &[2, 2], 1).bytes(9, [0; 12])]),
            ErrorKind::Weights,
            ["w has 12 bytes", "[2, 2]", "onnx/model.onnx: "],
        ),
        (
            with(std::slice::from_ref(&matmul), &[external("../secret")]),
            ErrorKind::Weights,
            ["w is in the file \"../secret\"", "not the name of a file next to it", "save_as_external_data"],
        ),
        (
            with(&[matmul], &[external("other.bin")]),
            ErrorKind::Weights,
            ["onnx/other.bin is missing", "onnx/model.onnx stores weights in it", "same folder"],
        ),
        (
            with(&[], &[]).and_then(|weights| weights.require("a.weight", &[2, 2]).map(|_| weights.clone())),
            ErrorKind::Weights,
            ["does not show", "a.weight", "model.safetensors"],
        ),
    ];
    for (result, kind, names) in cases {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        for name in names {
            assert!(error.context().contains(name), "{error:?} does not name {name:?}");
        }
    }
}

/// One by one, the names would be compared 16 billion times.
#[test]
fn a_million_paths_are_looked_up_in_seconds() {
    let mut graph = Graph::default();
    graph.add_tensor(StoredTensor { name: "bias".to_owned(), ..StoredTensor::default() }).unwrap();
    let inputs = vec![graph.value("bias").unwrap()];
    for _ in 0..20_000 {
        let scopes = vec!["layer.00000".to_owned(); 50];
        graph
            .add_node(Node { op: Operator::Add, inputs: inputs.clone(), scopes, ..Node::default() })
            .unwrap();
    }
    graph.connect().unwrap();
    let expected: Vec<_> = (1..16_000)
        .map(|layer| expect(&format!("layer.{layer:05}.bias"), &[1], ExpectedRole::Bias))
        .collect();
    let started = Instant::now();
    assert!(Naming::find(&graph, &Layers::default(), &expected).sources.is_empty());
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}
