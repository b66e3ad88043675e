//! Reads `pytorch_model.bin`, which `torch.save` writes, without executing it.
//!
//! Since torch 1.6 the file is a zip archive. Its entry `data.pkl` is a pickle of the dictionary of tensors. An entry
//! `data/N` has the numbers of storage N, and tensors are views of storages. Entries are stored without compression,
//! and only the central directory at the end of the file has their positions. So the end is read first, then the
//! directory, the pickle, and one tensor after the other. Checksums are not verified: torch ignores them too, and has
//! an option to omit them.

mod byte_reader;
mod pickle;
mod reader;
mod state_dict;
mod tensor_view;
mod zip;

pub(super) use reader::TorchReader;
