//! What an explanation scores: the units of a pair, and variants of the pair that lack some of them.

use std::ops::Range;
use std::sync::Arc;

use super::units::{find, spans, with_tokens};
use super::{Contribution, ExplainOptions, ExplainedTexts, Explanation, PairText, TextUnit};
use crate::error::{Result, input};
use crate::options::DocumentOptions;
use crate::reranker::Reranker;
use crate::text::{OffsetUnit, PairChunk, PairContent, PairTokens, PairVariants, Span};

/// The units of a pair, and its variants.
#[derive(Debug)]
pub(crate) struct ExplanationPlan {
    /// The units of the query, then those of the document.
    units: Vec<(PairText, Span)>,
    /// Index in `units` of each unit of the variants: those that the model reads.
    read: Vec<usize>,
    variants: Arc<PairVariants>,
    /// Number of chunks to score before the variants, to find the document's best chunk; 0 if there is one chunk, or if
    /// the best is known.
    chunks: usize,
    /// The chunk that is explained, if the document has several.
    span: Option<Span>,
}

/// The units of a pair, and the tokens that they have.
#[derive(Debug)]
pub(super) struct PairUnits<'a> {
    query: &'a str,
    document: &'a str,
    options: ExplainOptions<'a>,
    /// In bytes.
    query_units: Vec<Range<usize>>,
    document_units: Vec<Range<usize>>,
    /// `None` if the texts are tokenized together.
    tokens: Option<UnitTokens>,
}

#[derive(Debug)]
struct UnitTokens {
    pair: PairTokens,
    /// The unit of each token.
    query_unit_of: Vec<Option<usize>>,
    document_unit_of: Vec<Option<usize>>,
}

impl<'a> PairUnits<'a> {
    /// Finds the units of a pair.
    ///
    /// # Errors
    /// `tokenizer` if the tokenizer fails, `unsupported` for an instruction that the model does not take.
    pub(super) fn find(
        reranker: &Reranker,
        query: &'a str,
        document: &'a str,
        options: ExplainOptions<'a>,
    ) -> Result<Self> {
        let units =
            |text, excluded| if options.of == excluded { Vec::new() } else { find(text, options.unit) };
        let query_units = units(query, ExplainedTexts::Document);
        let document_units = units(document, ExplainedTexts::Query);
        let limits = DocumentOptions {
            max_tokens_per_document: None,
            long_documents: options.long_documents,
            unit: OffsetUnit::Byte,
        };
        let Some(pair) = reranker.pair_tokens(query, document, limits, options.instruction)? else {
            return Ok(Self { query, document, options, query_units, document_units, tokens: None });
        };
        let (query_units, query_unit_of) = with_tokens(query_units, &pair.query);
        let (document_units, document_unit_of) = with_tokens(document_units, &pair.document);
        let tokens = Some(UnitTokens { pair, query_unit_of, document_unit_of });
        Ok(Self { query, document, options, query_units, document_units, tokens })
    }

    /// Plans the explanation. `best_chunk` is the span of the best chunk of a document that the model reads in several.
    /// Without it, the plan is that of the chunk with most units.
    ///
    /// # Errors
    /// `input` for too many variants or an unknown chunk.
    pub(super) fn plan(&self, best_chunk: Option<Span>) -> Result<ExplanationPlan> {
        let Some(UnitTokens { pair, query_unit_of, document_unit_of }) = &self.tokens else {
            let read = (0..self.query_units.len() + self.document_units.len()).collect();
            let text = |text: &str, units: &[Range<usize>]| (text.to_owned(), units.to_vec());
            let texts = [text(self.query, &self.query_units), text(self.document, &self.document_units)];
            return self.plan_of(PairContent::Texts(texts), read);
        };
        let PairTokens { query: query_tokens, document: document_tokens, chunks } = pair;
        let has_several = chunks.len() > 1;
        let chunk = match best_chunk.filter(|_| has_several) {
            Some(span) => {
                let ranges: Vec<_> =
                    chunks.iter().map(|chunk| document_tokens.range(&chunk.document)).collect();
                let spans = spans(self.document, &ranges, self.options.offsets);
                let chunk = spans.into_iter().position(|other| other == span);
                chunk.ok_or_else(|| input("no chunk of the document has this span"))?
            }
            None => {
                let units =
                    |chunk: &usize| distinct(&document_unit_of[chunks[*chunk].document.clone()]).len();
                (0..chunks.len()).max_by_key(units).unwrap_or(0)
            }
        };
        let PairChunk { query: query_range, document: document_range } = chunks[chunk].clone();
        let (query_unit_of, document_unit_of) =
            (&query_unit_of[query_range.clone()], &document_unit_of[document_range.clone()]);
        let (query_read, document_read) = (distinct(query_unit_of), distinct(document_unit_of));
        let tokens = |ids: &[u32], units: &[Option<usize>], read: &[usize], first: usize| {
            let number = |unit: &Option<usize>| Some(first + read.binary_search(&(*unit)?).ok()?);
            ids.iter().copied().zip(units.iter().map(number)).collect()
        };
        let content = PairContent::Tokens([
            tokens(&query_tokens.ids[query_range], query_unit_of, &query_read, 0),
            tokens(&document_tokens.ids[document_range], document_unit_of, &document_read, query_read.len()),
        ]);
        let document_read = document_read.iter().map(|unit| self.query_units.len() + unit);
        let read = query_read.iter().copied().chain(document_read).collect();
        let plan = self.plan_of(content, read)?;
        let chunks = if has_several && best_chunk.is_none() { chunks.len() } else { 0 };
        Ok(ExplanationPlan { chunks, span: best_chunk.filter(|_| has_several), ..plan })
    }

