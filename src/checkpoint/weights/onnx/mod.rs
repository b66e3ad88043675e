//! ONNX files as containers of weights. Nothing in a graph is executed: it only shows which stored tensor is which
//! tensor of the model.
//!
//! [`OnnxReader`] reads a file twice: first the graph, where it skips the data of tensors; then the tensors that the
//! model needs, in the order of the file. Data in other files is read after it.

mod alignment;
mod assemble;
mod elements;
mod folded_positions;
mod graph;
mod graph_builder;
mod layers;
mod naming;
mod operators;
mod protobuf;
mod reader;
mod roles;
mod scanner;
mod tensor_loader;
#[cfg(feature = "onnx")]
#[cfg(test)]
mod tests;

pub(super) use reader::OnnxReader;
