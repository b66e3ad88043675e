//! Fuzzes `config.json` and the other files that describe the model and its scores.

#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use ranklet_fuzz::{check, fixtures, join, mutate, split, with, write_seeds};

const FILES: [&str; 4] =
    ["config.json", "config_sentence_transformers.json", "modules.json", "sentence_bert_config.json"];

fuzz_target!(
    init: write_seeds(
        "config",
        fixtures().iter().map(|files| join(&FILES.map(|name| files.get(name).unwrap_or_default()))),
    ),
    |input: &[u8]| check(with(FILES.into_iter().zip(split(input))))
);

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate(data, size, max_size, seed)
});
