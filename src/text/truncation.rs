//! HF's truncation strategy `longest_first`.

/// Returns the lengths to which texts of `first` and `second` tokens are truncated to fit `max_tokens` together.
///
/// Like the `tokenizers` library, shortens the longer text, but not below the length of the shorter one. If that is
/// not enough, each gets half of `max_tokens`, and the text that was longer gets an odd token; the second text does on
/// a tie.
pub(super) fn longest_first(first: usize, second: usize, max_tokens: usize) -> (usize, usize) {
    if first + second <= max_tokens {
        return (first, second);
    }
    let min_length = first.min(second);
    let (shorter, longer) = if 2 * min_length > max_tokens {
        (max_tokens / 2, max_tokens / 2 + max_tokens % 2)
    } else {
        (min_length, max_tokens - min_length)
    };
    if first > second { (longer, shorter) } else { (shorter, longer) }
}

#[cfg(test)]
mod tests {
    use super::longest_first;
    use tokenizers::{
        Encoding,
        utils::truncation::{TruncationDirection, TruncationParams, TruncationStrategy, truncate_encodings},
    };

    /// Compares every small case with the library that HF uses.
    #[test]
    fn agrees_with_the_tokenizers_library() {
        let encoding = |length: usize| {
            Encoding::from_tokens(vec![tokenizers::Token::new(0, String::new(), (0, 0)); length], 0)
        };
        for max_tokens in 0..12 {
            let params = TruncationParams {
                max_length: max_tokens,
                strategy: TruncationStrategy::LongestFirst,
                stride: 0,
                direction: TruncationDirection::Right,
            };
            for first in 0..16 {
                for second in 0..16 {
                    let (a, b) =
                        truncate_encodings(encoding(first), Some(encoding(second)), &params).unwrap();
                    let expected = (a.get_ids().len(), b.unwrap().get_ids().len());
                    assert_eq!(
                        longest_first(first, second, max_tokens),
                        expected,
                        "{first}, {second} into {max_tokens}"
                    );
                }
            }
        }
    }
}
