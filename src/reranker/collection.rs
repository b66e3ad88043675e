//! Documents that are tokenized once, for many queries.

use std::mem::discriminant;

use super::Reranker;
use super::session::Session;
use crate::error::{Result, input};
use crate::options::DocumentOptions;
use crate::score_cache::TextKey;
use crate::text::EncodedDocument;

/// Tokenized documents of one reranker. [`Pairs::Prepared`](crate::Pairs::Prepared) scores them.
#[derive(Debug)]
pub struct Collection {
    /// The id of the session that tokenized the documents.
    owner: usize,
    documents: Vec<EncodedDocument<'static>>,
    /// The keys of the documents in the cache of scores. Empty if the reranker has no cache.
    keys: Vec<DocumentKey>,
}

/// The key of a document's text, and how the document was tokenized.
#[derive(Debug, Clone, Copy)]
pub(super) struct DocumentKey {
    pub(super) text: TextKey,
    pub(super) options: DocumentOptions,
}

impl Collection {
    /// Creates an empty collection. [`Reranker::prepare`] creates one with documents.
    pub fn new(reranker: &Reranker) -> Self {
        Self { owner: reranker.session().id, documents: Vec::new(), keys: Vec::new() }
    }

    /// Number of documents.
    pub fn len(&self) -> usize {
        self.documents.len()
    }

    /// Whether there are no documents.
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// Tokenizes a document and adds it. All documents of a collection are cut, or all are in chunks.
    ///
    /// # Errors
    /// `input` if the collection belongs to another reranker, or has documents of the other kind; `tokenizer` if the tokenizer
    /// fails.
    pub fn push(&mut self, reranker: &Reranker, document: &str, options: DocumentOptions) -> Result<()> {
        let session = reranker.session();
        self.check_owner(session)?;
        let encoded = session.encode_document(document, options)?.into_owned();
        if self.documents.last().is_some_and(|last| discriminant(last) != discriminant(&encoded)) {
            return Err(input(
                "a collection has documents that are cut, or documents in chunks, and not both",
            ));
        }
        self.documents.push(encoded);
        if let Some(cache) = &session.cache {
            self.keys.push(DocumentKey { text: cache.keys().text(document), options });
        }
        Ok(())
    }

    /// Returns a document.
    ///
    /// # Errors
    /// `input` for an index past the end, or if the collection belongs to another session.
    pub(super) fn document(&self, session: &Session, index: usize) -> Result<&EncodedDocument<'static>> {
        self.check_owner(session)?;
        self.documents.get(index).ok_or_else(|| {
            input(format!("document {index} of a collection that has {}", self.documents.len()))
        })
    }

    /// Returns the key of a document; `None` without a cache, past the end, and for a collection of another session.
    pub(super) fn key(&self, session: &Session, index: usize) -> Option<DocumentKey> {
        self.check_owner(session).ok()?;
        self.keys.get(index).copied()
    }

    fn check_owner(&self, session: &Session) -> Result<()> {
        if self.owner == session.id {
            return Ok(());
        }
        Err(input(
            "this collection was prepared by another reranker, which may use other tokens; prepare its documents again",
        ))
    }
}
