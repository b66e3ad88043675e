//! `model.safetensors`: the header proved before any tensor is read, then one tensor after the other.

mod header;
mod reader;

pub(super) use reader::SafetensorsReader;
