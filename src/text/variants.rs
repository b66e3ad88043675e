//! Variants of a pair that lack some of its units.

use std::ops::Range;

use crate::error::{Result, input};
use crate::random::Random;

/// Maximum number of variants of a pair.
const MAX_VARIANTS: usize = 100_000;

/// A pair, and variants of it that lack some of its units, whose scores show what the units add.
///
/// Variant 0 is the pair, and variant 1 lacks all units. Without samples, each of the others lacks one unit or, for units that
/// are also scored alone, all others. With samples, the units are removed one after the other in random orders.
#[derive(Debug, Clone)]
pub struct PairVariants {
    content: PairContent,
    units: usize,
    /// Whether each unit is also scored without the others.
    each_alone: bool,
    /// `[samples][units]`, the position of each unit in each order.
    ranks: Vec<Vec<usize>>,
}

/// Query and document, as variants are made from them.
#[derive(Debug, Clone)]
pub(crate) enum PairContent {
    /// Token ids, and the unit of each.
    Tokens([Vec<(u32, Option<usize>)>; 2]),
    /// Texts that are tokenized together, and the bytes of their units, which are numbered in this order.
    Texts([(String, Vec<Range<usize>>); 2]),
}

/// Query and document of a variant.
pub(crate) enum VariantContent {
    Tokens([Vec<u32>; 2]),
    Texts([String; 2]),
}

impl PairVariants {
    /// Makes variants of a pair with some number of units.
    ///
    /// # Errors
    /// `input` for more than [`MAX_VARIANTS`] variants.
    pub(crate) fn new(content: PairContent, units: usize, samples: usize, each_alone: bool) -> Result<Self> {
        let samples = if units > 1 { samples } else { 0 };
        let each_alone = each_alone && samples == 0 && units > 1;
        let variants = samples.max(if each_alone { 2 } else { 1 }).saturating_mul(units);
        if variants > MAX_VARIANTS {
            let advice =
                if samples > 1 { "use fewer samples, or explain sentences" } else { "explain sentences" };
            return Err(input(format!(
                "the explanation of {units} parts would score about {variants} variants of the pair; the limit is \
                 {MAX_VARIANTS}: {advice}"
            )));
        }
        Ok(Self { content, units, each_alone, ranks: ranks(units, samples) })
    }

    /// Returns the number of variants, the pair itself included.
    #[allow(clippy::len_without_is_empty, reason = "there are always at least two")]
    pub fn len(&self) -> usize {
        2 + match self.units {
            // The variant without the only unit is the one without any.
            0 | 1 => 0,
            units if self.each_alone => 2 * units,
            units if self.ranks.is_empty() => units,
            units => self.ranks.len() * (units - 1),
        }
    }

    /// Returns the terms of the units' contributions: the number of a unit, a variant, and a variant that lacks that unit
    /// too. A contribution is the mean difference of the logits of its terms.
    pub fn terms(&self) -> impl Iterator<Item = [usize; 3]> + '_ {
        let last = self.units.saturating_sub(1);
        let occlusion = (0..self.units).filter(|_| self.ranks.is_empty());
        let occlusion = occlusion.map(move |unit| [unit, 0, if last == 0 { 1 } else { 2 + unit }]);
        let samples = self.ranks.iter().enumerate().flat_map(move |(sample, ranks)| {
            let first = 2 + sample * last;
            ranks.iter().enumerate().map(move |(unit, &rank)| {
                let before = if rank == 0 { 0 } else { first + rank - 1 };
                [unit, before, if rank == last { 1 } else { first + rank }]
            })
        });
        let alone = (0..self.units).filter(|_| self.each_alone);
        let alone = alone.map(move |unit| [unit, 2 + self.units + unit, 1]);
        occlusion.chain(alone).chain(samples)
    }

    /// Returns whether a variant lacks a unit.
    fn lacks(&self, variant: usize, unit: usize) -> bool {
        match variant {
            0 => false,
            1 => true,
            _ if self.each_alone && variant >= 2 + self.units => variant - 2 - self.units != unit,
            _ if self.ranks.is_empty() => variant - 2 == unit,
            _ => {
                let last = self.units - 1;
                self.ranks[(variant - 2) / last][unit] <= (variant - 2) % last
            }
        }
    }

    /// Returns a variant.
    pub(crate) fn content(&self, variant: usize) -> VariantContent {
        match &self.content {
            PairContent::Tokens(texts) => {
                let id = |&(id, unit): &(u32, Option<usize>)| {
                    (!unit.is_some_and(|unit| self.lacks(variant, unit))).then_some(id)
                };
                VariantContent::Tokens(texts.each_ref().map(|tokens| tokens.iter().filter_map(id).collect()))
            }
            PairContent::Texts(texts) => {
                let mut units = 0..;
                VariantContent::Texts(texts.each_ref().map(|(text, spans)| {
                    let removed =
                        spans.iter().filter(|_| units.next().is_some_and(|unit| self.lacks(variant, unit)));
                    without(text, removed.cloned())
                }))
            }
        }
    }
}

