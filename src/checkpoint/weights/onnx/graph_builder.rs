//! Builds a [`Graph`] from the fields of an ONNX file (`onnx.proto`).

use std::ops::Range;

use super::graph::{Data, ExternalData, Graph, Node, StoredTensor};
use super::operators::Operator;
use super::protobuf::{Field, FieldValue, malformed, varint};
use crate::checkpoint::model_layout::is_plain_name;
use crate::error::{Result, unsupported, weights};

/// A message that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    Model,
    Graph,
    Node,
    /// An entry of a node's `metadata_props`.
    Metadata,
    Attribute,
    /// An initializer.
    Initializer,
    /// The tensor of an attribute.
    AttributeTensor,
    /// An entry of a tensor's `external_data`.
    ExternalEntry,
}

/// What the scanner does with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Skip,
    /// Open a message.
    Open(Message),
    /// Read a text, or other bytes that are few.
    Text,
    /// Note a number, or the position of bytes.
    Data,
}

/// The key of the metadata with the paths of a node's modules.
const SCOPES: &[u8] = b"pkg.torch.onnx.name_scopes";
/// Max number of paths of one node's modules that are read. Models nest about ten modules.
const MAX_SCOPES: usize = 64;
/// The attribute of a Constant node with its tensor.
const VALUE: &str = "value";
/// Max number of dimensions and of integers in an attribute.
const MAX_INTEGERS: usize = 8;
/// `TensorProto.data_location` of a tensor in another file.
const EXTERNAL: u64 = 1;

/// A graph, and the messages in it that are open.
#[derive(Debug, Default)]
pub(super) struct GraphBuilder {
    graph: Graph,
    has_graph: bool,
    node: Node,
    /// The name of the first output of the node, which its tensor takes.
    output: String,
    attribute: Attribute,
    tensor: StoredTensor,
    /// Whether the open message is a tensor.
    is_in_tensor: bool,
    /// Whether `data_location` says that the data is in another file.
    is_external: bool,
    external: ExternalData,
    /// The key of the open entry.
    key: Vec<u8>,
}

/// An attribute that is open.
#[derive(Debug, Default)]
struct Attribute {
    name: String,
    int: i64,
    float: f32,
    ints: Vec<i64>,
    tensor: Option<StoredTensor>,
}

impl GraphBuilder {
    /// Returns what to do with a field.
    pub(super) fn action(&self, message: Message, field: &Field) -> Action {
        let is_bytes = matches!(field.value, FieldValue::Bytes(_));
        match (message, field.number) {
            (Message::Model, 7) if is_bytes => Action::Open(Message::Graph),
            (Message::Graph, 1) if is_bytes => Action::Open(Message::Node),
            (Message::Graph, 5) if is_bytes => Action::Open(Message::Initializer),
            (Message::Node, 1..=4) if is_bytes => Action::Text,
            (Message::Node, 5) if is_bytes => Action::Open(Message::Attribute),
            (Message::Node, 9) if is_bytes => Action::Open(Message::Metadata),
            (Message::Metadata | Message::ExternalEntry, 1) if is_bytes => Action::Text,
            (Message::Metadata, 2) if is_bytes && self.key == SCOPES => Action::Text,
            (Message::ExternalEntry, 2) if is_bytes => Action::Text,
            (Message::Attribute, 1) if is_bytes => Action::Text,
            (Message::Attribute, 5) if is_bytes => Action::Open(Message::AttributeTensor),
            (Message::Attribute, 8) if is_bytes => Action::Text,
            (Message::Attribute, 2 | 3 | 8) if !is_bytes => Action::Data,
            (Message::Initializer | Message::AttributeTensor, number) => match number {
                1 | 8 if is_bytes => Action::Text,
                1 | 2 | 14 if !is_bytes => Action::Data,
                13 if is_bytes => Action::Open(Message::ExternalEntry),
                4 | 5 | 7 | 9 | 10 | 11 => Action::Data,
                _ => Action::Skip,
            },
            _ => Action::Skip,
        }
    }

