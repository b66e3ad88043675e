//! Bindings of explanations and highlights.

use std::sync::Arc;

use js_sys::Uint32Array;
use wasm_bindgen::prelude::*;

use super::error::JsResult;
use super::{WasmReranker, WasmScoring, document_options};
use crate::error::input;
use crate::explain::ExplanationPlan;
use crate::{ExplainOptions, OffsetUnit, PairText, Pairs, Span};

/// The units of a pair, and the variants of the pair that explain its score. Equal arguments give equal variants, so that
/// several engines can share the work.
#[wasm_bindgen]
pub struct WasmVariants(ExplanationPlan);

#[wasm_bindgen]
impl WasmVariants {
    /// Number of variants. Variant 0 is the pair, variant 1 the pair without its units.
    pub fn count(&self) -> usize {
        self.0.variants().len()
    }

    /// Number of chunks of a document that does not fit, if `span` was not given: then [`count`](Self::count) is the
    /// maximum over its chunks. Score the document in chunks to find the span of the best one, and make the variants again
    /// with that. 0 if there is nothing to find.
    pub fn chunks(&self) -> usize {
        self.0.chunks()
    }

    /// The units, `[units, 3]`: 0 for the query and 1 for the document, start and end in UTF-16 code units.
    pub fn units(&self) -> Uint32Array {
        let unit = |(text, span): &(PairText, Span)| {
            [u32::from(*text == PairText::Document), span.start as u32, span.end as u32]
        };
        Uint32Array::from(&self.0.units().iter().flat_map(unit).collect::<Vec<u32>>()[..])
    }

    /// The terms of the contributions, `[terms, 3]`: a unit, and two variants. A unit adds the mean over its terms of the
    /// logit of the first variant minus that of the second, and 0 if it has no terms.
    pub fn terms(&self) -> Uint32Array {
        let terms = self.0.terms().flat_map(|term| term.map(|index| index as u32));
        Uint32Array::from(&terms.collect::<Vec<u32>>()[..])
    }
}

#[wasm_bindgen]
impl WasmReranker {
    /// Makes the variants that explain a pair. `unit` is `"word"` or `"sentence"`, `of` is `"document"`, `"query"` or
    /// `"both"`, `samples` is 0 for occlusion. `span` is that of the best chunk of a document in chunks.
    #[allow(clippy::too_many_arguments, reason = "JavaScript has no cheaper way to pass them")]
    pub fn variants(
        &self,
        query: &str,
        document: &str,
        unit: &str,
        of: &str,
        samples: usize,
        long_documents: &str,
        span: Option<Vec<u32>>,
    ) -> JsResult<WasmVariants> {
        self.0.check_rankable()?;
        let span = match span.as_deref() {
            None => None,
            Some(&[start, end]) => Some(Span { start: start as usize, end: end as usize }),
            Some(_) => return Err(input("a span has a start and an end").into()),
        };
        let options = ExplainOptions {
            unit: unit.parse()?,
            of: of.parse()?,
            samples,
            long_documents: long_documents.parse()?,
            offsets: OffsetUnit::Utf16,
            instruction: None,
        };
        Ok(WasmVariants(ExplanationPlan::new(&self.0, query, document, options, span)?))
    }

    /// Begins to score variants of a pair, as logits: those at the indices `candidates`, or all.
    pub fn scoring_variants(
        &self,
        variants: &WasmVariants,
        candidates: Option<Vec<u32>>,
    ) -> JsResult<WasmScoring> {
        let variants = Arc::clone(variants.0.variants());
        self.begin(Pairs::Variants { variants, candidates }, "raw")
    }

    /// The sentences of a document that the model reads, `[sentences, 2]`: start and end in UTF-16 code units.
    pub fn sentences(
        &self,
        query: &str,
        document: &str,
        max_tokens_per_document: Option<usize>,
        long_documents: &str,
    ) -> JsResult<Uint32Array> {
        let options = document_options(max_tokens_per_document, long_documents)?;
        let sentences = self.0.sentences(query, document, options)?;
        let offsets: Vec<u32> =
            sentences.iter().flat_map(|span| [span.start as u32, span.end as u32]).collect();
        Ok(Uint32Array::from(&offsets[..]))
    }
}
