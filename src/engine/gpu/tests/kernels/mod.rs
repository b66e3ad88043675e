//! Compares each kernel on the GPU with its reference. The tests fail without an adapter; a software one (Debian's
//! `mesa-vulkan-drivers`) is enough.

mod attention;
mod gemm;
mod norm;
mod pool;
mod quantize;
mod rotate;
mod unfold;

use std::collections::BTreeMap;

use super::super::record::{Dispatch, Input, Recording, Scratch, Slot, Uploads};
use super::super::shader::*;
use super::reference::{self, Matrix};
use super::*;

/// A generator of reproducible values in -1..1.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        // A linear congruential generator with PCG's constants; its high bits are the random ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn many(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.next()).collect()
    }
}

/// Opens an adapter with all optional features; lavapipe has them.
fn gpu() -> Gpu {
    let gpu = pollster::block_on(Gpu::open(AdapterKind::Any))
        .expect("an adapter; a software one is enough: sudo apt-get install mesa-vulkan-drivers");
    assert_eq!(gpu.features, GpuFeatures::default(), "{} lacks a feature", gpu.name());
    gpu
}

/// An input buffer; every index is a buffer of its own.
fn input(index: usize) -> Slot {
    Slot::Input(Input::RotaryTable(index))
}

const OUTPUT: Slot = Slot::Scratch(Scratch::ResidualA);

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Runs one kernel. Its buffers are inputs 0, 1, ... and [`OUTPUT`], which has `rows` rows of `vectors` vectors.
fn run(
    gpu: &Gpu,
    (kernel, grid): (Kernel, [u32; 3]),
    params: Params,
    buffers: Vec<Slot>,
    uploads: Uploads,
    [rows, vectors]: [usize; 2],
) -> Vec<f32> {
    let dispatch = Dispatch { kernel, buffers, params, grid };
    let mut executor = Executor::new(Vec::new());
    let scope = gpu.error_scope();
    executor.warm_up(gpu, [&dispatch]).unwrap();
    let scratch = BTreeMap::from([(Scratch::ResidualA, bytes(rows, vectors))]);
    let recording =
        Recording { dispatches: vec![dispatch], scratch, result: Scratch::ResidualA, rows, vectors };
    let pending = executor.submit(gpu, &recording, uploads).unwrap();
    pollster::block_on(scope.pop()).unwrap();
    pollster::block_on(executor.receive(gpu, pending)).unwrap()
}

fn assert_close(got: f32, expected: f64, tolerance: f64, context: impl std::fmt::Debug) {
    let error = (f64::from(got) - expected).abs();
    assert!(error <= tolerance * expected.abs().max(1.0), "{context:?}: got {got}, expected {expected}");
}
