//! SentencePiece's compiled character map, looked through before the library follows it.
//!
//! The form (of darts-clone and SentencePiece): the bytes of the trie as a number, then the trie, an array of 32-bit
//! units, then the replacements, each ended by a zero. The library goes from unit to unit without asking whether they
//! are there, and cuts replacements where a leaf says.

use tokenizers::normalizers::Precompiled;

use crate::error::{Result, tokenizer, unsupported};
use crate::text::error::malformed;

/// Bytes a replacement may have for each byte it replaces, so that no text grows without bound. Unicode's own
/// compatibility forms reach 11.
const MAX_GROWTH: usize = 16;

/// Reads and checks a map.
///
/// # Errors
/// `tokenizer` when it is cut short or points outside itself, `unsupported` when a replacement is longer than any real
/// one.
pub(super) fn read(base64: &str) -> Result<Precompiled> {
    let bytes = base64::decode(base64).map_err(malformed)?;
    check(&bytes)?;
    Precompiled::from(&bytes).map_err(malformed)
}

/// One entry of the trie, as darts-clone packs it.
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

fn check(bytes: &[u8]) -> Result<()> {
    let truncated = || tokenizer("tokenizer.json: a precompiled_charsmap that is cut short");
    let (size, rest) = bytes.split_first_chunk().ok_or_else(truncated)?;
    let (trie, replacements) =
        rest.split_at_checked(u32::from_le_bytes(*size) as usize & !3).ok_or_else(truncated)?;
    let (trie, _) = trie.as_chunks();
    let trie: Vec<TrieUnit> = trie.iter().map(|unit| TrieUnit(u32::from_le_bytes(*unit))).collect();
    let replacements = std::str::from_utf8(replacements).map_err(malformed)?;
    let outside = || tokenizer("tokenizer.json: a precompiled_charsmap that points outside itself");
    let mut seen = vec![false; trie.len()];
    let mut open = vec![(0, 0)];
    while let Some((index, depth)) = open.pop() {
        let unit = *trie.get(index).ok_or_else(outside)?;
        let children = index ^ unit.offset();
        // Any byte may be looked for from here.
        if children | 0xff >= trie.len() {
            return Err(outside());
        }
        if unit.has_leaf() && depth > 0 {
            check_replacement(replacements, trie[children].value(), depth)?;
        }
        for byte in 1..=0xff {
            let child = children ^ byte;
            if trie[child].label() as usize == byte && !std::mem::replace(&mut seen[child], true) {
                open.push((child, depth + 1));
            }
        }
    }
    Ok(())
}

/// The replacement of `replaced` bytes that begins at `start` and ends before the next zero.
fn check_replacement(replacements: &str, start: usize, replaced: usize) -> Result<()> {
    let rest = replacements
        .get(start..)
        .ok_or_else(|| tokenizer("tokenizer.json: a precompiled_charsmap that points outside itself"))?;
    match rest.find('\0').unwrap_or(rest.len()) {
        length if length > MAX_GROWTH * replaced => Err(unsupported(format!(
            "tokenizer.json: a precompiled_charsmap that makes {length} bytes of {replaced}"
        ))),
        _ => Ok(()),
    }
}
