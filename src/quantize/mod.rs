//! Quantizes models to Ranklet's q8 and q4 files.

mod calibrate;
mod format;
mod gptq;
mod quantize_model;
mod quantized_tensors;
mod smoothquant;

pub use quantize_model::quantize;
