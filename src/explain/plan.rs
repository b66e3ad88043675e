//! What an explanation scores: the units of a pair, and variants of the pair that lack some of them.

use std::ops::Range;
use std::sync::Arc;

use super::units::{context_at, contexts, find, spans, with_tokens};
use super::{Contribution, ExplainOptions, ExplainedTexts, Explanation, PairText};
use crate::error::{Result, input, internal};
use crate::options::DocumentOptions;
use crate::reranker::Reranker;
use crate::text::{
    OffsetUnit, PairChunk, PairContent, PairTextParts, PairToken, PairTokens, PairVariants, Span, TextTokens,
};

/// The units of a pair, and its variants.
#[derive(Debug)]
pub(crate) struct ExplanationPlan {
    /// The units of the query, then those of the document.
    units: Arc<[(PairText, Span)]>,
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
    query_contexts: Vec<Range<usize>>,
    document_contexts: Vec<Range<usize>>,
    /// All units, in the unit of the options.
    units: Arc<[(PairText, Span)]>,
    /// The end of what the model reads of the document, if the texts are tokenized together; otherwise its length.
    document_end: usize,
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
        let query_contexts = contexts(query, options.unit);
        let document_contexts = contexts(document, options.unit);
        let pair = reranker.pair_tokens(query, document, limits, options.instruction)?;
        let document_end = match &pair {
            None => reranker.document_end(query, document, None, options.instruction)?,
            Some(_) => document.len(),
        };
        let (query_units, document_units, tokens) = match pair {
            None => (query_units, document_units, None),
            Some(pair) => {
                let (query_units, query_unit_of) = with_tokens(query_units, &pair.query);
                let (document_units, document_unit_of) = with_tokens(document_units, &pair.document);
                (query_units, document_units, Some(UnitTokens { pair, query_unit_of, document_unit_of }))
            }
        };
        let spans = |text, content, units| {
            spans(content, units, options.offsets).into_iter().map(move |span| (text, span))
        };
        let units = spans(PairText::Query, query, &query_units);
        let units = units.chain(spans(PairText::Document, document, &document_units)).collect();
        Ok(Self {
            query,
            document,
            options,
            query_units,
            document_units,
            query_contexts,
            document_contexts,
            units,
            document_end,
            tokens,
        })
    }

    /// Plans the explanation. `best_chunk` is the span of the best chunk of a document that the model reads in several.
    /// Without it, the plan is that of the chunk with most variants.
    ///
    /// # Errors
    /// `input` for too many variants or an unknown chunk.
    pub(super) fn plan(&self, best_chunk: Option<Span>) -> Result<ExplanationPlan> {
        let Some(tokens) = &self.tokens else {
            let query = 0..self.query_units.len();
            let document =
                self.document_units.iter().take_while(|unit| unit.end <= self.document_end).count();
            let read = query.start..query.end + document;
            return self.plan_of(PairContent::Texts(self.text_parts()), read.collect());
        };
        let chunks = &tokens.pair.chunks;
        if let Some(span) = best_chunk.filter(|_| chunks.len() > 1) {
            let ranges: Vec<_> =
                chunks.iter().map(|chunk| tokens.pair.document.range(&chunk.document)).collect();
            let spans = spans(self.document, &ranges, self.options.offsets);
            let chunk = spans.into_iter().position(|other| other == span);
            let chunk = chunk.ok_or_else(|| input("no chunk of the document has this span"))?;
            let (content, read) = self.chunk_content(tokens, &chunks[chunk]);
            return Ok(ExplanationPlan { span: Some(span), ..self.plan_of(content, read)? });
        }
        let contents = chunks.iter().map(|chunk| self.chunk_content(tokens, chunk));
        let count = |(content, read): &(PairContent, Vec<usize>)| {
            PairVariants::count(content, &self.contexts_of(read), self.options.samples)
        };
        let largest = contents.max_by_key(count);
        let (content, read) = largest.ok_or_else(|| internal("a document has no chunk"))?;
        let several = if chunks.len() > 1 { chunks.len() } else { 0 };
        Ok(ExplanationPlan { chunks: several, ..self.plan_of(content, read)? })
    }

    /// Returns the tokens of a chunk, and the units that they belong to.
    fn chunk_content(&self, tokens: &UnitTokens, chunk: &PairChunk) -> (PairContent, Vec<usize>) {
        let UnitTokens { pair, query_unit_of, document_unit_of } = tokens;
        let query_read = distinct(&query_unit_of[chunk.query.clone()]);
        let document_read = distinct(&document_unit_of[chunk.document.clone()]);
        let part =
            |text, tokens: &TextTokens, range: &Range<usize>, unit_of: &[Option<usize>], read: &[usize]| {
                let first = if text == PairText::Query { 0 } else { query_read.len() };
                let token = |at: usize| PairToken {
                    id: tokens.ids[at],
                    unit: unit_of[at].and_then(|unit| Some(first + read.binary_search(&unit).ok()?)),
                    // A prompt before the query belongs to all its sentences. It has no place in the text.
                    context: (unit_of[at].is_some() || !tokens.offsets[at].is_empty())
                        .then(|| self.context_of(text, unit_of[at], &tokens.offsets[at])),
                };
                range.clone().map(token).collect()
            };
        let content = PairContent::Tokens([
            part(PairText::Query, &pair.query, &chunk.query, query_unit_of, &query_read),
            part(PairText::Document, &pair.document, &chunk.document, document_unit_of, &document_read),
        ]);
        let document_read = document_read.iter().map(|unit| self.query_units.len() + unit);
        (content, query_read.iter().copied().chain(document_read).collect())
    }

    /// Returns the texts of a pair that is tokenized as a whole, with their units and contexts. The document is cut to what the
    /// model reads.
    fn text_parts(&self) -> [PairTextParts; 2] {
        let parts =
            |text: &str, units: &[Range<usize>], contexts: &[Range<usize>], first_unit, first_context| {
                let (text, units, contexts) = (text.to_owned(), units.to_vec(), contexts.to_vec());
                PairTextParts { text, units, contexts, first_unit, first_context }
            };
        let (units, contexts) = (self.query_units.len(), self.query_contexts.len());
        let end = self.document_end;
        let read = |part: &&Range<usize>| part.end <= end;
        let document_units: Vec<_> = self.document_units.iter().filter(read).cloned().collect();
        let begun = self.document_contexts.iter().filter(|context| context.start < end);
        let document_contexts: Vec<_> = begun.map(|context| context.start..context.end.min(end)).collect();
        [
            parts(self.query, &self.query_units, &self.query_contexts, 0, 0),
            parts(&self.document[..end], &document_units, &document_contexts, units, contexts),
        ]
    }

    /// Returns the number of the context of a unit, or of a token between units.
    fn context_of(&self, text: PairText, unit: Option<usize>, token: &Range<usize>) -> usize {
        let (units, contexts, first) = match text {
            PairText::Query => (&self.query_units, &self.query_contexts, 0),
            PairText::Document => (&self.document_units, &self.document_contexts, self.query_contexts.len()),
        };
        // A token can begin with the space before its sentence.
        let offset = unit.map_or(token.end.saturating_sub(1), |unit| units[unit].start);
        first + context_at(contexts, offset)
    }

    /// Returns the number of the context of each of some units.
    fn contexts_of(&self, units: &[usize]) -> Vec<usize> {
        let context_of = |unit: &usize| match unit.checked_sub(self.query_units.len()) {
            None => self.context_of(PairText::Query, Some(*unit), &(0..0)),
            Some(unit) => self.context_of(PairText::Document, Some(unit), &(0..0)),
        };
        units.iter().map(context_of).collect()
    }

    /// Plans the explanation of a pair that is read at once. `read` are the units that the model reads.
    fn plan_of(&self, content: PairContent, read: Vec<usize>) -> Result<ExplanationPlan> {
        let variants = PairVariants::new(content, &self.contexts_of(&read), self.options.samples)?;
        Ok(ExplanationPlan {
            units: Arc::clone(&self.units),
            read,
            variants: Arc::new(variants),
            chunks: 0,
            span: None,
        })
    }
}

impl ExplanationPlan {
    /// Plans the explanation of a pair. `best_chunk` is the span of the best chunk of a document that the model reads in
    /// several. Without it, the plan is that of the chunk with most variants.
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
