//! Loading: families, module chains, forms of weights, memory.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/random.rs"]
mod random;
#[path = "../common/torch.rs"]
mod torch;

mod chains;
mod configurations;
mod documented_files;
mod families;
mod memory_limit;
mod onnx;
mod published;
mod sharded_weights;
mod torch_archives;
mod variations;
mod weights_folder;
mod weights_forms;
