//! The GPU engine, compared with sentence-transformers. These tests need an adapter; a software adapter is enough.

#![cfg(feature = "gpu")]

use crate::common::{all_fixtures, fixtures, largest_difference};
use ranklet::{Device, Dtype, GpuFeatures, Options, Scores};

fn on_gpu(dtype: Dtype) -> Options {
    let mut options = Options::default();
    (options.device, options.dtype) = (Device::Gpu, dtype);
    options
}

/// Checks the logits of every fixture, and that a GPU computed them.
fn logits_agree(dtype: Dtype, tolerance: f32) {
    for fixture in all_fixtures() {
        let expected = &fixture.expected;
        // Decoders have no Plan, and are refused.
        if fixture.name.contains("qwen") {
            let source = ranklet::ModelSource::Files(fixture.files());
            let error = ranklet::Reranker::load_blocking(source, on_gpu(dtype)).unwrap_err();
            assert_eq!(error.kind(), ranklet::ErrorKind::Unsupported);
            continue;
        }
        let reranker = fixture.load_with(on_gpu(dtype));
        let backend = &reranker.info().backend;
        assert_eq!((backend.device, backend.engine), ("gpu", "webgpu"), "{}", fixture.name);
        assert!(backend.verification.as_ref().unwrap().passed(), "{}", fixture.name);
        let got = reranker.score_blocking(&expected.pairs, Scores::Raw).unwrap();
        let (index, difference) = largest_difference(&got, &expected.logits.concat());
        let pair = &expected.pairs[index / expected.num_labels];
        println!("{}: largest difference {difference:.1e}", fixture.name);
        // Random weights give logits of 10 and more, and the error of f16 grows with them.
        let size = expected.logits.concat().iter().fold(1.0, |max: f32, logit| max.max(logit.abs()));
        let allowed = if dtype == Dtype::F16 { tolerance * size } else { tolerance };
        assert!(difference <= allowed, "{}: {difference} on {pair:?}", fixture.name);
    }
}

#[test]
fn f32_logits_agree_with_sentence_transformers() {
    logits_agree(Dtype::F32, 1e-4);
}

#[test]
fn f16_logits_agree_with_sentence_transformers() {
    logits_agree(Dtype::F16, 2e-2);
}

/// Mesa's software rasterizer, which the tests use without a GPU, is called llvmpipe.
#[test]
fn a_gpu_that_is_a_program_is_warned_of() {
    let info = fixtures()[0].load_with(on_gpu(Dtype::F32)).info().clone();
    let warns = info.warnings.iter().any(|warning| warning.contains("is a program on the CPU"));
    assert_eq!(warns, info.backend.adapter.unwrap().contains("llvmpipe"));
}

#[test]
fn a_pair_has_the_same_score_in_every_call() {
    for fixture in fixtures() {
        let pairs = &fixture.expected.pairs;
        let reranker = fixture.load_with(on_gpu(Dtype::Auto));
        let together = reranker.score_blocking(pairs, Scores::Raw).unwrap();
        let alone: Vec<f32> = pairs
            .iter()
            .flat_map(|pair| reranker.score_blocking(std::slice::from_ref(pair), Scores::Raw).unwrap())
            .collect();
        assert_eq!(alone, together, "{}", fixture.name);
    }
}

#[test]
fn the_embedded_model_has_its_golden_scores() {
    let seed = crate::common::seed();
    let pairs: Vec<_> = seed.documents.iter().map(|document| (&seed.query, document)).collect();
    let none = GpuFeatures { f16: false, packed_dot: false, subgroups: false };
    for features in [none, GpuFeatures::default()] {
        let source = ranklet::ModelSource::Embedded;
        let options = Options { gpu_features: features, ..on_gpu(Dtype::Q8) };
        let reranker = ranklet::Reranker::load_blocking(source, options).unwrap();
        let got = reranker.score_blocking(&pairs, Scores::Raw).unwrap();
        let backend = &reranker.info().backend;
        let kernels = backend.kernels.as_deref().unwrap();
        // The GPU rounds only the weights, as the engine that computed the golden logits; packed products round activations
        // too.
        let is_packed = kernels.starts_with("i8");
        assert!(!is_packed || features != none, "{kernels}");
        let (_, difference) = largest_difference(&got, &seed.logits);
        println!("{kernels}: {difference:.1e}");
        assert!(difference <= if is_packed { 0.1 } else { 1e-4 }, "{kernels}: {difference}: {got:?}");
        assert_eq!(backend.device, "gpu");
    }
}
