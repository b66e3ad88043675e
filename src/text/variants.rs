//! Variants of a pair that lack some of its units.

use super::pair_content::{PairContent, VariantContent};
use crate::error::{Result, input};
use crate::random::Random;

/// Maximum number of variants of a pair.
const MAX_VARIANTS: usize = 100_000;

/// A pair, and variants of it that lack some of its units, whose scores show what the units add.
///
/// Variant 0 is the pair, and variant 1 lacks all units. Without samples, the others are about one unit each: its context
/// without it, and its context with nothing else. The context of a unit is a part of its text; the rest of that text is left out,
/// and the other text is whole. With samples, the units are removed from the pair one after the other in random orders.
#[derive(Debug, Clone)]
pub struct PairVariants {
    content: PairContent,
    variants: Vec<Kept>,
    /// `[terms, 3]`, the number of a unit, a variant with it, and the variant that differs by lacking it.
    terms: Vec<[usize; 3]>,
    /// The number of the variant with which the first contribution is known.
    first_contribution: usize,
    /// `[samples][units]`, the position of each unit in each order.
    ranks: Vec<Vec<usize>>,
}

/// The part of a pair that a variant keeps.
#[derive(Debug, Clone, Copy)]
enum Kept {
    All,
    NoUnits,
    /// The units after `rank` in the order `sample`.
    After {
        sample: usize,
        rank: usize,
    },
    /// A context with some of its units, and the other text.
    Context(usize, KeptUnits),
}

#[derive(Debug, Clone, Copy)]
enum KeptUnits {
    All,
    None,
    AllBut(usize),
    Only(usize),
}

impl Kept {
    fn context(self) -> Option<usize> {
        match self {
            Kept::Context(context, _) => Some(context),
            _ => None,
        }
    }
}

impl PairVariants {
    /// Makes variants of a pair. `context_of` has the context of each unit: units of one context follow each other.
    ///
    /// # Errors
    /// `input` for more than [`MAX_VARIANTS`] variants.
    pub(crate) fn new(content: PairContent, context_of: &[usize], samples: usize) -> Result<Self> {
        let units = context_of.len();
        let samples = if units > 1 { samples } else { 0 };
        let variants = Self::count(&content, context_of, samples);
        if variants > MAX_VARIANTS {
            let advice =
                if samples > 2 { "use fewer samples, or explain sentences" } else { "explain sentences" };
            return Err(input(format!(
                "the explanation of {units} parts would score {variants} variants of the pair; the limit is \
                 {MAX_VARIANTS}: {advice}"
            )));
        }
        let mut made = Self {
            content,
            variants: vec![Kept::All, Kept::NoUnits],
            terms: Vec::new(),
            first_contribution: 0,
            ranks: ranks(units, samples),
        };
        if made.ranks.is_empty() {
            made.add_occlusion(context_of)
        } else {
            made.add_orders()
        }
        // Occlusion has its terms unit by unit, and up to two of each.
        let known = made.terms.iter().map(|&[_, before, after]| before.max(after));
        let first = if samples == 0 { known.take(2).max() } else { known.min() };
        made.first_contribution = first.unwrap_or(0);
        Ok(made)
    }

    /// Returns the number of variants that [`new`](Self::new) makes.
    pub(crate) fn count(content: &PairContent, context_of: &[usize], samples: usize) -> usize {
        if samples > 0 && context_of.len() > 1 {
            return samples.saturating_mul(context_of.len() - 1).saturating_add(2);
        }
        let own = |units: &[usize]| {
            let is_whole = content.is_only_context(units[0]);
            let is_only = is_whole && units.len() == context_of.len();
            usize::from(!is_whole) + usize::from(!is_only) + units_variants(units.len())
        };
        2 + context_of.chunk_by(|a, b| a == b).map(own).sum::<usize>()
    }

