//! Runs whole Plans on the GPU, and tests its failures. The tests fail without an adapter; a software one is enough.

use std::collections::HashMap;

use super::*;
use crate::engine::cpu::tests::plans::{every_plan, random_weights, scaled_weights};
use crate::engine::cpu::tests::{LENGTHS, batch};
use crate::error::ErrorKind;

/// Prepares a Plan on the GPU with random weights.
fn engine(gpu: Gpu, plan: &Plan, dtype: Dtype) -> GpuEngine {
    engine_of(gpu, plan, random_weights(plan, dtype), dtype)
}

fn engine_of(gpu: Gpu, plan: &Plan, weights: Weights, dtype: Dtype) -> GpuEngine {
    let mut engine = pollster::block_on(GpuEngine::prepare(gpu, plan, &weights, dtype)).unwrap();
    let cpu = crate::engine::cpu::CpuEngine::prepare(plan, weights, dtype, 1).unwrap();
    engine.share_embedding(&Engine::Cpu(cpu));
    engine
}

fn open() -> Gpu {
    pollster::block_on(Gpu::open(AdapterKind::Any)).unwrap()
}

fn run(engine: &GpuEngine, lengths: &[usize]) -> Result<Vec<f32>> {
    pollster::block_on(engine.run(&batch(lengths)))
}

#[cfg(feature = "candle")]
#[test]
fn every_plan_agrees_with_the_reference() {
    for (name, plan) in every_plan() {
        for dtype in [Dtype::F32, Dtype::Q8] {
            let reference =
                crate::engine::candle::CandleEngine::prepare(&plan, random_weights(&plan, dtype)).unwrap();
            let expected = pollster::block_on(Engine::Candle(reference).run(&batch(&LENGTHS))).unwrap();
            let got = run(&engine(open(), &plan, dtype), &LENGTHS).unwrap();
            assert_eq!(got.len(), expected.len());
            let difference =
                got.iter().zip(&expected).map(|(got, expected)| (got - expected).abs()).fold(0.0, f32::max);
            println!("{name}, {dtype:?}: {difference:.1e}");
            assert!(difference <= 2e-5, "{name}, {dtype:?}: {difference}");
        }
    }
}

#[test]
fn a_pair_has_the_same_bits_alone_and_in_a_batch() {
    for (name, plan) in every_plan() {
        let engine = engine(open(), &plan, Dtype::F32);
        let together = run(&engine, &LENGTHS).unwrap();
        let alone: Vec<f32> = LENGTHS.iter().flat_map(|&length| run(&engine, &[length]).unwrap()).collect();
        assert_eq!(together, alone, "{name}");
    }
}

#[test]
fn warm_up_compiles_every_pipeline_and_a_batch_has_one_readback() {
    let (_, plan) = every_plan().remove(1);
    let engine = engine(open(), &plan, Dtype::F32);
    let pipelines = engine.executor.pipelines();
    for lengths in [&LENGTHS[..], &[1], &[130; 40]] {
        let submitted = engine.submit(&batch(lengths)).unwrap();
        assert_eq!(submitted.parts.len(), 1);
        assert_eq!(
            pollster::block_on(engine.receive(submitted)).unwrap().len(),
            lengths.len() * plan.hidden_size
        );
    }
    assert_eq!(engine.executor.pipelines(), pipelines);
}

#[test]
fn the_minimum_limits_are_enough() {
    let (_, plan) = every_plan().remove(0);
    let gpu = pollster::block_on(Gpu::open_with_limits(wgpu::Limits::default())).unwrap();
    assert!(run(&engine(gpu, &plan, Dtype::F32), &LENGTHS).is_ok());
}

#[test]
fn a_batch_beyond_the_binding_limit_is_split_and_such_a_pair_is_refused() {
    let (_, plan) = every_plan().remove(0);
    let small = wgpu::Limits { max_storage_buffer_binding_size: 1 << 15, ..wgpu::Limits::default() };
    let limited = engine(pollster::block_on(Gpu::open_with_limits(small)).unwrap(), &plan, Dtype::F32);
    let lengths = [37, 64, 37, 64, 7];
    assert!(limited.submit(&batch(&lengths)).unwrap().parts.len() > 1);
    let whole = run(&engine(open(), &plan, Dtype::F32), &lengths).unwrap();
    assert_eq!(run(&limited, &lengths).unwrap(), whole);
    let error = run(&limited, &[7, 139]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfMemory);
    assert!(error.context().contains("139 tokens"), "{error}");
    assert!(run(&limited, &lengths).is_ok());
}

#[test]
fn a_lost_device_is_an_error_and_does_not_affect_others() {
    let (_, plan) = every_plan().remove(0);
    let [lost, other] = [(); 2].map(|()| engine(open(), &plan, Dtype::F32));
    let pending = lost.submit(&batch(&LENGTHS)).unwrap();
    lost.gpu.lose();
    let error = pollster::block_on(lost.receive(pending)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeviceLost, "{error}");
    assert_eq!(run(&lost, &LENGTHS).unwrap_err().kind(), ErrorKind::DeviceLost);
    assert!(run(&other, &LENGTHS).is_ok());
}

#[test]
fn activations_that_are_not_finite_are_an_error() {
    for (name, plan) in every_plan() {
        for dtype in [Dtype::F32, Dtype::Q8] {
            let large = HashMap::from([("words", 1e37)]);
            let engine = engine_of(open(), &plan, scaled_weights(&plan, dtype, &large), dtype);
            let error = run(&engine, &LENGTHS).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Internal, "{name}, {dtype:?}");
        }
    }
}

/// Runs in its own process, because it counts the GPU memory of the process.
#[test]
#[ignore = "long: ./build.sh test --long"]
fn long_dropped_engines_free_their_gpu_memory() {
    let (_, plan) = every_plan().remove(0);
    for _ in 0..100 {
        let engine = engine(open(), &plan, Dtype::F32);
        assert!(run(&engine, &LENGTHS).is_ok());
        assert!(gpu_bytes() > 0);
        drop(engine);
        assert_eq!(gpu_bytes(), 0);
    }
}
