//! Keys of pairs: hashes of 128 bits with a random seed per cache, so that no text can be made to have another's key.

use std::hash::{BuildHasher, Hash, RandomState};

use super::{Key, TextKey};

/// Makes the keys of one cache.
#[derive(Debug, Default)]
pub(crate) struct KeyMaker([RandomState; 2]);

impl KeyMaker {
    /// Returns the key of a document's text.
    pub(crate) fn text(&self, text: &str) -> TextKey {
        self.hash(text)
    }

    /// Returns the key of a pair that is scored with some options.
    pub(crate) fn pair(&self, options: &impl Hash, query: &str, document: TextKey) -> Key {
        self.hash((options, query, document))
    }

    fn hash(&self, value: impl Hash) -> u128 {
        let [high, low] = [&self.0[0], &self.0[1]].map(|half| half.hash_one(&value));
        u128::from(high) << 64 | u128::from(low)
    }
}
