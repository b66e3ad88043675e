//! Runs whole Plans on the GPU, and tests its failures. The tests fail without an adapter; a software one is enough.

use std::collections::HashMap;
use std::f32::consts::SQRT_2;

use super::*;
use crate::engine::cpu::tests::plans::{every_plan, random_weights, scaled_weights};
use crate::engine::cpu::tests::{LENGTHS, batch};
use crate::error::ErrorKind;

/// Optional features are tested with every fourth Plan, because compiling their kernels takes time.
const FEATURE_STEP: usize = 4;

/// Prepares a Plan on the GPU with random weights, and kernels of this kind.
fn engine_with(plan: &Plan, dtype: Dtype, (arithmetic, subgroups): (Arithmetic, bool)) -> GpuEngine {
    let mut engine = engine(open(), plan, dtype);
    engine.choice = KernelChoice { arithmetic, subgroups, ..engine.choice };
    let dispatches = smallest_batch(&engine.steps, engine.choice);
    engine.executor.warm_up(&engine.gpu, &dispatches).unwrap();
    engine
}

/// Prepares a Plan on the GPU with random weights, and kernels without optional features.
fn engine(gpu: Gpu, plan: &Plan, dtype: Dtype) -> GpuEngine {
    engine_of(gpu, plan, random_weights(plan, dtype), dtype)
}

