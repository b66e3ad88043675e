//! The error type of the crate: a public kind, and a message that names what is wrong.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// The category of an error. The JavaScript API has the same names as `error.code`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// `config.json` or one of its companions is missing, malformed or contradicts itself.
    Config,
    /// The weights file is missing, malformed, or not the model the configuration describes.
    Weights,
    /// The tokenizer is missing, malformed, or does not fit the model.
    Tokenizer,
    /// The caller's query, documents, pairs, files or options are not usable.
    Input,
    /// The input is well formed, but this build of Ranklet does not support it.
    Unsupported,
    /// A download failed.
    Network,
    /// A file or an engine does not give the results that the model file records.
    Integrity,
    /// The GPU failed or was lost.
    DeviceLost,
    /// There is not enough memory for the model or the work.
    OutOfMemory,
    /// The caller canceled.
    Aborted,
    /// The reranker was disposed before the call ended.
    Disposed,
    /// A defect in Ranklet itself, or logits that are not finite numbers.
    Internal,
}

impl ErrorKind {
    /// Every kind, in the order of the TypeScript union.
    pub const ALL: [ErrorKind; 12] = [
        ErrorKind::Config,
        ErrorKind::Weights,
        ErrorKind::Tokenizer,
        ErrorKind::Input,
        ErrorKind::Unsupported,
        ErrorKind::Network,
        ErrorKind::Integrity,
        ErrorKind::DeviceLost,
        ErrorKind::OutOfMemory,
        ErrorKind::Aborted,
        ErrorKind::Disposed,
        ErrorKind::Internal,
    ];

    /// The stable name of this kind, e.g. `"out-of-memory"`.
    pub fn code(self) -> &'static str {
        match self {
            ErrorKind::Config => "config",
            ErrorKind::Weights => "weights",
            ErrorKind::Tokenizer => "tokenizer",
            ErrorKind::Input => "input",
            ErrorKind::Unsupported => "unsupported",
            ErrorKind::Network => "network",
            ErrorKind::Integrity => "integrity",
            ErrorKind::DeviceLost => "device-lost",
            ErrorKind::OutOfMemory => "out-of-memory",
            ErrorKind::Aborted => "aborted",
            ErrorKind::Disposed => "disposed",
            ErrorKind::Internal => "internal",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// The documents or pairs of a call that an [`Error`] is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorItem {
    /// The unit of the range.
    pub kind: ItemKind,
    /// Indices in the caller's input, from 0.
    pub range: Range<usize>,
}

/// The unit of the indices of an [`ErrorItem`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ItemKind {
    /// Documents of one query.
    Document,
    /// Pairs of a query and a document.
    Pair,
}

impl ItemKind {
    /// The stable name of this kind: `"document"` or `"pair"`.
    pub fn name(self) -> &'static str {
        match self {
            ItemKind::Document => "document",
            ItemKind::Pair => "pair",
        }
    }
}

impl fmt::Display for ErrorItem {
    /// Writes `document 3`, or `documents 3 to 5` for a range of several.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, first, last) = (self.kind.name(), self.range.start, self.range.end.saturating_sub(1));
        if last > first { write!(f, "{name}s {first} to {last}") } else { write!(f, "{name} {first}") }
    }
}

/// A failure. Its [kind](Error::kind) and [item](Error::item) are API; its text is for people and may change.
#[derive(Debug, Clone)]
pub struct Error(Box<Details>);

/// Boxed, so that a `Result` is little larger than its value.
#[derive(Debug, Clone)]
struct Details {
    kind: ErrorKind,
    context: String,
    item: Option<ErrorItem>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Creates an error of `kind`. `context` names the thing that is wrong and, where possible, what to do.
    ///
    /// Very long texts are cut, because a message may quote untrusted input.
    pub fn new(kind: ErrorKind, context: impl Into<String>) -> Self {
        Self::of(kind, context.into())
    }