    /// Begins a message.
    ///
    /// # Errors
    /// `weights` if the file has two graphs.
    pub(super) fn open(&mut self, message: Message) -> Result<()> {
        match message {
            Message::Model => {}
            Message::Graph if self.has_graph => return Err(malformed("the file has two graphs")),
            Message::Graph => self.has_graph = true,
            Message::Node => {
                self.node = Node::default();
                self.output.clear();
            }
            Message::Metadata | Message::ExternalEntry => self.key.clear(),
            Message::Attribute => self.attribute = Attribute::default(),
            Message::Initializer | Message::AttributeTensor => {
                self.tensor = StoredTensor::default();
                self.external = ExternalData::default();
                (self.is_external, self.is_in_tensor) = (false, true);
            }
        }
        Ok(())
    }

    /// Takes a text of a message, or packed numbers.
    ///
    /// # Errors
    /// `weights` if it is malformed; `unsupported` if the graph is too large.
    pub(super) fn text(&mut self, message: Message, number: u64, bytes: &[u8]) -> Result<()> {
        match (message, number) {
            (Message::Metadata | Message::ExternalEntry, 1) => self.key = bytes.to_vec(),
            (Message::Initializer | Message::AttributeTensor, 1) => {
                let mut rest = bytes;
                while !rest.is_empty() {
                    let size = varint(&mut rest)?;
                    self.push_size(size)?;
                }
            }
            (Message::Attribute, 8) => {
                let mut rest = bytes;
                while !rest.is_empty() {
                    let number = varint(&mut rest)?;
                    self.attribute.push_int(number);
                }
            }
            _ => {
                let text = std::str::from_utf8(bytes).map_err(|_| malformed("a name is not UTF-8"))?;
                self.name(message, number, text)?;
            }
        }
        Ok(())
    }

    fn name(&mut self, message: Message, number: u64, text: &str) -> Result<()> {
        match (message, number) {
            (Message::Node, 1) => self.node.inputs.push(self.graph.value(text)?),
            (Message::Node, 2) => {
                if self.node.outputs.is_empty() {
                    text.clone_into(&mut self.output);
                }
                self.node.outputs.push(self.graph.value(text)?);
            }
            (Message::Node, 3) => text.clone_into(&mut self.node.name),
            (Message::Node, 4) => self.node.op = Operator::named(text),
            (Message::Metadata, _) => {
                // A list as Python prints it: "['', 'bert', 'bert.pooler', 'linear']".
                let scopes = text.split('\'').skip(1).step_by(2).filter(|scope| !scope.is_empty());
                self.node.scopes = scopes.take(MAX_SCOPES).map(str::to_owned).collect();
            }
            (Message::Attribute, _) => text.clone_into(&mut self.attribute.name),
            (Message::ExternalEntry, _) => {
                let number = || {
                    text.parse().map_err(|_| {
                        malformed(&format!("{} has the external position {text:?}", self.tensor.name))
                    })
                };
                match self.key.as_slice() {
                    b"location" => text.clone_into(&mut self.external.location),
                    b"offset" => self.external.offset = number()?,
                    b"length" => self.external.length = Some(number()?),
                    _ => {}
                }
            }
            _ => text.clone_into(&mut self.tensor.name),
        }
        Ok(())
    }

    /// Takes a number of a message, or the position of a tensor's data.
    ///
    /// # Errors
    /// `weights` if a size is impossible; `unsupported` if the data of a tensor is in several parts.
    pub(super) fn data(&mut self, field: &Field, range: Range<u64>) -> Result<()> {
        match (field.value, field.number) {
            (FieldValue::Fixed32(bits), 2) if !self.is_in_tensor => {
                self.attribute.float = f32::from_bits(bits)
            }
            (FieldValue::Varint(number), 3) if !self.is_in_tensor => {
                self.attribute.int = number.cast_signed()
            }
            (FieldValue::Varint(number), 8) if !self.is_in_tensor => self.attribute.push_int(number),
            (FieldValue::Varint(size), 1) => self.push_size(size)?,
            (FieldValue::Varint(number), 2) => self.tensor.data_type = number,
            (FieldValue::Varint(location), 14) => self.is_external = location == EXTERNAL,
            (FieldValue::Bytes(_), 9) => self.push_data(Data::Raw(range))?,
            (FieldValue::Bytes(_), number) => self.push_data(Data::Packed(number, range))?,
            (_, number) => self.push_data(Data::Repeated(number, range))?,
        }
        Ok(())
    }

