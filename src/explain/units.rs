//! The units of a text, and the tokens that each of them has.

use std::ops::Range;

use super::TextUnit;
use crate::text::{OffsetCursor, OffsetUnit, Span, TextTokens, sentences, words};

/// Finds the units of a text, in bytes.
pub(super) fn find(text: &str, unit: TextUnit) -> Vec<Range<usize>> {
    match unit {
        TextUnit::Word => words(text),
        TextUnit::Sentence => sentences(text),
    }
}

/// Finds the contexts that units are explained in, in bytes: the sentences of words, and the whole text of sentences.
pub(super) fn contexts(text: &str, unit: TextUnit) -> Vec<Range<usize>> {
    match unit {
        TextUnit::Word => sentences(text),
        TextUnit::Sentence => std::iter::once(0..text.len()).collect(),
    }
}

/// Returns the position of the context that an offset is in: the last one that begins at it or before it.
pub(super) fn context_at(contexts: &[Range<usize>], offset: usize) -> usize {
    contexts.partition_point(|context| context.start <= offset).saturating_sub(1)
}

/// Merges neighboring units that have a token in common, because the model cannot read one without the other. Returns the
/// units, and the unit of each token; `None` for tokens between units.
pub(super) fn with_tokens(
    units: Vec<Range<usize>>,
    tokens: &TextTokens,
) -> (Vec<Range<usize>>, Vec<Option<usize>>) {
    // The units that a token overlaps, from the first to before the last.
    let overlapped = |token: &Range<usize>| {
        let first = units.partition_point(|unit| unit.end <= token.start);
        let last = units.partition_point(|unit| unit.start < token.end);
        (first < last && !token.is_empty()).then_some(first..last)
    };
    let overlaps: Vec<Option<Range<usize>>> = tokens.offsets.iter().map(overlapped).collect();
    let mut joins_previous = vec![false; units.len()];
    for range in overlaps.iter().flatten() {
        joins_previous[range.start + 1..range.end].fill(true);
    }
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(units.len());
    let mut index_of = Vec::with_capacity(units.len());
    for (unit, joins) in units.iter().zip(joins_previous) {
        match merged.last_mut() {
            Some(last) if joins => last.end = unit.end,
            _ => merged.push(unit.clone()),
        }
        index_of.push(merged.len() - 1);
    }
    let unit_of = |range: Option<Range<usize>>| range.map(|range| index_of[range.start]);
    (merged, overlaps.into_iter().map(unit_of).collect())
}

/// Converts ranges of bytes to spans.
pub(super) fn spans(text: &str, ranges: &[Range<usize>], offsets: OffsetUnit) -> Vec<Span> {
    let mut cursor = OffsetCursor::new(text, offsets);
    let span =
        |range: &Range<usize>| Span { start: cursor.offset(range.start), end: cursor.offset(range.end) };
    ranges.iter().map(span).collect()
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "lists of spans, some of which have one")]
mod tests {
    use super::*;

    fn tokens(offsets: &[Range<usize>]) -> TextTokens {
        TextTokens { ids: vec![0; offsets.len()], offsets: offsets.to_vec() }
    }

    #[test]
    fn units_with_a_common_token_are_one() {
        // "ab cd ef": a token for each letter of the first word, one for the others together.
        let units = vec![0..2, 3..5, 6..8];
        let (merged, of) = with_tokens(units.clone(), &tokens(&[0..1, 1..2, 2..3, 3..8]));
        assert_eq!(merged, [0..2, 3..8]);
        assert_eq!(of, [Some(0), Some(0), None, Some(1)]);
        let (merged, of) = with_tokens(units.clone(), &tokens(&[0..8, 0..0, 8..9]));
        assert_eq!((merged, of), (vec![0..8], vec![Some(0), None, None]));
        assert_eq!(with_tokens(units.clone(), &tokens(&[])).0, units);
        assert_eq!(with_tokens(Vec::new(), &tokens(&[0..2])).1, [None]);
    }

    #[test]
    fn spans_are_in_the_unit_of_the_caller() {
        let text = "🦀 é a";
        let ranges = find(text, TextUnit::Word);
        let ends = |offsets| {
            spans(text, &ranges, offsets).iter().map(|span| (span.start, span.end)).collect::<Vec<_>>()
        };
        assert_eq!(ends(OffsetUnit::Byte), [(5, 7), (8, 9)]);
        assert_eq!(ends(OffsetUnit::Utf16), [(3, 4), (5, 6)]);
        assert_eq!(ends(OffsetUnit::CodePoint), [(2, 3), (4, 5)]);
    }
}