    /// Adds the variants and terms of the units in each context.
    fn add_occlusion(&mut self, context_of: &[usize]) {
        let units: Vec<usize> = (0..context_of.len()).collect();
        for units in units.chunk_by(|a, b| context_of[*a] == context_of[*b]) {
            let context = context_of[units[0]];
            let is_whole = self.content.is_only_context(context);
            let whole = if is_whole { 0 } else { self.add(Kept::Context(context, KeptUnits::All)) };
            let is_only = is_whole && units.len() == context_of.len();
            let empty = if is_only { 1 } else { self.add(Kept::Context(context, KeptUnits::None)) };
            match *units {
                [unit] => self.terms.push([unit, whole, empty]),
                // Without one of two units, the other is alone.
                [first, second] => {
                    let [only_second, only_first] =
                        [second, first].map(|unit| self.add(Kept::Context(context, KeptUnits::Only(unit))));
                    self.terms.extend([[first, whole, only_second], [first, only_first, empty]]);
                    self.terms.extend([[second, whole, only_first], [second, only_second, empty]]);
                }
                _ => {
                    for &unit in units {
                        let without = self.add(Kept::Context(context, KeptUnits::AllBut(unit)));
                        let alone = self.add(Kept::Context(context, KeptUnits::Only(unit)));
                        self.terms.extend([[unit, whole, without], [unit, alone, empty]]);
                    }
                }
            }
        }
    }

    /// Adds the variants and terms of the orders.
    fn add_orders(&mut self) {
        for sample in 0..self.ranks.len() {
            let last = self.ranks[sample].len() - 1;
            let first = self.variants.len();
            self.variants.extend((0..last).map(|rank| Kept::After { sample, rank }));
            let term = |(unit, &rank): (usize, &usize)| {
                let before = if rank == 0 { 0 } else { first + rank - 1 };
                [unit, before, if rank == last { 1 } else { first + rank }]
            };
            self.terms.extend(self.ranks[sample].iter().enumerate().map(term));
        }
    }

    /// Adds a variant. Returns its number.
    fn add(&mut self, kept: Kept) -> usize {
        self.variants.push(kept);
        self.variants.len() - 1
    }

    /// Returns the number of variants, the pair itself included.
    #[allow(clippy::len_without_is_empty, reason = "there are always at least two")]
    pub fn len(&self) -> usize {
        self.variants.len()
    }

    /// Returns the terms of the units' contributions: the number of a unit, a variant with it, and the variant that
    /// differs by lacking it. A contribution is the mean difference of the logits of its terms.
    pub fn terms(&self) -> impl Iterator<Item = [usize; 3]> + '_ {
        self.terms.iter().copied()
    }

    /// Returns the number of the variant with which the first contribution is known; 0 if there are no units.
    pub(crate) fn first_contribution(&self) -> usize {
        self.first_contribution
    }

    /// Returns whether a variant that keeps the context of a unit keeps the unit.
    fn keeps_unit(&self, variant: Kept, unit: usize) -> bool {
        match variant {
            Kept::All | Kept::Context(_, KeptUnits::All) => true,
            Kept::NoUnits | Kept::Context(_, KeptUnits::None) => false,
            Kept::After { sample, rank } => self.ranks[sample][unit] > rank,
            Kept::Context(_, KeptUnits::AllBut(left_out)) => unit != left_out,
            Kept::Context(_, KeptUnits::Only(only)) => unit == only,
        }
    }

    /// Returns a variant.
    ///
    /// # Errors
    /// `input` for a number past the end.
    pub(crate) fn content(&self, variant: usize) -> Result<VariantContent> {
        let Some(&kept) = self.variants.get(variant) else {
            return Err(input(format!("variant {variant} of a pair that has {}", self.variants.len())));
        };
        Ok(self.content.keep(kept.context(), |unit| self.keeps_unit(kept, unit)))
    }
}

/// Returns the number of variants that lack one unit of a context, or have only one, by the number of its units.
fn units_variants(units: usize) -> usize {
    match units {
        0 | 1 => 0,
        2 => 2,
        units => 2 * units,
    }
}

