//! The seed example with the embedded model, through the crate: PyTorch's scores of the same q8 file.

mod common;

use ranklet::{Dtype, ModelSource, Options, RankOptions, Reranker, Scores};

fn assert_close(got: &[f32], want: &[f32]) {
    assert_eq!(got.len(), want.len());
    assert!(got.iter().zip(want).all(|(got, want)| (got - want).abs() <= 1e-4), "{got:?} against {want:?}");
}

#[test]
fn the_embedded_model_gives_the_oracles_scores_and_ranks_paris_first() {
    let seed = common::seed();
    let pairs: Vec<_> = seed.documents.iter().map(|document| (&seed.query, document)).collect();
    for dtype in [Dtype::Auto, Dtype::Q8, Dtype::F32] {
        let options = Options { dtype, ..Options::default() };
        let reranker = Reranker::load_blocking(ModelSource::Embedded, options).unwrap();
        assert_close(&reranker.score_blocking(&pairs, Scores::Raw).unwrap(), &seed.logits);
        assert_close(&reranker.score_blocking(&pairs, Scores::Model).unwrap(), &seed.scores);
        assert_close(&reranker.score_blocking(&pairs, Scores::Sigmoid).unwrap(), &seed.scores);
        let ranked = reranker.rank_blocking(&seed.query, &seed.documents, RankOptions::default()).unwrap();
        assert_eq!(ranked[0].index, 0);
    }
}
