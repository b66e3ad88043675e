//! Words and sentences, and the words that two texts have in common.

use std::collections::HashSet;
use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

/// Words that say little about what a question asks.
const FUNCTION_WORDS: &str = "a an the is are was were be been do does did has have had of in on at to for from by with and or \
                              what which who whom whose when where why how many much that this it its as s";

/// Returns the words of a text in bytes.
pub(crate) fn words(text: &str) -> Vec<Range<usize>> {
    text.unicode_word_indices().map(|(start, word)| start..start + word.len()).collect()
}

/// Returns the sentences of a text in bytes.
pub(crate) fn sentences(text: &str) -> Vec<Range<usize>> {
    let range = |(start, sentence): (usize, &str)| start..start + sentence.trim_end().len();
    text.split_sentence_bound_indices().map(range).filter(|sentence| !sentence.is_empty()).collect()
}

/// Returns the number of different words of a query, without function words, that a text has.
pub(crate) fn overlap(query: &str, text: &str) -> usize {
    let content = |text: &str| -> HashSet<String> {
        let words = text.unicode_words().map(str::to_lowercase);
        words.filter(|word| !FUNCTION_WORDS.split(' ').any(|other| other == word)).collect()
    };
    content(query).intersection(&content(text)).count()
}