/// Returns the position of each unit in `samples` orders: random ones, each followed by its reverse, which halves the
/// variance for units whose contribution depends on how much is left.
fn ranks(units: usize, samples: usize) -> Vec<Vec<usize>> {
    let mut random = Random(0);
    let mut all: Vec<Vec<usize>> = Vec::with_capacity(samples);
    for sample in 0..samples {
        let ranks = match all.last().filter(|_| sample % 2 == 1) {
            Some(last) => last.iter().map(|rank| units - 1 - rank).collect(),
            None => {
                let mut ranks: Vec<usize> = (0..units).collect();
                random.shuffle(&mut ranks);
                ranks
            }
        };
        all.push(ranks);
    }
    all
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "lists of spans, some of which have one")]
mod tests {
    use super::*;
    use crate::text::{PairTextParts, PairToken};

    /// Makes variants of a query and a document. `contexts` has the number of units of each context, and is split before the
    /// contexts of the document. Unit `n` is the token `n`, and each context ends with a token of no unit.
    fn variants_of(contexts: [&[usize]; 2], samples: usize) -> Result<PairVariants> {
        let (mut unit, mut context, mut context_of) = (0, 0, Vec::new());
        let texts = contexts.map(|contexts| {
            let mut tokens = Vec::new();
            for &units in contexts {
                for _ in 0..units {
                    tokens.push(PairToken { id: unit as u32, unit: Some(unit), context: Some(context) });
                    context_of.push(context);
                    unit += 1;
                }
                tokens.push(PairToken { id: 100 + context as u32, unit: None, context: Some(context) });
                context += 1;
            }
            tokens
        });
        PairVariants::new(PairContent::Tokens(texts), &context_of, samples)
    }

    fn ids(variants: &PairVariants, variant: usize) -> Vec<u32> {
        match variants.content(variant).unwrap() {
            VariantContent::Tokens(texts) => texts.concat(),
            VariantContent::Texts(_) => panic!("texts"),
        }
    }

    fn all_ids(variants: &PairVariants) -> Vec<Vec<u32>> {
        (0..variants.len()).map(|variant| ids(variants, variant)).collect()
    }

