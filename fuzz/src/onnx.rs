//! Writes small ONNX files of a BERT with one layer, as different exporters do.

use ranklet::internals::Weights;

/// A protobuf message.
#[derive(Default, Clone)]
pub struct Message(Vec<u8>);

impl Message {
    /// Adds a number.
    pub fn number(mut self, field: u64, value: u64) -> Self {
        varint(&mut self.0, field << 3);
        varint(&mut self.0, value);
        self
    }

    /// Adds a string, a message or packed numbers.
    pub fn bytes(mut self, field: u64, content: impl AsRef<[u8]>) -> Self {
        varint(&mut self.0, field << 3 | 2);
        varint(&mut self.0, content.as_ref().len() as u64);
        self.0.extend_from_slice(content.as_ref());
        self
    }

    /// Returns the bytes of the message.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl AsRef<[u8]> for Message {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// The form of a graph.
#[derive(Clone, Copy, PartialEq)]
pub enum Form {
    /// The names of nodes are the paths of their modules.
    Paths,
    /// Nodes have no names, and attention is one node.
    Fused,
    /// Matrices are integers with a scale and a zero point.
    Integers,
}

/// A graph and the file with its tensors.
#[derive(Default)]
struct Graph {
    nodes: Vec<Message>,
    tensors: Vec<Message>,
    data: Vec<u8>,
    form: Option<Form>,
}

const LAYER: &str = "bert.encoder.layer.0";

impl Graph {
    fn node(&mut self, op: &str, path: &str, inputs: &[&str], output: &str) {
        let name = if self.form == Some(Form::Fused) {
            String::new()
        } else {
            format!("/{}/{op}", path.replace('.', "/"))
        };
        let mut node = inputs.iter().fold(Message::default(), |node, input| node.bytes(1, input));
        node = node.bytes(2, output).bytes(3, name).bytes(4, op);
        if op == "Gemm" {
            node = node.bytes(5, Message::default().bytes(1, "transB").number(3, 1).number(20, 2));
        }
        self.nodes.push(node);
    }

    /// Adds a tensor whose bytes are in the other file.
    fn tensor(&mut self, name: &str, shape: &[usize], data_type: u64, bytes: &[u8]) {
        let entry = |key: &str, value: String| Message::default().bytes(1, key).bytes(2, value);
        let tensor = shape.iter().fold(Message::default(), |tensor, size| tensor.number(1, *size as u64));
        let tensor = tensor.number(2, data_type).bytes(8, name);
        let tensor = tensor
            .bytes(13, entry("location", "model.onnx_data".to_owned()))
            .bytes(13, entry("offset", self.data.len().to_string()))
            .bytes(13, entry("length", bytes.len().to_string()));
        self.tensors.push(tensor.number(14, 1));
        self.data.extend_from_slice(bytes);
    }

    fn stored(&mut self, weights: &Weights, name: &str) {
        let tensor = weights.view(name).expect("the fixture is good");
        let bytes: Vec<u8> = tensor.to_f32().into_iter().flat_map(f32::to_le_bytes).collect();
        self.tensor(name, tensor.shape(), 1, &bytes);
    }

    /// Adds a linear layer with a transposed matrix.
    fn linear(&mut self, weights: &Weights, module: &str, input: &str) {
        let tensor = weights.view(&format!("{module}.weight")).expect("the fixture is good");
        let shape = [tensor.shape()[1], tensor.shape()[0]];
        let matrix = format!("{}_t", self.tensors.len());
        let (product, output) = (format!("{module}_p"), format!("{module}_o"));
        if self.form == Some(Form::Integers) {
            let codes: Vec<u8> = tensor.to_f32().iter().map(|value| (value * 50.0) as i8 as u8).collect();
            self.tensor(&format!("{matrix}_q"), &shape, 3, &codes);
            let scale = Message::default()
                .number(2, 1)
                .bytes(4, 0.02f32.to_le_bytes())
                .bytes(8, format!("{matrix}_s"));
            let zero_point = Message::default().number(2, 3).bytes(5, [0]).bytes(8, format!("{matrix}_z"));
            self.tensors.extend([scale, zero_point]);
            let names = [format!("{matrix}_q"), format!("{matrix}_s"), format!("{matrix}_z")];
            self.node("MatMulInteger", module, &[input, &names[0], "", &names[2]], "i");
            self.node("Mul", module, &["i", &names[1]], &product);
        } else {
            let bytes: Vec<u8> = tensor.to_f32().into_iter().flat_map(f32::to_le_bytes).collect();
            self.tensor(&matrix, &shape, 1, &bytes);
            self.node("MatMul", module, &[input, &matrix], &product);
        }
        self.stored(weights, &format!("{module}.bias"));
        self.node("Add", module, &[&product, &format!("{module}.bias")], &output);
    }

