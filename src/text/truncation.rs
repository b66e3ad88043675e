//! HF's `longest_first`: how many tokens of a pair stay.

/// The lengths to which a pair of `first` and `second` tokens is cut so that both fit `room` together.
///
/// The longer one is cut down to the shorter one; past that both are cut to half, and the one that was longer (the
/// second, when equal) keeps the odd token. As the `tokenizers` library has it.
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

    /// Every small case against the library HF uses.
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
