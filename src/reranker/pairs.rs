//! The pairs of a scoring run, in the forms that callers have them in.

use std::borrow::Cow;
use std::sync::Arc;

use super::Collection;
use super::session::Session;
use crate::error::{ErrorItem, ItemKind, Result, internal};
use crate::options::{DocumentOptions, RankOptions};
use crate::score_cache::{KeyMaker, TextKey};
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

    /// The keys of the documents' texts, for a cache of scores, and how all documents are tokenized. `None` for documents of a
    /// collection that are not all tokenized alike, or do not exist.
    pub(super) fn document_keys(
        &self,
        session: &Session,
        keys: &KeyMaker,
    ) -> Option<(Vec<TextKey>, DocumentOptions)> {
        match self {
            Pairs::OneQuery { documents, options, .. } => {
                Some((documents.iter().map(|text| keys.text(text)).collect(), *options))
            }
            Pairs::Each { pairs, options } => {
                Some((pairs.iter().map(|(_, text)| keys.text(text)).collect(), *options))
            }
            Pairs::Prepared { collection, .. } => {
                let options = collection.key(session, self.document_index(0))?.options;
                let key = |index| {
                    let key = collection.key(session, self.document_index(index))?;
                    (key.options == options).then_some(key.text)
                };
                Some(((0..self.len()).map(key).collect::<Option<_>>()?, options))
            }
            Pairs::Variants { .. } => None,
        }
    }

    /// The index of a pair's document: in the collection, if it is of one.
    fn document_index(&self, index: usize) -> usize {
        match self {
            Pairs::Prepared { candidates: Some(candidates), .. } => candidates[index] as usize,
            _ => index,
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
            Pairs::Prepared { query, collection, .. } => Pairs::Prepared {
                query: Cow::Borrowed(query),
                collection: Arc::clone(collection),
                candidates: Some(indices.iter().map(|&index| self.document_index(index) as u32).collect()),
            },
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
            Pairs::Prepared { collection, .. } => {
                collection.document(session, self.document_index(index)).map(RunDocument::Prepared)
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