/// Returns a text without some parts of it and without the white space after each.
fn without(text: &str, parts: impl Iterator<Item = Range<usize>>) -> String {
    let mut rest = String::with_capacity(text.len());
    let mut end = 0;
    for part in parts {
        rest.push_str(&text[end..part.start]);
        let after = &text[part.end..];
        end = part.end + after.len() - after.trim_start().len();
    }
    rest.push_str(&text[end..]);
    rest
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

    fn variants(units: usize, samples: usize) -> Result<PairVariants> {
        variants_with(units, samples, false)
    }

    fn variants_with(units: usize, samples: usize, each_alone: bool) -> Result<PairVariants> {
        let tokens = |range: Range<usize>| range.map(|unit| (unit as u32, Some(unit))).collect();
        let content = PairContent::Tokens([tokens(0..units / 2), tokens(units / 2..units)]);
        PairVariants::new(content, units, samples, each_alone)
    }

    fn ids(variants: &PairVariants, variant: usize) -> Vec<u32> {
        match variants.content(variant) {
            VariantContent::Tokens(texts) => texts.concat(),
            VariantContent::Texts(_) => panic!("texts"),
        }
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
        for (units, samples) in [(1, 0), (1, 3), (2, 0), (2, 1), (5, 0), (5, 3)] {
            let variants = variants(units, samples).unwrap();
            let mut terms = vec![0; units];
            for [unit, before, after] in variants.terms() {
                let mut expected = ids(&variants, before);
                expected.retain(|id| *id as usize != unit);
                assert_eq!(ids(&variants, after), expected, "{units} {samples}: {unit} {before} {after}");
                assert_ne!(ids(&variants, before), expected);
                assert!(before.max(after) < variants.len());
                terms[unit] += 1;
            }
            assert_eq!(terms, vec![if units > 1 { samples.max(1) } else { 1 }; units]);
            assert_eq!(ids(&variants, 0).len(), units);
            assert_eq!(ids(&variants, 1), [0; 0]);
        }
    }

    #[test]
    fn units_can_be_scored_alone_too() {
        let variants = variants_with(3, 0, true).unwrap();
        let all: Vec<Vec<u32>> = (0..variants.len()).map(|variant| ids(&variants, variant)).collect();
        assert_eq!(all[2..], [vec![1, 2], vec![0, 2], vec![0, 1], vec![0], vec![1], vec![2]]);
        let mut terms: Vec<[usize; 3]> = variants.terms().collect();
        terms.sort_unstable();
        assert_eq!(terms, [[0, 0, 2], [0, 5, 1], [1, 0, 3], [1, 6, 1], [2, 0, 4], [2, 7, 1]]);
        assert_eq!(variants_with(3, 2, true).unwrap().len(), 2 + 2 * 2);
        assert_eq!(variants_with(1, 0, true).unwrap().len(), 2);
    }

    #[test]
    fn texts_number_their_units_one_after_the_other() {
        let texts = [("a b".to_owned(), vec![0..1, 2..3]), ("c d".to_owned(), vec![0..1, 2..3])];
        let variants = PairVariants::new(PairContent::Texts(texts), 4, 0, false).unwrap();
        let texts = |variant| match variants.content(variant) {
            VariantContent::Texts(texts) => texts.join("|"),
            VariantContent::Tokens(_) => panic!("tokens"),
        };
        let all: Vec<String> = (0..variants.len()).map(texts).collect();
        assert_eq!(all, ["a b|c d", "|", "b|c d", "a |c d", "a b|d", "a b|c "]);
    }

    #[test]
    fn units_of_a_text_are_left_out_with_the_space_after_them() {
        let without = |parts: &[Range<usize>]| without("one, two three.", parts.iter().cloned());
        assert_eq!(without(&[]), "one, two three.");
        assert_eq!(without(&[0..3]), ", two three.");
        assert_eq!(without(&[5..8]), "one, three.");
        assert_eq!(without(&[0..3, 5..8, 9..14]), ", .");
    }

    #[test]
    fn too_many_variants_are_refused() {
        let refused = |units, samples| variants(units, samples).err().map(|error| error.to_string());
        assert_eq!(refused(MAX_VARIANTS, 0), None);
        assert!(refused(MAX_VARIANTS + 1, 0).unwrap().contains("explain sentences"));
        assert!(refused(1000, 101).unwrap().contains("use fewer samples"));
    }
}