    fn norm(&mut self, weights: &Weights, module: &str, input: &str) {
        let names = [format!("{module}.weight"), format!("{module}.bias")];
        names.iter().for_each(|name| self.stored(weights, name));
        self.node("LayerNormalization", module, &[input, &names[0], &names[1]], &format!("{module}_o"));
    }

    fn attention(&mut self, weights: &Weights, input: &str) {
        let parts = ["query", "key", "value"].map(|part| format!("{LAYER}.attention.self.{part}"));
        if self.form == Some(Form::Fused) {
            let hidden = weights.view(&format!("{}.bias", parts[0])).expect("the fixture is good").shape()[0];
            self.tensor("qkv", &[hidden, 3 * hidden], 1, &vec![60; 12 * hidden * hidden]);
            self.tensor("qkv_b", &[3 * hidden], 1, &vec![60; 12 * hidden]);
            self.node("Attention", LAYER, &[input, "qkv", "qkv_b"], "context");
            return;
        }
        parts.iter().for_each(|part| self.linear(weights, part, input));
        let [query, key, value] = parts.map(|part| format!("{part}_o"));
        self.node("Transpose", LAYER, &[&key], "key_t");
        self.node("MatMul", LAYER, &[&query, "key_t"], "scores");
        self.node("Softmax", LAYER, &["scores"], "probabilities");
        self.node("MatMul", LAYER, &["probabilities", &value], "context");
    }
}

/// Returns the graph of a BERT with one layer, and the content of `model.onnx_data`.
pub fn bert(weights: &Weights, form: Form) -> (Vec<u8>, Vec<u8>) {
    let mut graph = Graph { form: Some(form), ..Graph::default() };
    for table in ["word", "position", "token_type"] {
        let module = format!("bert.embeddings.{table}_embeddings");
        graph.stored(weights, &format!("{module}.weight"));
        graph.node("Gather", &module, &[&format!("{module}.weight"), "input_ids"], table);
    }
    graph.node("Add", "bert.embeddings", &["word", "position"], "embeddings");
    graph.norm(weights, "bert.embeddings.LayerNorm", "embeddings");
    graph.attention(weights, "bert.embeddings.LayerNorm_o");
    let blocks = [
        ("attention.output.dense", "context"),
        ("attention.output.LayerNorm", "attention.output.dense_o"),
        ("intermediate.dense", "attention.output.LayerNorm_o"),
        ("output.dense", "intermediate.dense_o"),
        ("output.LayerNorm", "output.dense_o"),
    ];
    for (module, input) in blocks {
        let module = format!("{LAYER}.{module}");
        let input = if input == "context" { input.to_owned() } else { format!("{LAYER}.{input}") };
        if module.ends_with("LayerNorm") {
            graph.norm(weights, &module, &input);
        } else {
            graph.linear(weights, &module, &input);
        }
    }
    for (module, input) in [
        ("bert.pooler.dense", format!("{LAYER}.output.LayerNorm_o")),
        ("classifier", "bert.pooler.dense_o".to_owned()),
    ] {
        let names = [format!("{module}.weight"), format!("{module}.bias")];
        names.iter().for_each(|name| graph.stored(weights, name));
        graph.node("Gemm", module, &[&input, &names[0], &names[1]], &format!("{module}_o"));
    }
    let message = graph.nodes.iter().fold(Message::default(), |message, node| message.bytes(1, node));
    let message = graph.tensors.iter().fold(message, |message, tensor| message.bytes(5, tensor));
    (Message::default().number(1, 8).bytes(7, message).into_bytes(), graph.data)
}
