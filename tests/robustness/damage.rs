//! Random damage to a checkpoint: it either loads or is rejected with a typed error, and never panics.
//!
//! A failing seed is printed. `damaged(seed)` makes the same files again.

use crate::common::{fixture, load};
use ranklet::{ModelFiles, Scores};

/// Marsaglia's xorshift64, which gives the same numbers on every platform.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

/// Bytes with a meaning in JSON or in a header.
const TELLING: &[u8] = b"{}[]\",:0123456789.-eEnNtf\\\x00\x7f\x80\xff";

fn damaged(seed: u64) -> (ModelFiles, String) {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut files = fixture("bert-gelu-h36").files();
    let names = ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"];
    let name = names[random.below(names.len())];
    let mut bytes = files.take(name).unwrap().into_owned();
    let what = random.below(5);
    for _ in 0..=random.below(3) {
        // Half of the damage goes to the start, where headers are.
        let reach = if random.below(2) == 0 { bytes.len().min(4000) } else { bytes.len() };
        let place = random.below(reach);
        let length = random.below(12).min(bytes.len() - place);
        match what {
            0 => bytes[place] ^= 1 << random.below(8),
            1 => bytes[place] = TELLING[random.below(TELLING.len())],
            2 => drop(bytes.drain(place..place + length)),
            3 => bytes.insert(place, TELLING[random.below(TELLING.len())]),
            _ => bytes.truncate(place.max(1)),
        }
    }
    files.insert(name, bytes);
    (files, format!("seed {seed}, {name}"))
}

fn survives(seeds: std::ops::Range<u64>) {
    let (mut loaded, mut refused) = (0, 0);
    for seed in seeds {
        let (files, what) = damaged(seed);
        let outcome = std::panic::catch_unwind(|| {
            let reranker = load(files)?;
            reranker.score_blocking(&[("a river", "the old [SEP] city"), ("", "\0é漢")], Scores::Model)
        });
        match outcome {
            Ok(Ok(scores)) => {
                assert!(scores.iter().all(|score| score.is_finite()), "{what}: {scores:?}");
                loaded += 1;
            }
            Ok(Err(error)) => {
                assert!(!error.context().is_empty(), "{what}");
                refused += 1;
            }
            Err(_) => panic!("{what}: a panic"),
        }
    }
    // If one of them is rare, the damage is too small or too large.
    assert!(loaded > refused / 20 && refused > loaded / 20, "{loaded} loaded, {refused} refused");
}

#[test]
fn random_damage_never_panics() {
    survives(1..4000);
}

#[test]
#[ignore = "long: ./build.sh test --long"]
fn long_random_damage_never_panics() {
    survives(4000..400_000);
}