    #[test]
    fn orders_are_permutations_in_pairs_of_opposites() {
        let ranks = ranks(20, 5);
        for order in &ranks {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..20).collect::<Vec<_>>());
        }
        assert!((0..20).all(|unit| ranks[0][unit] + ranks[1][unit] == 19));
        assert_ne!(ranks[0], ranks[2]);
    }

    /// A term's variants differ by its unit and nothing else, and each order takes every unit away once.
    #[test]
    fn terms_take_one_unit_away() {
        let shapes: [[&[usize]; 2]; 5] =
            [[&[], &[1]], [&[], &[5]], [&[2], &[3]], [&[2], &[1, 3]], [&[1, 2], &[2, 1]]];
        for (shape, samples) in shapes.into_iter().flat_map(|shape| [(shape, 0), (shape, 1), (shape, 3)]) {
            let variants = variants_of(shape, samples).unwrap();
            let units: usize = shape.concat().iter().sum();
            let mut terms = vec![0; units];
            for [unit, before, after] in variants.terms() {
                let mut expected = ids(&variants, before);
                expected.retain(|id| *id as usize != unit);
                assert_eq!(ids(&variants, after), expected, "{shape:?} {samples}: {unit} {before} {after}");
                assert_ne!(ids(&variants, before), expected);
                terms[unit] += 1;
            }
            let is_sampled = samples > 0 && units > 1;
            assert!(terms.iter().all(|terms| if is_sampled {
                *terms == samples
            } else {
                (1..=2).contains(terms)
            }));
            assert_eq!(ids(&variants, 0).iter().filter(|id| **id < 100).count(), units);
            assert!(ids(&variants, 1).iter().all(|id| *id >= 100));
            let contexts: Vec<usize> =
                shape.concat().iter().enumerate().flat_map(|(at, &units)| vec![at; units]).collect();
            assert_eq!(
                PairVariants::count(&variants.content, &contexts, samples),
                variants.len(),
                "{shape:?}"
            );
        }
    }

    #[test]
    fn a_variant_past_the_end_is_refused() {
        let variants = variants_of([&[], &[3]], 0).unwrap();
        let error = variants.content(variants.len()).err().unwrap();
        assert!(error.kind() == crate::ErrorKind::Input && error.context().contains("a pair that has"));
    }

    #[test]
    fn units_are_removed_from_their_context_and_kept_alone_in_it() {
        let variants = variants_of([&[], &[3]], 0).unwrap();
        let (whole, none) = (vec![0, 1, 2, 100], vec![100]);
        let removed = [vec![1, 2, 100], vec![0, 2, 100], vec![0, 1, 100]];
        let alone = [vec![0, 100], vec![1, 100], vec![2, 100]];
        let mut expected = vec![whole, none];
        expected.extend(removed.into_iter().zip(alone).flat_map(<[_; 2]>::from));
        assert_eq!(all_ids(&variants), expected);
        let terms: Vec<[usize; 3]> = variants.terms().collect();
        assert_eq!(terms, [[0, 0, 2], [0, 3, 1], [1, 0, 4], [1, 5, 1], [2, 0, 6], [2, 7, 1]]);
        assert_eq!(variants_of([&[], &[3]], 2).unwrap().len(), 2 + 2 * 2);
        assert_eq!(variants_of([&[], &[1]], 2).unwrap().len(), 2);
    }

    #[test]
    fn the_rest_of_the_text_is_left_out_and_the_other_text_is_whole() {
        let variants = variants_of([&[1], &[2, 1]], 0).unwrap();
        let expected = [
            vec![0, 100, 1, 2, 101, 3, 102],
            vec![100, 101, 102],
            vec![100, 1, 2, 101, 3, 102],
            vec![0, 100, 1, 2, 101],
            vec![0, 100, 101],
            vec![0, 100, 2, 101],
            vec![0, 100, 1, 101],
            vec![0, 100, 3, 102],
            vec![0, 100, 102],
        ];
        assert_eq!(all_ids(&variants), expected);
        let terms: Vec<[usize; 3]> = variants.terms().collect();
        assert_eq!(terms, [[0, 0, 2], [1, 3, 5], [1, 6, 4], [2, 3, 6], [2, 5, 4], [3, 7, 8]]);
    }

    #[test]
    fn texts_number_their_units_and_contexts_one_after_the_other() {
        let query = PairTextParts {
            text: "a b".to_owned(),
            units: vec![0..1, 2..3],
            contexts: vec![0..3],
            first_unit: 0,
            first_context: 0,
        };
        let document = PairTextParts {
            text: "c d. e.".to_owned(),
            units: vec![0..1, 2..3, 5..6],
            contexts: vec![0..4, 5..7],
            first_unit: 2,
            first_context: 1,
        };
        let content = PairContent::Texts([query, document]);
        let texts = |variants: &PairVariants| -> Vec<String> {
            let text = |variant| match variants.content(variant).unwrap() {
                VariantContent::Texts(texts) => texts.join("|"),
                VariantContent::Tokens(_) => panic!("tokens"),
            };
            (0..variants.len()).map(text).collect()
        };
        let occlusion = PairVariants::new(content.clone(), &[0, 0, 1, 1, 2], 0).unwrap();
        let expected = [
            "a b|c d. e.",
            "|. .",
            "|c d. e.",
            "b|c d. e.",
            "a |c d. e.",
            "a b|c d. ",
            "a b|. ",
            "a b|d. ",
            "a b|c . ",
            "a b|e.",
            "a b|.",
        ];
        assert_eq!(texts(&occlusion), expected);
        let orders = PairVariants::new(content, &[0, 0, 1, 1, 2], 1).unwrap();
        assert_eq!(texts(&orders).len(), 2 + 4);
        assert!(texts(&orders).iter().all(|text| text.ends_with('.')));
    }

    #[test]
    fn too_many_variants_are_refused() {
        let refused =
            |units, samples| variants_of([&[], &[units]], samples).err().map(|error| error.to_string());
        assert_eq!(refused(MAX_VARIANTS / 2 - 1, 0), None);
        assert!(refused(MAX_VARIANTS / 2, 0).unwrap().contains("explain sentences"));
        assert!(refused(1000, 101).unwrap().contains("use fewer samples"));
    }
}
