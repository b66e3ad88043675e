//! AMX, on the processor if it has it and on an emulator otherwise, gives the bits of plain Rust.
//!
//! Everything except the tiles of q8 layers is AVX-512, so these tests are ignored on processors without it.

use super::*;

/// Returns the kernels of this name.
fn named(name: &str) -> &'static dyn Kernels {
    let mut all = kernels::available().into_iter();
    all.find(|kernels| kernels.name() == name)
        .expect("the processor for which this was built has AVX-512 VNNI")
}

/// One layer, with row counts around those of registers, a depth that they cannot read, and panels that are not full.
#[test]
#[cfg_attr(not(avx512_vnni), ignore = "needs a processor with AVX-512 VNNI")]
fn layers_are_bit_identical_with_amx() {
    let kernels = [named("amx-int8"), named("scalar")];
    for depth in [64, 100, 192, 384] {
        for columns in [31, 32, 96] {
            for rows in [1, 15, 16, 17, 31, 32, 33, 50, 64, 95] {
                let [got, want] = kernels.map(|kernels| kernels::tests::layer(kernels, depth, columns, rows));
                assert_eq!(bits(&got), bits(&want), "{rows}x{depth}x{columns}");
            }
        }
    }
}

#[cfg(feature = "embedded")]
#[test]
#[cfg_attr(not(avx512_vnni), ignore = "needs a processor with AVX-512 VNNI")]
fn scores_are_bit_identical_with_amx() {
    use crate::{Device, Dtype, ModelSource, Options, Reranker, Scores};

    let text = include_str!("../../../../docs/design/cpu-engine.md");
    let words: Vec<&str> = text.split_whitespace().collect();
    let document = |(start, count): (usize, usize)| words[start..start + count].join(" ");
    let parts = [(0, 0), (5, 1), (10, 7), (40, 20), (90, 45), (200, 70), (300, 170)];
    let pairs: Vec<_> = parts.map(document).map(|document| ("How are rows multiplied?", document)).into();
    let scores = |name: &str, threads: usize, pairs: &[(&str, String)]| {
        SELECTED.set(Some(named(name)));
        let threads = std::num::NonZeroUsize::new(threads);
        let options = Options { device: Device::Cpu, dtype: Dtype::Q8, threads, ..Options::default() };
        let reranker = Reranker::load_blocking(ModelSource::Embedded, options).unwrap();
        SELECTED.set(None);
        assert_eq!(reranker.info().backend.engine, name);
        bits(&reranker.score_blocking(pairs, Scores::Raw).unwrap())
    };
    let want = scores("scalar", 2, &pairs);
    assert_eq!(scores("amx-int8", 1, &pairs), want);
    assert_eq!(scores("amx-int8", 2, &pairs[..5]), want[..5]);
    // Alone, so that layers have other numbers of rows.
    for (pair, want) in pairs.iter().zip(want).take(4) {
        assert_eq!(scores("amx-int8", 1, std::slice::from_ref(pair)), [want]);
    }
}