    /// Creates an error: not generic, so that all callers share it.
    #[cold]
    #[inline(never)]
    fn of(kind: ErrorKind, context: String) -> Self {
        Self(Box::new(Details { kind, context: shortened(context), item: None, source: None }))
    }

    /// The category, stable across releases.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The message, without the kind and the item.
    pub fn context(&self) -> &str {
        &self.0.context
    }

    /// The documents or pairs of the call that caused the error, if they are known.
    pub fn item(&self) -> Option<&ErrorItem> {
        self.0.item.as_ref()
    }

    /// Returns the same error with a place before its message: `place: message`.
    #[must_use]
    pub fn at(self, place: impl fmt::Display) -> Self {
        self.at_place(&place)
    }

    #[cold]
    #[inline(never)]
    fn at_place(mut self, place: &dyn fmt::Display) -> Self {
        self.0.context = shortened(format!("{place}: {}", self.0.context));
        self
    }

    /// Returns the same error, about `item`.
    #[must_use]
    pub fn about(mut self, item: ErrorItem) -> Self {
        self.0.item = Some(item);
        self
    }

    /// Returns the same error, caused by `source`.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into().into());
        self
    }
}

/// Cuts a message after 1000 bytes.
fn shortened(mut context: String) -> String {
    const MAX_BYTES: usize = 1000;
    if context.len() > MAX_BYTES {
        context.truncate(context.floor_char_boundary(MAX_BYTES));
        context.push('…');
    }
    context
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} error: ", self.0.kind)?;
        if let Some(item) = &self.0.item {
            write!(f, "{item}: ")?;
        }
        f.write_str(&self.0.context)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// Compares everything but the source.
impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        let fields = |error: &Self| (error.0.kind, error.0.item.clone());
        fields(self) == fields(other) && self.0.context == other.0.context
    }
}

impl Eq for Error {}

/// Defines a constructor per kind: `config(format!(..))`.
macro_rules! constructors {
    ($($(#[$attribute:meta])* $name:ident => $kind:ident),* $(,)?) => {$(
        // Not inlined: it would make its callers larger, which costs most in WebAssembly.
        $(#[$attribute])*
        #[cold]
        #[inline(never)]
        pub(crate) fn $name(context: impl Into<String>) -> Error {
            Error::new(ErrorKind::$kind, context)
        }
    )*};
}

constructors! {
    config => Config,
    weights => Weights,
    tokenizer => Tokenizer,
    input => Input,
    unsupported => Unsupported,
    integrity => Integrity,
    #[cfg(any(feature = "gpu", target_arch = "wasm32"))]
    device_lost => DeviceLost,
    out_of_memory => OutOfMemory,
    internal => Internal,
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::{ErrorItem, ErrorKind, ItemKind, input};

    #[test]
    fn display_prints_the_item_and_source_gives_the_cause() {
        let cause = std::io::Error::other("the disk is full");
        let item = |range| ErrorItem { kind: ItemKind::Pair, range };
        let error = input("not readable").with_source(cause).about(item(3..4)).at("a.json");
        assert_eq!(error.to_string(), "input error: pair 3: a.json: not readable");
        assert_eq!(error.context(), "a.json: not readable");
        assert_eq!(error.source().expect("has a source").to_string(), "the disk is full");
        assert_eq!(input("x").about(item(3..6)).to_string(), "input error: pairs 3 to 5: x");
    }

    /// The TypeScript union is written by hand.
    #[test]
    fn typescript_lists_the_same_codes() {
        let source = include_str!("../pkg/src/errors.ts");
        let list = source
            .split_once("errorCodes = [")
            .and_then(|(_, rest)| rest.split_once(']'))
            .map(|(list, _)| list)
            .expect("pkg/src/errors.ts declares errorCodes");
        let typescript: Vec<&str> = list
            .split(',')
            .map(|item| item.trim().trim_matches('"'))
            .filter(|item| !item.is_empty())
            .collect();
        let rust: Vec<&str> = ErrorKind::ALL.iter().map(|kind| kind.code()).collect();
        assert_eq!(typescript, rust);
    }
}
