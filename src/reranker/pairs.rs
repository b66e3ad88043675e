//! The pairs of a scoring run, in the forms that callers have them in.

use std::borrow::Cow;
use std::sync::Arc;

use super::Collection;
use super::session::Session;
use crate::error::{ErrorItem, ItemKind, Result, internal};
use crate::options::{DocumentOptions, RankOptions};
use crate::text::{EncodedDocument, PairVariants};

/// The pairs of a scoring run.
#[derive(Debug, Clone)]
pub enum Pairs<'a> {
    /// One query and many documents.
    OneQuery {
        /// The query.
        query: Cow<'a, str>,
        /// The documents.
        documents: Vec<Cow<'a, str>>,
        /// How documents are tokenized.
        options: DocumentOptions,
    },
    /// Pairs of a query and a document.
    Each {
        /// The pairs.
        pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
        /// How documents are tokenized.
        options: DocumentOptions,
    },
    /// One query and documents that are already tokenized.
    Prepared {
        /// The query.
        query: Cow<'a, str>,
        /// The documents.
        collection: Arc<Collection>,
        /// Indices in the collection of the documents to score, in the order of the scores; `None` for all, in order.
        candidates: Option<Vec<u32>>,
    },
    /// Variants of one pair that explain its score.
    Variants {
        /// The variants.
        variants: Arc<PairVariants>,
        /// The variants to score, in the order of the scores; `None` for all, in order.
        candidates: Option<Vec<u32>>,
    },
}

/// A tokenized document, from a collection or made for this run.
pub(super) enum RunDocument<'a> {
    Prepared(&'a EncodedDocument<'static>),
    Encoded(EncodedDocument<'a>),
}

impl RunDocument<'_> {
    pub(super) fn get(&self) -> &EncodedDocument<'_> {
        match self {
            RunDocument::Prepared(document) => document,
            RunDocument::Encoded(document) => document,
        }
    }
}

impl<'a> Pairs<'a> {
    /// Pairs whose documents are truncated.
    pub fn truncated(pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>) -> Self {
        Pairs::Each { pairs, options: RankOptions::default().into() }
    }

    /// Number of pairs.
    pub(super) fn len(&self) -> usize {
        match self {
            Pairs::OneQuery { documents, .. } => documents.len(),
            Pairs::Each { pairs, .. } => pairs.len(),
            Pairs::Prepared { collection, candidates, .. } => {
                candidates.as_ref().map_or(collection.len(), Vec::len)
            }
            Pairs::Variants { variants, candidates } => candidates.as_ref().map_or(variants.len(), Vec::len),
        }
    }

    /// How documents are tokenized; `None` for documents that are tokenized already.
    pub(super) fn document_options(&self) -> Option<DocumentOptions> {
        match self {
            Pairs::OneQuery { options, .. } | Pairs::Each { options, .. } => Some(*options),
            Pairs::Prepared { .. } | Pairs::Variants { .. } => None,
        }
    }

    /// The text of a pair's document; empty for a document that is tokenized already.
    pub(super) fn text(&self, index: usize) -> &str {
        match self {
            Pairs::OneQuery { documents, .. } => &documents[index],
            Pairs::Each { pairs, .. } => &pairs[index].1,
            Pairs::Prepared { .. } | Pairs::Variants { .. } => "",
        }
    }

    /// The pairs at these indices, in their order, without copies of their texts.
    pub(super) fn subset(&self, indices: &[usize]) -> Pairs<'_> {
        match self {
            Pairs::OneQuery { query, documents, options } => Pairs::OneQuery {
                query: Cow::Borrowed(query),
                documents: indices.iter().map(|&index| Cow::Borrowed(&*documents[index])).collect(),
                options: *options,
            },
            Pairs::Each { pairs, options } => {
                let pair =
                    |&index: &usize| (Cow::Borrowed(&*pairs[index].0), Cow::Borrowed(&*pairs[index].1));
                Pairs::Each { pairs: indices.iter().map(pair).collect(), options: *options }
            }
            Pairs::Prepared { query, collection, candidates } => {
                let document =
                    |&index: &usize| candidates.as_ref().map_or(index as u32, |candidates| candidates[index]);
                Pairs::Prepared {
                    query: Cow::Borrowed(query),
                    collection: Arc::clone(collection),
                    candidates: Some(indices.iter().map(document).collect()),
                }
            }
            Pairs::Variants { variants, .. } => {
                let variant = |&index: &usize| self.variant(index).map_or(0, |(_, variant)| variant as u32);
                Pairs::Variants {
                    variants: Arc::clone(variants),
                    candidates: Some(indices.iter().map(variant).collect()),
                }
            }
        }
    }

    /// The query of a pair.
    pub(super) fn query(&self, index: usize) -> &str {
        match self {
            Pairs::OneQuery { query, .. } | Pairs::Prepared { query, .. } => query,
            Pairs::Each { pairs, .. } => &pairs[index].0,
            Pairs::Variants { .. } => "",
        }
    }

    /// The variant at an index, if these are variants of one pair.
    pub(super) fn variant(&self, index: usize) -> Option<(&PairVariants, usize)> {
        let Pairs::Variants { variants, candidates } = self else { return None };
        let variant = candidates.as_ref().map_or(index, |candidates| candidates[index] as usize);
        Some((variants, variant))
    }

    /// The tokenized document of a pair.
    pub(super) fn document(&self, session: &Session, index: usize) -> Result<RunDocument<'_>> {
        let encode = |text, options| session.encode_document(text, options).map(RunDocument::Encoded);
        match self {
            Pairs::OneQuery { documents, options, .. } => encode(&documents[index], *options),
            Pairs::Each { pairs, options } => encode(&pairs[index].1, *options),
            Pairs::Prepared { collection, candidates, .. } => {
                let document = candidates.as_ref().map_or(index, |indices| indices[index] as usize);
                collection.document(session, document).map(RunDocument::Prepared)
            }
            Pairs::Variants { .. } => Err(internal("variants of a pair have no document")),
        }
    }

    /// The item of an error about the pairs from `first` to `last`, as the caller counts them.
    pub(super) fn item(&self, first: usize, last: usize) -> ErrorItem {
        let kind = match self {
            Pairs::OneQuery { .. } | Pairs::Prepared { .. } => ItemKind::Document,
            Pairs::Each { .. } | Pairs::Variants { .. } => ItemKind::Pair,
        };
        ErrorItem { kind, range: first..last + 1 }
    }
}
