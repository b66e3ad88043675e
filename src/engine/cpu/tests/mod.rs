//! Small Plans with every kind of step and random weights: f32 agrees with the reference engine, and q8 gives the same
//! bits on every instruction set.

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod amx;
pub(in crate::engine) mod plans;

use std::cell::Cell;
use std::collections::HashMap;

use plans::{every_plan, random_weights};

use super::*;
use crate::checkpoint::Activation;
use crate::model::{BlockNorm, Step};

thread_local! {
    /// The kernels of engines that this thread prepares, if they are not the fastest.
    pub(super) static SELECTED: Cell<Option<&'static dyn Kernels>> = const { Cell::new(None) };
}

/// Lengths of pairs: one token, partial tiles, longer than windows and tables of relative positions, and longer than a
/// feed-forward block.
pub(in crate::engine) const LENGTHS: [usize; 6] = [1, 2, 37, 130, 7, 64];

pub(in crate::engine) fn batch(lengths: &[usize]) -> Batch {
    let mut batch = Batch::default();
    for &length in lengths {
        let ids = (0..length).map(|token| ((token * token + 7 * length) % plans::WORDS) as u32);
        batch.input_ids.extend(ids);
        batch.token_type_ids.extend((0..length).map(|token| u32::from(token > length / 2)));
        batch.cu_seqlens.push(batch.input_ids.len());
    }
    batch
}

/// Rows as the scalar kernels quantize them.
#[cfg(feature = "gpu")]
pub(in crate::engine) struct TestedRows {
    /// `[rows, columns]`.
    pub(in crate::engine) codes: Vec<i8>,
    pub(in crate::engine) scales: Vec<f32>,
    /// The zero points.
    pub(in crate::engine) middles: Vec<f32>,
}

