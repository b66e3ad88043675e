//! A map whose least recently used entries are removed when it has too many.

use std::collections::HashMap;

use super::{Key, PairScore};

/// Bytes of an entry. Vectors and maps double when they are full, so their share counts twice.
pub(super) const ENTRY_BYTES: usize = 2 * (size_of::<Entry>() + size_of::<(Key, usize)>() + 1);
/// Bytes that an allocator may add to an allocation.
const ALLOCATION_BYTES: usize = 16;

#[derive(Debug)]
pub(super) struct Lru {
    max_bytes: usize,
    bytes: usize,
    indices: HashMap<Key, usize>,
    /// Entries, linked from the most to the least recently used. The indices of removed ones are in `free`.
    entries: Vec<Entry>,
    free: Vec<usize>,
    newest: Option<usize>,
    oldest: Option<usize>,
}

#[derive(Debug)]
struct Entry {
    key: Key,
    score: PairScore,
    newer: Option<usize>,
    older: Option<usize>,
}

impl Lru {
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            bytes: 0,
            indices: HashMap::new(),
            entries: Vec::new(),
            free: Vec::new(),
            newest: None,
            oldest: None,
        }
    }

    /// Bytes of all entries.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.indices.len()
    }

    /// Returns a score, which becomes the most recently used one.
    pub(super) fn get(&mut self, key: Key) -> Option<PairScore> {
        let index = *self.indices.get(&key)?;
        self.unlink(index);
        self.link_newest(index);
        Some(self.entries[index].score.clone())
    }

    /// Adds or replaces a score, and removes the least recently used ones until all have at most the maximum of bytes. A
    /// score that has more by itself is not added.
    pub(super) fn insert(&mut self, key: Key, score: PairScore) {
        if let Some(&index) = self.indices.get(&key) {
            self.remove(index);
        }
        let bytes = entry_bytes(&score);
        if bytes > self.max_bytes {
            return;
        }
        while self.bytes + bytes > self.max_bytes
            && let Some(oldest) = self.oldest
        {
            self.remove(oldest);
        }
        self.bytes += bytes;
        let entry = Entry { key, score, newer: None, older: None };
        let index = match self.free.pop() {
            Some(index) => {
                self.entries[index] = entry;
                index
            }
            None => {
                self.entries.push(entry);
                self.entries.len() - 1
            }
        };
        self.indices.insert(key, index);
        self.link_newest(index);
    }

    fn remove(&mut self, index: usize) {
        self.unlink(index);
        self.indices.remove(&self.entries[index].key);
        let score = std::mem::take(&mut self.entries[index].score);
        self.bytes -= entry_bytes(&score);
        self.free.push(index);
    }

    fn unlink(&mut self, index: usize) {
        let Entry { newer, older, .. } = self.entries[index];
        match newer {
            Some(newer) => self.entries[newer].older = older,
            None => self.newest = older,
        }
        match older {
            Some(older) => self.entries[older].newer = newer,
            None => self.oldest = newer,
        }
    }

    fn link_newest(&mut self, index: usize) {
        let second = self.newest.replace(index);
        (self.entries[index].newer, self.entries[index].older) = (None, second);
        match second {
            Some(second) => self.entries[second].newer = Some(index),
            None => self.oldest = Some(index),
        }
    }
}

fn entry_bytes(score: &PairScore) -> usize {
    ENTRY_BYTES + size_of_val(&*score.values) + ALLOCATION_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(value: f32) -> PairScore {
        PairScore { values: vec![value].into(), span: None }
    }

    const ONE: usize = ENTRY_BYTES + 4 + ALLOCATION_BYTES;

    /// The documents say 280.
    #[cfg(target_pointer_width = "64")]
    #[test]
    fn a_score_takes_the_bytes_that_are_documented() {
        assert_eq!(ONE, 278);
    }

    #[test]
    fn the_least_recently_used_entry_is_removed_first() {
        let mut lru = Lru::new(3 * ONE);
        for key in 0..3 {
            lru.insert(key, score(key as f32));
        }
        assert_eq!((lru.len(), lru.bytes()), (3, 3 * ONE));
        assert_eq!(lru.get(0), Some(score(0.0)));
        lru.insert(3, score(3.0));
        let found: Vec<bool> = (0..4).map(|key| lru.get(key).is_some()).collect();
        assert_eq!(found, [true, false, true, true]);
        // An entry with more bytes takes the place of two.
        lru.insert(4, PairScore { values: vec![0.0; 2].into(), span: None });
        assert_eq!(lru.len(), 2);
        lru.insert(5, PairScore { values: vec![0.0; ONE].into(), span: None });
        assert_eq!((lru.len(), lru.get(5)), (2, None));
        lru.insert(3, score(4.0));
        assert_eq!((lru.len(), lru.get(3)), (2, Some(score(4.0))));
    }

    #[test]
    fn a_cache_too_small_for_one_entry_stays_empty() {
        let mut lru = Lru::new(ONE - 1);
        lru.insert(1, score(1.0));
        assert_eq!((lru.len(), lru.bytes(), lru.get(1)), (0, 0, None));
    }

    #[test]
    fn a_million_inserts_stay_within_the_bound() {
        let max_bytes = 1000 * ONE;
        let mut lru = Lru::new(max_bytes);
        for key in 0..1_000_000 {
            lru.insert(key, score(0.5));
            assert!(lru.bytes() <= max_bytes);
        }
        assert_eq!(lru.len(), 1000);
        let capacities = lru.entries.capacity() * size_of::<Entry>()
            + lru.indices.capacity() * (size_of::<(Key, usize)>() + 1)
            + lru.free.capacity() * size_of::<usize>();
        assert!(capacities + 1000 * (4 + ALLOCATION_BYTES) <= max_bytes, "{capacities}");
    }
}
