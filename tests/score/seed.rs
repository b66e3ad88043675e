//! The seed example on the embedded models, compared with PyTorch's scores of the same files.

use ranklet::{Device, Dtype, ModelFiles, ModelSource, Options, RankOptions, Reranker, Scores};

use crate::common::Seed;

/// Tolerances of f32 arithmetic with the same weights, and of 8-bit activations for these four logits.
const EXACT: f32 = 1e-4;
const QUANTISED: f32 = 0.05;

fn assert_close(got: &[f32], want: &[f32], tolerance: f32) {
    assert_eq!(got.len(), want.len());
    let close = got.iter().zip(want).all(|(got, want)| (got - want).abs() <= tolerance);
    assert!(close, "{got:?} against {want:?}");
}

#[test]
fn the_embedded_model_gives_the_oracles_scores_and_ranks_paris_first() {
    check(&ModelSource::Embedded, &crate::common::seed());
}

#[test]
fn the_small_model_gives_the_oracles_scores_and_ranks_paris_first() {
    let files = ModelFiles::embedded_as("ranklet/small").unwrap();
    check(&ModelSource::Files(files), &crate::common::small_seed());
}

fn check(source: &ModelSource, seed: &Seed) {
    let pairs: Vec<_> = seed.documents.iter().map(|document| (&seed.query, document)).collect();
    for (device, dtype, tolerance) in [
        (Device::Auto, Dtype::Auto, QUANTISED),
        (Device::Cpu, Dtype::Q8, QUANTISED),
        (Device::Cpu, Dtype::F32, EXACT),
        (Device::Candle, Dtype::Q8, EXACT),
        (Device::Candle, Dtype::F32, EXACT),
    ] {
        let options = Options { device, dtype, ..Options::default() };
        let reranker = Reranker::load_blocking(source.clone(), options).unwrap();
        assert_close(&reranker.score_blocking(&pairs, Scores::Raw).unwrap(), &seed.logits, tolerance);
        assert_close(&reranker.score_blocking(&pairs, Scores::Model).unwrap(), &seed.scores, tolerance);
        assert_close(&reranker.score_blocking(&pairs, Scores::Sigmoid).unwrap(), &seed.scores, tolerance);
        let ranked = reranker.rank_blocking(&seed.query, &seed.documents, RankOptions::default()).unwrap();
        assert_eq!(ranked[0].index, 0);
    }
}
