//! The GPU engine beside sentence-transformers. Without an adapter these fail: a software one will do.

#![cfg(feature = "gpu")]

mod common;

use common::{all_fixtures, fixtures, largest_difference};
use ranklet::{Device, Dtype, Options, Scores};

fn on_gpu(dtype: Dtype) -> Options {
    let mut options = Options::default();
    (options.device, options.dtype) = (Device::Gpu, dtype);
    options
}

/// Logits of every fixture, and that it was a GPU that gave them.
fn logits_agree(dtype: Dtype, tolerance: f32) {
    for fixture in all_fixtures() {
        let expected = &fixture.expected;
        let reranker = fixture.load_with(on_gpu(dtype));
        let backend = &reranker.info().backend;
        assert_eq!((backend.device, backend.engine), ("gpu", "webgpu"), "{}", fixture.name);
        assert!(backend.verification.as_ref().unwrap().passed(), "{}", fixture.name);
        let got = reranker.score_blocking(&expected.pairs, Scores::Raw).unwrap();
        let (place, difference) = largest_difference(&got, &expected.logits.concat());
        let pair = &expected.pairs[place / expected.num_labels];
        println!("{}: largest difference {difference:.1e}", fixture.name);
        assert!(difference <= tolerance, "{}: {difference} on {pair:?}", fixture.name);
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

#[test]
fn a_pair_has_one_score_whatever_else_is_in_the_call() {
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
