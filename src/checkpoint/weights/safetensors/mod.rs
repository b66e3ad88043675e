//! Reads `model.safetensors`, and Ranklet's q8 and q4 files, from beginning to end.

mod header;
mod reader;

pub(super) use reader::SafetensorsReader;