    fn push_size(&mut self, size: u64) -> Result<()> {
        let size = usize::try_from(size).ok().filter(|_| self.tensor.shape.len() < MAX_INTEGERS);
        let size = size.ok_or_else(|| malformed(&format!("{} has impossible sizes", self.tensor.name)))?;
        self.tensor.shape.push(size);
        Ok(())
    }

    /// Notes where the data of a tensor is. The elements of a field that is repeated form one range.
    fn push_data(&mut self, data: Data) -> Result<()> {
        let joined = match (&self.tensor.data, data) {
            (Data::Absent, data) => data,
            (Data::Repeated(field, before), Data::Repeated(other, after))
                if *field == other && before.end == after.start =>
            {
                Data::Repeated(other, before.start..after.end)
            }
            // Writers may add an empty field.
            (Data::Raw(bytes) | Data::Packed(_, bytes), data) if bytes.is_empty() => data,
            (_, Data::Raw(bytes) | Data::Packed(_, bytes)) if bytes.is_empty() => return Ok(()),
            _ => {
                return Err(unsupported(format!(
                    "the data of {} is in several parts: save the file again with onnx.save",
                    self.tensor.name
                )));
            }
        };
        self.tensor.data = joined;
        Ok(())
    }

    /// Ends a message.
    ///
    /// # Errors
    /// `weights` if a tensor has no place in the other file; `unsupported` if the graph is too large.
    pub(super) fn close(&mut self, message: Message) -> Result<()> {
        match message {
            Message::Model | Message::Graph | Message::Metadata | Message::ExternalEntry => {}
            Message::Node => {
                let node = std::mem::take(&mut self.node);
                if let Some(tensor) = node.constant {
                    self.output.clone_into(&mut self.graph.tensors[tensor].name);
                }
                self.graph.add_node(node)?;
            }
            Message::Attribute => self.close_attribute()?,
            Message::Initializer => {
                let tensor = self.take_tensor()?;
                self.graph.add_tensor(tensor)?;
            }
            Message::AttributeTensor => self.attribute.tensor = Some(self.take_tensor()?),
        }
        Ok(())
    }

    fn take_tensor(&mut self) -> Result<StoredTensor> {
        self.is_in_tensor = false;
        let mut tensor = std::mem::take(&mut self.tensor);
        if self.is_external {
            let external = std::mem::take(&mut self.external);
            if !is_plain_name(&external.location) {
                return Err(weights(format!(
                    "{} is in the file {:?}, which is not the name of a file next to it: save the model again with \
                     onnx.save_model(..., save_as_external_data=True, location=NAME)",
                    tensor.name, external.location
                )));
            }
            tensor.data = Data::External(external);
        }
        Ok(tensor)
    }

    fn close_attribute(&mut self) -> Result<()> {
        let Attribute { name, int, float, ints, tensor } = std::mem::take(&mut self.attribute);
        if let (VALUE, Some(mut tensor)) = (name.as_str(), tensor) {
            // The name comes from the node's output.
            tensor.name = String::new();
            self.node.constant = Some(self.graph.add_tensor(tensor)?);
            return Ok(());
        }
        let attributes = &mut self.node.attributes;
        match name.as_str() {
            "transA" => attributes.trans_a = int != 0,
            "transB" => attributes.trans_b = int != 0,
            "alpha" => attributes.alpha = float,
            "beta" => attributes.beta = float,
            "axis" => attributes.axis = Some(int),
            "block_size" => attributes.block_size = int,
            "perm" => attributes.is_permutation = ints != [1, 0],
            "qkv_hidden_sizes" => attributes.has_unequal_parts = ints.iter().any(|size| *size != ints[0]),
            _ => {}
        }
        Ok(())
    }

    /// Returns the graph at the end of the file.
    ///
    /// # Errors
    /// `weights` if the file has none; `unsupported` if it is too large.
    pub(super) fn finish(mut self) -> Result<Graph> {
        if !self.has_graph {
            return Err(malformed("the file has no graph, so it is not an ONNX model"));
        }
        self.graph.connect()?;
        Ok(self.graph)
    }
}

impl Attribute {
    /// Adds an integer, if it can belong to an attribute that is read.
    fn push_int(&mut self, number: u64) {
        if self.ints.len() < MAX_INTEGERS {
            self.ints.push(number.cast_signed());
        }
    }
}
