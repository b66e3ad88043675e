//! Texts far longer than a model reads give the ids that HF's tokenizer gives for the whole text, although only a part
//! is tokenized.
//!
//! The oracle is the `tokenizers` library, which tokenizes both texts as a whole and then truncates them. Its own pair
//! encoding stops tokenizing at the maximum length since 0.23, so it cannot tell which of two long texts is longer. The
//! Python release that sentence-transformers uses, 0.23.3, still can, as the fixtures show.

use ranklet::ModelFiles;
use ranklet::internals::{Batch, Checkpoint, PairTokenizer};
use tokenizers::{Tokenizer, TruncationDirection, TruncationParams, TruncationStrategy, truncate_encodings};

struct Tokenizers {
    ours: PairTokenizer,
    oracle: Tokenizer,
}

impl Tokenizers {
    fn new() -> Self {
        let checkpoint = Checkpoint::read(ModelFiles::embedded()).unwrap();
        let mut oracle = Tokenizer::from_bytes(&checkpoint.tokenizer_json).unwrap();
        oracle.with_padding(None);
        oracle.with_truncation(None).unwrap();
        let ours = PairTokenizer::read(
            &checkpoint.tokenizer_json,
            &checkpoint.tokenizer_config,
            (&checkpoint.config).into(),
        )
        .unwrap();
        Self { ours, oracle }
    }

    #[track_caller]
    fn assert_same(&self, query: &str, document: &str, max_length: usize) {
        let params = TruncationParams {
            max_length: max_length - 3,
            strategy: TruncationStrategy::LongestFirst,
            stride: 0,
            direction: TruncationDirection::Right,
        };
        let whole = |text: &str| self.oracle.encode_fast(text, false).unwrap();
        let (mut first, second) = truncate_encodings(whole(query), Some(whole(document)), &params).unwrap();
        let mut second = second.unwrap();
        // Post-processing would pair every overflowing piece with every other one.
        first.take_overflowing();
        second.take_overflowing();
        let expected = self.oracle.post_process(first, Some(second), true).unwrap();
        let mut batch = Batch::default();
        let query_text = self.ours.encode(query, max_length, None).unwrap();
        let document_text = self.ours.encode(document, max_length, None).unwrap();
        self.ours.push(&mut batch, &query_text, &document_text, max_length).unwrap();
        let start = |text: &str| text.chars().take(60).collect::<String>();
        assert!(
            batch.input_ids == expected.get_ids(),
            "{:?} ({}), {:?} ({}), {max_length}",
            start(query),
            query.len(),
            start(document),
            document.len()
        );
        assert!(batch.token_type_ids == expected.get_type_ids());
    }
}

/// Texts of about `length` bytes that truncation can get wrong, each in another way.
fn texts(length: usize) -> Vec<String> {
    let repeated = |unit: &str| unit.repeat(length / unit.len() + 1);
    let numbered: String = (0..length / 6).map(|number| format!("{number} ")).collect();
    vec![
        repeated("the river crosses the old city "),
        numbered,
        repeated("wordwithoutend"),
        repeated("漢字と仮名"),
        repeated("привет "),
        repeated("e\u{301}\u{323}"),
        repeated("a\u{300}\u{301}\u{302} "),
        repeated("[SEP]"),
        repeated("x[MASK] [CLS]y "),
        repeated("[SE P] [SEP "),
        repeated(" \t\n"),
        repeated("\0"),
        repeated("👩‍👩‍👧‍👦"),
        repeated("don't-stop!? "),
        format!("{} end", " ".repeat(length)),
        format!("start {}", "z".repeat(length)),
    ]
}

#[test]
fn long_texts_give_the_ids_of_the_whole_text() {
    let tokenizers = Tokenizers::new();
    for text in texts(60_000) {
        tokenizers.assert_same("a short query", &text, 512);
        tokenizers.assert_same(&text, "a short document", 512);
        tokenizers.assert_same(&text, "", 37);
    }
}

/// The text that is longer before truncation gets the odd token.
#[test]
fn two_long_texts_are_truncated_by_their_full_lengths() {
    let tokenizers = Tokenizers::new();
    let longs = [texts(30_000), texts(36_000)].concat();
    for (index, first) in longs.iter().enumerate() {
        let second = &longs[(index * 7 + 3) % longs.len()];
        tokenizers.assert_same(first, second, 512);
        tokenizers.assert_same(first, second, 15);
        tokenizers.assert_same(first, second, 16);
    }
}

/// Tries every length around every limit, to find errors by one.
#[test]
fn lengths_around_the_limit_give_the_right_ids() {
    let tokenizers = Tokenizers::new();
    for query_words in 0..14 {
        for document_words in 0..14 {
            let query = "river ".repeat(query_words);
            let document = "city ".repeat(document_words);
            for max_length in [4, 9, 10, 16] {
                tokenizers.assert_same(&query, &document, max_length);
            }
        }
    }
}

#[test]
fn a_query_and_a_document_of_a_megabyte_give_the_right_ids() {
    let tokenizers = Tokenizers::new();
    for text in [&texts(1_000_000)[0], &texts(1_000_000)[2]] {
        tokenizers.assert_same("a short query", text, 512);
        tokenizers.assert_same(text, "a short document", 512);
        tokenizers.assert_same(text, &text[..900_000], 512);
    }
}
