//! Keys of pairs: hashes of 128 bits with a random seed per cache, so that no text can be made to have another's key.

use std::hash::{BuildHasher, Hash, RandomState};

use super::Key;

/// Makes the keys of one cache.
#[derive(Debug, Default)]
pub(crate) struct KeyMaker([RandomState; 2]);

impl KeyMaker {
    /// Returns the key of a pair that is scored with some options.
    pub(crate) fn key(&self, options: &impl Hash, query: &str, document: &str) -> Key {
        let [high, low] = [&self.0[0], &self.0[1]].map(|half| half.hash_one((options, query, document)));
        u128::from(high) << 64 | u128::from(low)
    }
}