/// Quantizes rows times `factors`.
#[cfg(feature = "gpu")]
pub(in crate::engine) fn quantized_rows(rows: &[f32], columns: usize, factors: &[f32]) -> TestedRows {
    let mut out = kernels::QuantizedRows::default();
    let count = rows.len() / columns;
    let stride = columns.next_multiple_of(arch::DEPTH_STEP);
    out.reserve(count, stride, std::iter::empty());
    kernels::available()[0].quantize(rows, columns, factors, &mut out);
    let codes = out.values.chunks_exact(stride).take(count).flat_map(|row| &row[..columns]);
    TestedRows {
        codes: codes.copied().collect(),
        scales: out.scales[..count].to_vec(),
        middles: out.zero_points[..count].to_vec(),
    }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn engines(plan: &Plan, dtype: Dtype) -> impl Iterator<Item = CpuEngine> {
    let weights = random_weights(plan, dtype);
    kernels::available()
        .into_iter()
        .map(move |kernels| CpuEngine::with_kernels(kernels, plan, weights.clone(), dtype, 1).unwrap())
}

#[cfg(feature = "candle")]
fn max_difference(got: &[f32], want: &[f32]) -> f32 {
    assert_eq!(got.len(), want.len());
    got.iter().zip(want).map(|(got, want)| (got - want).abs()).fold(0.0, f32::max)
}

/// The last block of every Plan is normalized or small, so values are of about magnitude 1.
#[cfg(feature = "candle")]
#[test]
fn every_plan_agrees_with_the_reference() {
    for (name, plan) in every_plan() {
        for (dtype, bound) in [(Dtype::F32, 1e-5), (Dtype::Q8, 0.1)] {
            let reference =
                crate::engine::candle::CandleEngine::prepare(&plan, random_weights(&plan, dtype)).unwrap();
            let want = reference.run(&batch(&LENGTHS)).unwrap();
            for engine in engines(&plan, dtype) {
                let got = engine.run(&batch(&LENGTHS)).unwrap();
                let difference = max_difference(&got, &want);
                println!("{name}, {dtype:?}, {}: {difference:.1e}", engine.instruction_set());
                assert!(difference <= bound, "{name}, {dtype:?}, {}: {difference}", engine.instruction_set());
            }
        }
    }
}

#[test]
fn every_plan_gives_the_same_bits_on_every_instruction_set() {
    for (name, plan) in every_plan() {
        let results: Vec<_> = engines(&plan, Dtype::Q8)
            .map(|engine| (engine.instruction_set(), bits(&engine.run(&batch(&LENGTHS)).unwrap())))
            .collect();
        for (instructions, result) in &results {
            assert_eq!(result, &results[0].1, "{name}: {instructions} and {}", results[0].0);
        }
    }
}

#[test]
fn a_pair_is_the_same_bits_alone_among_others_and_on_threads() {
    for (name, plan) in every_plan() {
        for dtype in [Dtype::F32, Dtype::Q8] {
            let weights = random_weights(&plan, dtype);
            let engine = CpuEngine::prepare(&plan, weights.clone(), dtype, 1).unwrap();
            let together = engine.run(&batch(&LENGTHS)).unwrap();
            let alone: Vec<f32> =
                LENGTHS.iter().flat_map(|&length| engine.run(&batch(&[length])).unwrap()).collect();
            assert_eq!(bits(&together), bits(&alone), "{name}, {dtype:?}");
            let threaded = CpuEngine::prepare(&plan, weights, dtype, 3).unwrap();
            assert_eq!(bits(&together), bits(&threaded.run(&batch(&LENGTHS)).unwrap()), "{name}, {dtype:?}");
            assert!(engine.run(&Batch::default()).unwrap().is_empty());
        }
    }
}

/// Memory grows linearly with the longest pair, and is reused.
#[test]
fn memory_is_linear_in_length() {
    for (name, plan) in every_plan() {
        if matches!(&plan.steps[0], Step::Embed(embed) if embed.position.is_some()) {
            continue;
        }
        for dtype in [Dtype::F32, Dtype::Q8] {
            let engine = CpuEngine::prepare(&plan, random_weights(&plan, dtype), dtype, 1).unwrap();
            let bytes_after = |length: usize| {
                // Twice, because a projection of the residual stream swaps two buffers.
                engine.run(&batch(&[length])).unwrap();
                engine.run(&batch(&[length])).unwrap();
                engine.arenas.lock().unwrap().iter().map(Arena::bytes).sum::<usize>()
            };
            let (short, long) = (bytes_after(128), bytes_after(512));
            assert!(long < 5 * short, "{name}, {dtype:?}: {short} and {long} bytes");
            assert_eq!(bytes_after(512), long, "{name}, {dtype:?}");
        }
    }
}

/// Else q8 would compute with weights of 0.
#[test]
fn q8_refuses_matrices_without_codes() {
    for (name, plan) in every_plan() {
        let error = CpuEngine::prepare(&plan, random_weights(&plan, Dtype::F32), Dtype::Q8, 1).unwrap_err();
        assert!(error.context().contains("not stored in 7-bit codes"), "{name}: {error}");
    }
}

/// Activations that overflow f32 give an error instead of a score, wherever the norms are.
#[test]
fn an_activation_that_is_not_finite_is_an_error() {
    for (name, plan) in every_plan() {
        for dtype in [Dtype::F32, Dtype::Q8] {
            for factor in [1e25, 1e37] {
                let large = HashMap::from([("words", factor)]);
                let weights = plans::scaled_weights(&plan, dtype, &large);
                let engine = CpuEngine::prepare(&plan, weights, dtype, 1).unwrap();
                let result = engine.run(&batch(&LENGTHS));
                assert!(result.is_err(), "{name}, {dtype:?}, {factor:e}");
            }
        }
    }
}

/// Rows that enter a layer without a norm are refused if the layer could overflow, even if the next norm would not
/// detect it.
#[test]
fn rows_without_a_norm_before_a_layer_are_bounded() {
    let large = HashMap::from([("words", 1e17)]);
    let mut plans = every_plan().into_iter();
    let (_, plan) = plans.find(|(_, plan)| matches!(plan.steps[1], Step::Project(_))).unwrap();
    for dtype in [Dtype::F32, Dtype::Q8] {
        let run = |weights| CpuEngine::prepare(&plan, weights, dtype, 1).unwrap().run(&batch(&LENGTHS));
        assert!(run(plans::scaled_weights(&plan, dtype, &large)).is_err(), "{dtype:?}");
        assert!(run(random_weights(&plan, dtype)).is_ok(), "{dtype:?}");
    }
}

/// Logits that overflow f32 give finite softmax weights, which no norm detects.
#[test]
fn logits_that_overflow_are_an_error_in_f32() {
    for (name, plan) in every_plan() {
        let factor = |name: &str| match name {
            _ if name.contains("query.weight") || name.contains("key.weight") => Some(1e12),
            _ if name.ends_with("_norm.weight") => Some(1e8),
            _ => None,
        };
        let tensors = plan.tensors();
        let large = tensors.iter().filter_map(|tensor| Some((tensor.name, factor(tensor.name)?))).collect();
        let weights = plans::scaled_weights(&plan, Dtype::F32, &large);
        let engine = CpuEngine::prepare(&plan, weights, Dtype::F32, 1).unwrap();
        assert!(engine.run(&batch(&LENGTHS)).is_err(), "{name}");
    }
}

/// A gate of zero makes an infinite square NaN. The codes of a quantized row cannot represent it, but its sum can.
#[test]
fn squares_that_overflow_are_an_error() {
    let (_, mut plan) = every_plan().into_iter().find(|(name, _)| name.starts_with("modernbert")).unwrap();
    for step in &mut plan.steps {
        if let Step::FeedForward(block) = step {
            block.activation = Activation::ReluSquared;
        }
    }
    let factors = |intermediate| {
        HashMap::from([
            ("0.feed_forward_norm.weight", 1e10),
            ("0.intermediate.weight", intermediate),
            ("0.gate.weight", 0.0),
        ])
    };
    for dtype in [Dtype::F32, Dtype::Q8] {
        let engine = |intermediate| {
            let weights = plans::scaled_weights(&plan, dtype, &factors(intermediate));
            CpuEngine::prepare(&plan, weights, dtype, 1).unwrap()
        };
        let (overflows, fits) = (engine(1e11), engine(1.0));
        // One token each, because any row of a pair could reveal the overflow.
        for id in 0..plans::WORDS as u32 {
            let batch = Batch { input_ids: vec![id], token_type_ids: vec![0], cu_seqlens: vec![0, 1] };
            assert!(overflows.run(&batch).is_err(), "{dtype:?}, {id}");
            assert!(fits.run(&batch).is_ok(), "{dtype:?}, {id}");
        }
    }
}

/// Weights may be up to 1e12. With a norm before each block, the residual stream may grow as long as it is finite.
#[test]
fn a_residual_stream_may_grow_between_norms() {
    for (name, plan) in every_plan() {
        let grows = plan.steps.iter().filter_map(|step| match step {
            Step::FeedForward(block) if matches!(block.norm, BlockNorm::Before(_)) => Some(block),
            _ => None,
        });
        let large: HashMap<&str, f32> =
            grows.map(|block| (block.output.weight.tensor.as_str(), 1e10)).collect();
        for dtype in [Dtype::F32, Dtype::Q8] {
            let weights = plans::scaled_weights(&plan, dtype, &large);
            let engine = CpuEngine::prepare(&plan, weights, dtype, 1).unwrap();
            let pooled = engine.run(&batch(&LENGTHS)).unwrap();
            assert!(pooled.iter().all(|value| value.is_finite()), "{name}, {dtype:?}");
        }
    }
}

#[test]
fn collapsing_the_last_layer_changes_nothing() {
    let collapsed = |plan: &Plan| plan.clone().collapse_last_layer();
    let mut tried = 0;
    for (name, plan) in every_plan().into_iter().filter(|(_, plan)| collapsed(plan) != *plan) {
        let run = |plan: &Plan| {
            let weights = random_weights(plan, Dtype::F32);
            CpuEngine::prepare(plan, weights, Dtype::F32, 1).unwrap().run(&batch(&LENGTHS)).unwrap()
        };
        let (whole, part) = (run(&plan), run(&collapsed(&plan)));
        let difference = whole.iter().zip(&part).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(difference < 1e-5, "{name}: {difference}");
        tried += 1;
    }
    assert!(tried > 2);
}

/// Runs a Plan in stages, one engine after the other.
fn run_stages(plan: &Plan, dtype: Dtype, split_points: &[usize]) -> Result<Vec<f32>> {
    let mut tokens = batch(&LENGTHS);
    let mut start = 0;
    let mut hidden_states = Vec::new();
    for end in split_points.iter().copied().chain([plan.steps.len()]) {
        let stage = plan.clone().stage(start..end);
        let engine = CpuEngine::prepare(&stage, random_weights(&stage, dtype), dtype, 1)?;
        hidden_states =
            if start == 0 { engine.run(&tokens)? } else { engine.forward(&tokens, Some(&hidden_states))? };
        // Only the first stage reads tokens.
        tokens.input_ids.fill(u32::MAX);
        start = end;
    }
    Ok(hidden_states)
}

#[test]
fn a_plan_in_stages_gives_the_same_bits_wherever_it_is_split() {
    let mut tried = 0;
    for (name, plan) in every_plan() {
        for dtype in [Dtype::F32, Dtype::Q8] {
            let whole = bits(&run_stages(&plan, dtype, &[]).unwrap());
            let points = plan.split_points();
            for point in &points {
                assert_eq!(
                    bits(&run_stages(&plan, dtype, &[*point]).unwrap()),
                    whole,
                    "{name}, {dtype:?}, {point}"
                );
                tried += 1;
            }
            assert_eq!(
                bits(&run_stages(&plan, dtype, &points).unwrap()),
                whole,
                "{name}, {dtype:?}, {points:?}"
            );
        }
    }
    assert!(tried > 80, "{tried} split points");
}