    /// Plans the explanation of a pair that is read at once. `read` are the units that the model reads.
    fn plan_of(&self, content: PairContent, read: Vec<usize>) -> Result<ExplanationPlan> {
        let ExplainOptions { unit, samples, offsets, .. } = self.options;
        let variants = PairVariants::new(content, read.len(), samples, unit == TextUnit::Sentence)?;
        let units =
            |text, content, ranges| spans(content, ranges, offsets).into_iter().map(move |span| (text, span));
        let query = units(PairText::Query, self.query, &self.query_units);
        let units = query.chain(units(PairText::Document, self.document, &self.document_units)).collect();
        Ok(ExplanationPlan { units, read, variants: Arc::new(variants), chunks: 0, span: None })
    }
}

impl ExplanationPlan {
    /// Plans the explanation of a pair. `best_chunk` is the span of the best chunk of a document that the model reads in
    /// several. Without it, the plan is that of the chunk with most units.
    ///
    /// # Errors
    /// As [`PairUnits::find`] and [`PairUnits::plan`].
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn new(
        reranker: &Reranker,
        query: &str,
        document: &str,
        options: ExplainOptions<'_>,
        best_chunk: Option<Span>,
    ) -> Result<Self> {
        PairUnits::find(reranker, query, document, options)?.plan(best_chunk)
    }

    /// Returns the units of the query, then those of the document.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn units(&self) -> &[(PairText, Span)] {
        &self.units
    }

    /// Returns the variants, whose logits [`explanation`](Self::explanation) takes.
    pub(crate) fn variants(&self) -> &Arc<PairVariants> {
        &self.variants
    }

    /// Returns the terms of the contributions: the index of a unit, and two variants. A unit's contribution is the mean
    /// difference of the logits of its terms, or 0 without terms.
    pub(crate) fn terms(&self) -> impl Iterator<Item = [usize; 3]> + '_ {
        self.variants.terms().map(|[unit, before, after]| [self.read[unit], before, after])
    }

    /// Returns the number of chunks to score before the variants, to find the document's best chunk; 0 if it is known.
    pub(crate) fn chunks(&self) -> usize {
        self.chunks
    }

    /// Returns the explanation by the logits of the first variants. Terms whose logits are unknown do not count.
    pub(crate) fn explanation(&self, logits: &[f32]) -> Explanation {
        let mut sums = vec![(0.0f64, 0u32); self.units.len()];
        for [unit, before, after] in self.terms() {
            if let (Some(before), Some(after)) = (logits.get(before), logits.get(after)) {
                sums[unit].0 += f64::from(*before) - f64::from(*after);
                sums[unit].1 += 1;
            }
        }
        let contribution = |(&(text, span), (sum, terms)): (&(PairText, Span), (f64, u32))| Contribution {
            text,
            span,
            contribution: (sum / f64::from(terms.max(1))) as f32,
        };
        let logit = |variant: usize| logits.get(variant).copied().unwrap_or_default();
        Explanation {
            logit: logit(0),
            base: logit(1),
            units: self.units.iter().zip(sums).map(contribution).collect(),
            variants: logits.len(),
            span: self.span,
        }
    }
}

/// Returns the different units of some tokens, sorted.
fn distinct(units: &[Option<usize>]) -> Vec<usize> {
    let mut units: Vec<usize> = units.iter().copied().flatten().collect();
    units.sort_unstable();
    units.dedup();
    units
}
