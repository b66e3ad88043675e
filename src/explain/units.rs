//! The units of a text.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use super::TextUnit;
use crate::text::{OffsetCursor, OffsetUnit, Span};

/// A text and where its units are, in bytes.
#[derive(Debug)]
pub(super) struct Units<'a> {
    text: &'a str,
    spans: Vec<Range<usize>>,
}

impl<'a> Units<'a> {
    /// Finds the units of a text.
    pub(super) fn find(text: &'a str, unit: TextUnit) -> Self {
        let span = |(start, part): (usize, &str)| {
            let start = start + part.len() - part.trim_start().len();
            start..start + part.trim().len()
        };
        let spans: Vec<Range<usize>> = match unit {
            TextUnit::Word => text.unicode_word_indices().map(span).collect(),
            TextUnit::Sentence => {
                text.split_sentence_bound_indices().map(span).filter(|span| !span.is_empty()).collect()
            }
        };
        Self { text, spans }
    }

    /// Returns a text without units.
    pub(super) fn none(text: &'a str) -> Self {
        Self { text, spans: Vec::new() }
    }

    /// Returns the number of units.
    pub(super) fn len(&self) -> usize {
        self.spans.len()
    }

    /// Returns the text without the units for which `is_left_out` returns true, and without the white space after them.
    pub(super) fn without(&self, is_left_out: impl Fn(usize) -> bool) -> String {
        let mut text = String::with_capacity(self.text.len());
        let mut end = 0;
        for (_, span) in self.spans.iter().enumerate().filter(|(index, _)| is_left_out(*index)) {
            text.push_str(&self.text[end..span.start]);
            let rest = &self.text[span.end..];
            end = span.end + rest.len() - rest.trim_start().len();
        }
        text.push_str(&self.text[end..]);
        text
    }

    /// Returns the spans of the units.
    pub(super) fn spans(&self, offsets: OffsetUnit) -> Vec<Span> {
        let mut cursor = OffsetCursor::new(self.text, offsets);
        let span =
            |span: &Range<usize>| Span { start: cursor.offset(span.start), end: cursor.offset(span.end) };
        self.spans.iter().map(span).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, unit: TextUnit) -> Vec<&str> {
        Units::find(text, unit).spans.iter().map(|span| &text[span.clone()]).collect()
    }

    #[test]
    fn words_have_no_punctuation_and_keep_their_marks() {
        assert_eq!(
            found("Don't panic, said 3.5 people!", TextUnit::Word),
            ["Don't", "panic", "said", "3.5", "people"]
        );
        assert_eq!(found("cafe\u{301} नमस्ते दुनिया", TextUnit::Word), ["cafe\u{301}", "नमस्ते", "दुनिया"]);
        assert_eq!(found("東京は", TextUnit::Word), ["東", "京", "は"]);
        assert_eq!(found(" ... ", TextUnit::Word), [""; 0]);
    }

    #[test]
    fn sentences_have_no_white_space_around_them() {
        let text = " Berlin is a city. It has parks!\n\nIs it old? 東京は都市です。大きいです。";
        let expected =
            ["Berlin is a city.", "It has parks!", "Is it old?", "東京は都市です。", "大きいです。"];
        assert_eq!(found(text, TextUnit::Sentence), expected);
        assert_eq!(found(" \n ", TextUnit::Sentence), [""; 0]);
    }

    #[test]
    fn units_are_left_out_with_the_space_after_them() {
        let units = Units::find("one, two three.", TextUnit::Word);
        assert_eq!(units.without(|_| false), "one, two three.");
        assert_eq!(units.without(|unit| unit == 0), ", two three.");
        assert_eq!(units.without(|unit| unit == 1), "one, three.");
        assert_eq!(units.without(|_| true), ", .");
        assert_eq!(Units::none("one").without(|_| true), "one");
    }

    #[test]
    fn spans_are_in_the_unit_of_the_caller() {
        let units = Units::find("🦀 é a", TextUnit::Word);
        let ends =
            |offsets| units.spans(offsets).iter().map(|span| (span.start, span.end)).collect::<Vec<_>>();
        assert_eq!(ends(OffsetUnit::Byte), [(5, 7), (8, 9)]);
        assert_eq!(ends(OffsetUnit::Utf16), [(3, 4), (5, 6)]);
        assert_eq!(ends(OffsetUnit::CodePoint), [(2, 3), (4, 5)]);
    }
}
