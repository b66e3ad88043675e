//! Checks SentencePiece's compiled character map before the library uses it.
//!
//! The format is darts-clone's: the size of the trie in bytes, then the trie as an array of 32-bit units, then the
//! replacements as zero-terminated strings. The library follows the offsets in units and leaves without bounds checks.

use tokenizers::normalizers::Precompiled;

use crate::error::{Result, tokenizer, unsupported};
use crate::text::error::malformed;

/// Maximum bytes of a replacement per replaced byte, to bound how much a text can grow. Unicode's compatibility forms
/// reach 11.
const MAX_GROWTH: usize = 16;

/// Decodes and checks a map.
///
/// # Errors
/// `tokenizer` if it is truncated or has an offset out of bounds, `unsupported` for a replacement that is longer than
/// any in published maps.
pub(super) fn read(base64: &str) -> Result<Precompiled> {
    let bytes = base64::decode(base64).map_err(malformed)?;
    check(&bytes)?;
    Precompiled::from(&bytes).map_err(malformed)
}

/// One unit of the trie, in darts-clone's bit layout.
#[derive(Clone, Copy)]
struct TrieUnit(u32);

impl TrieUnit {
    fn label(self) -> u32 {
        self.0 & (1 << 31 | 0xff)
    }

    fn has_leaf(self) -> bool {
        self.0 >> 8 & 1 == 1
    }

    fn value(self) -> usize {
        (self.0 & !(1 << 31)) as usize
    }

    fn offset(self) -> usize {
        ((self.0 >> 10) << ((self.0 & 1 << 9) >> 6)) as usize
    }
}

/// Walks every path of the trie, as the library would for some text.
fn check(bytes: &[u8]) -> Result<()> {
    let cut_short = || tokenizer("tokenizer.json: the precompiled_charsmap is cut short");
    let (size, rest) = bytes.split_first_chunk().ok_or_else(cut_short)?;
    let (trie, replacements) =
        rest.split_at_checked(u32::from_le_bytes(*size) as usize & !3).ok_or_else(cut_short)?;
    let (trie, _) = trie.as_chunks();
    let trie: Vec<TrieUnit> = trie.iter().map(|unit| TrieUnit(u32::from_le_bytes(*unit))).collect();
    let replacements = std::str::from_utf8(replacements).map_err(malformed)?;
    let outside = || tokenizer("tokenizer.json: the precompiled_charsmap has an offset outside its data");
    let mut seen = vec![false; trie.len()];
    let mut pending = vec![(0, 0)];
    while let Some((index, depth)) = pending.pop() {
        let unit = *trie.get(index).ok_or_else(outside)?;
        let children = index ^ unit.offset();
        // The library looks up any byte from here.
        if children | 0xff >= trie.len() {
            return Err(outside());
        }
        if unit.has_leaf() && depth > 0 {
            check_replacement(replacements, trie[children].value(), depth)?;
        }
        for byte in 1..=0xff {
            let child = children ^ byte;
            if trie[child].label() as usize == byte && !std::mem::replace(&mut seen[child], true) {
                pending.push((child, depth + 1));
            }
        }
    }
    Ok(())
}

/// Checks the replacement for `replaced` bytes, which starts at `start` and ends before the next zero.
fn check_replacement(replacements: &str, start: usize, replaced: usize) -> Result<()> {
    let rest = replacements.get(start..).ok_or_else(|| {
        tokenizer("tokenizer.json: the precompiled_charsmap has an offset outside its data")
    })?;
    match rest.find('\0').unwrap_or(rest.len()) {
        length if length > MAX_GROWTH * replaced => Err(unsupported(format!(
            "tokenizer.json: the precompiled_charsmap replaces {replaced} bytes with {length} bytes"
        ))),
        _ => Ok(()),
    }
}