fn engine_of(mut gpu: Gpu, plan: &Plan, weights: Weights, dtype: Dtype) -> GpuEngine {
    gpu.features = GpuFeatures::NONE;
    let mut engine = pollster::block_on(GpuEngine::prepare(gpu, plan, &weights, dtype)).unwrap();
    let cpu_dtype = if dtype == Dtype::F16 { Dtype::F32 } else { dtype };
    let cpu = crate::engine::cpu::CpuEngine::prepare(plan, weights, cpu_dtype, 1).unwrap();
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

fn max_difference(got: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(got.len(), expected.len());
    got.iter().zip(expected).map(|(got, expected)| (got - expected).abs()).fold(0.0, f32::max)
}

/// Each optional feature against kernels without it.
#[test]
fn plans_agree_with_and_without_each_feature() {
    for (name, plan) in every_plan().into_iter().step_by(FEATURE_STEP) {
        for (dtype, kernels, bound) in [
            (Dtype::F32, (Arithmetic::F32, true), 2e-5),
            (Dtype::F16, (Arithmetic::F32, true), 2e-5),
            (Dtype::F16, (Arithmetic::F16, false), 2e-2),
            (Dtype::Q8, (Arithmetic::F32, true), 2e-5),
            (Dtype::Q8, (Arithmetic::I8, false), 0.1),
        ] {
            let plain = run(&engine(open(), &plan, dtype), &LENGTHS).unwrap();
            let got = run(&engine_with(&plan, dtype, kernels), &LENGTHS).unwrap();
            let difference = max_difference(&got, &plain);
            println!("{name}, {dtype:?}, {kernels:?}: {difference:.1e}");
            assert!(difference <= bound, "{name}, {dtype:?}, {kernels:?}: {difference}");
        }
    }
}

/// Both engines round activations in the same way. But attention on the CPU multiplies 16-bit integers, so some activations
/// get the next code, and each layer adds to the difference. Engines that round independently would differ by the root of 2
/// times the error of rounding.
#[test]
fn packed_products_are_those_of_the_cpu_engine() {
    for (name, plan) in every_plan() {
        let weights = random_weights(&plan, Dtype::Q8);
        let cpu = crate::engine::cpu::CpuEngine::prepare(&plan, weights, Dtype::Q8, 1).unwrap();
        let expected = cpu.run(&batch(&LENGTHS)).unwrap();
        let plain = run(&engine(open(), &plan, Dtype::Q8), &LENGTHS).unwrap();
        let got = run(&engine_with(&plan, Dtype::Q8, (Arithmetic::I8, true)), &LENGTHS).unwrap();
        let [difference, rounding] = [&got, &plain].map(|other| root_mean_square(other, &expected));
        let max = max_difference(&got, &expected);
        println!("{name}: {difference:.1e}, at most {max:.1e}; rounding {rounding:.1e}");
        assert!(difference <= SQRT_2 * rounding, "{name}: {difference}, rounding {rounding}");
        // One layer whose first row is the result rounds nothing after attention.
        if ["electra", "norm after the projection", "wider embeddings"].contains(&name) {
            assert!(max <= 1e-3, "{name}: {max}");
        }
    }
}

/// The root of the mean square of the differences.
fn root_mean_square(got: &[f32], expected: &[f32]) -> f32 {
    let squares = got.iter().zip(expected).map(|(got, expected)| (got - expected).powi(2));
    (squares.sum::<f32>() / got.len() as f32).sqrt()
}

#[test]
fn dropping_the_features_gives_the_bits_of_kernels_without_them() {
    let (_, plan) = every_plan().remove(0);
    for (dtype, arithmetic) in [(Dtype::F16, Arithmetic::F16), (Dtype::Q8, Arithmetic::I8)] {
        let plain = run(&engine(open(), &plan, dtype), &LENGTHS).unwrap();
        let mut dropped = engine_with(&plan, dtype, (arithmetic, true));
        assert_ne!(run(&dropped, &LENGTHS).unwrap(), plain);
        assert!(pollster::block_on(dropped.drop_features()).unwrap());
        assert_eq!(run(&dropped, &LENGTHS).unwrap(), plain);
        assert!(!pollster::block_on(dropped.drop_features()).unwrap());
    }
}

#[test]
fn a_choice_is_remembered_and_another_version_s_is_not_used() {
    let gpu = open();
    let slow = KernelChoice { tile: GEMM_TILES[4], arithmetic: Arithmetic::F16, subgroups: true };
    run::remember(&gpu, Storage::F16, slow);
    assert_eq!(pollster::block_on(run::autotune(&gpu, Storage::F16)).unwrap(), slow);
    let lines = gpu_choices();
    assert!(
        lines.lines().any(|line| line.contains(&gpu.name()) && line.ends_with(&slow.to_string())),
        "{lines}"
    );
    set_gpu_choices(&lines.replace(&slow.to_string(), "f64 products"));
    let chosen = pollster::block_on(run::autotune(&gpu, Storage::F16)).unwrap();
    assert!(gpu_choices().contains(&chosen.to_string()) && !gpu_choices().contains("f64"));
    set_gpu_choices("not a line\n");
}

#[test]
fn a_pair_has_the_same_bits_alone_and_in_a_batch() {
    let kinds = [
        (Dtype::F32, (Arithmetic::F32, false)),
        (Dtype::F16, (Arithmetic::F16, true)),
        (Dtype::Q8, (Arithmetic::I8, true)),
    ];
    for (index, (name, plan)) in every_plan().into_iter().enumerate() {
        let kinds = if index % FEATURE_STEP == 0 { &kinds[..] } else { &kinds[..1] };
        for &(dtype, kernels) in kinds {
            let engine = engine_with(&plan, dtype, kernels);
            let together = run(&engine, &LENGTHS).unwrap();
            let alone: Vec<f32> =
                LENGTHS.iter().flat_map(|&length| run(&engine, &[length]).unwrap()).collect();
            assert_eq!(together, alone, "{name}, {dtype:?}");
        }
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
    for (index, (name, plan)) in every_plan().into_iter().enumerate() {
        for dtype in [Dtype::F32, Dtype::Q8] {
            let large = HashMap::from([("words", 1e37)]);
            let mut engine = engine_of(open(), &plan, scaled_weights(&plan, dtype, &large), dtype);
            let error = run(&engine, &LENGTHS).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Internal, "{name}, {dtype:?}");
            if index % FEATURE_STEP != 0 {
                continue;
            }
            let arithmetic = if dtype == Dtype::Q8 { Arithmetic::I8 } else { Arithmetic::F32 };
            engine.choice = KernelChoice { arithmetic, subgroups: true, ..engine.choice };
            engine.executor.warm_up(&engine.gpu, &smallest_batch(&engine.steps, engine.choice)).unwrap();
            let error = run(&engine, &LENGTHS).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Internal, "{name}, {dtype:?}, with features");
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
