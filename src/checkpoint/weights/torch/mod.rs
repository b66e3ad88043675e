//! `pytorch_model.bin`: what `torch.save` writes, read without running any of it.
//!
//! Since torch 1.6 that is a zip archive: `data.pkl`, a pickle of the dictionary of tensors, and a file `data/N` with the
//! plain numbers of each storage that tensors are views of. Its entries are stored, not compressed, with their sizes
//! known from the directory at the end of the file alone; so the end is read first, then the pickle, then the tensors
//! one after the other. Their checksums are not looked at, as torch does not: it has an option not to write them.

mod byte_reader;
mod pickle;
mod reader;
mod state_dict;
mod tensor_view;
mod zip;

pub(super) use reader::TorchReader;
