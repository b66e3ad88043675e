//! A pair, as parts that variants of it keep or leave out.

use std::cmp::Reverse;
use std::ops::Range;

/// Query and document, as variants are made from them. Units and contexts are numbered over both texts.
#[derive(Debug, Clone)]
pub(crate) enum PairContent {
    Tokens([Vec<PairToken>; 2]),
    /// Texts that are tokenized together.
    Texts([PairTextParts; 2]),
}

/// A token, and the unit and the context that it belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PairToken {
    pub(crate) id: u32,
    pub(crate) unit: Option<usize>,
    pub(crate) context: Option<usize>,
}

/// A text, and the bytes of its units and contexts, which are numbered from `first_unit` and `first_context` on.
#[derive(Debug, Clone)]
pub(crate) struct PairTextParts {
    pub(crate) text: String,
    pub(crate) units: Vec<Range<usize>>,
    pub(crate) contexts: Vec<Range<usize>>,
    pub(crate) first_unit: usize,
    pub(crate) first_context: usize,
}

/// Query and document of a variant.
pub(crate) enum VariantContent {
    Tokens([Vec<u32>; 2]),
    Texts([String; 2]),
}

impl PairContent {
    /// Returns the pair without the units that are not kept. With a context, the other contexts of its text are left out, and
    /// the other text is whole.
    pub(super) fn keep(&self, context: Option<usize>, keeps_unit: impl Fn(usize) -> bool) -> VariantContent {
        match self {
            Self::Tokens(texts) => VariantContent::Tokens(
                texts.each_ref().map(|tokens| kept_tokens(tokens, context, &keeps_unit)),
            ),
            Self::Texts(texts) => {
                VariantContent::Texts(texts.each_ref().map(|parts| parts.keep(context, &keeps_unit)))
            }
        }
    }

    /// Returns whether a context is the only one of its text.
    pub(super) fn is_only_context(&self, context: usize) -> bool {
        match self {
            PairContent::Tokens(texts) => texts
                .iter()
                .filter(|tokens| has_context(tokens, context))
                .all(|tokens| tokens.iter().all(|token| token.context.is_none_or(|other| other == context))),
            PairContent::Texts(texts) => {
                texts.iter().any(|parts| parts.context_numbers() == (context..context + 1))
            }
        }
    }
}

impl PairTextParts {
    fn keep(&self, context: Option<usize>, keeps_unit: impl Fn(usize) -> bool) -> String {
        let own = self.context_numbers();
        if context.is_some_and(|context| !own.contains(&context)) {
            return self.text.clone();
        }
        let is_left_out = |other: usize| context.is_some_and(|context| other != context);
        let contexts = own.zip(&self.contexts).filter(|(other, _)| is_left_out(*other));
        let units = (self.first_unit..).zip(&self.units).filter(|(unit, _)| !keeps_unit(*unit));
        without(&self.text, contexts.chain(units).map(|(_, range)| range.clone()).collect())
    }

    fn context_numbers(&self) -> Range<usize> {
        self.first_context..self.first_context + self.contexts.len()
    }
}

fn has_context(tokens: &[PairToken], context: usize) -> bool {
    tokens.iter().any(|token| token.context == Some(context))
}

fn kept_tokens(tokens: &[PairToken], context: Option<usize>, keeps_unit: impl Fn(usize) -> bool) -> Vec<u32> {
    if context.is_some_and(|context| !has_context(tokens, context)) {
        return tokens.iter().map(|token| token.id).collect();
    }
    let is_kept = |token: &&PairToken| {
        let is_in_context = context.is_none() || token.context.is_none() || token.context == context;
        is_in_context && token.unit.is_none_or(&keeps_unit)
    };
    tokens.iter().filter(is_kept).map(|token| token.id).collect()
}

/// Returns a text without some parts of it and without the white space after each. Parts may be inside others.
fn without(text: &str, mut parts: Vec<Range<usize>>) -> String {
    parts.sort_by_key(|part| (part.start, Reverse(part.end)));
    let mut rest = String::with_capacity(text.len());
    let mut end = 0;
    for part in parts {
        if part.end <= end {
            continue;
        }
        rest.push_str(&text[end..part.start]);
        let after = &text[part.end..];
        end = part.end + after.len() - after.trim_start().len();
    }
    rest.push_str(&text[end..]);
    rest
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "lists of spans, some of which have one")]
mod tests {
    use super::*;

    #[test]
    fn units_of_a_text_are_left_out_with_the_space_after_them() {
        let without = |parts: &[Range<usize>]| without("one, two three.", parts.to_vec());
        assert_eq!(without(&[]), "one, two three.");
        assert_eq!(without(&[0..3]), ", two three.");
        assert_eq!(without(&[5..8]), "one, three.");
        assert_eq!(without(&[0..3, 5..8, 9..14]), ", .");
        assert_eq!(without(&[5..8, 0..8, 9..14]), ".");
    }
}
