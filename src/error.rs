//! One error type for the whole crate: a public kind, and a message that names the thing.

use std::fmt;

/// What went wrong, in the words the JavaScript API uses as `error.code`.
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
    /// Well formed, but not something this build of Ranklet does.
    Unsupported,
    /// A download failed.
    Network,
    /// Something loaded, but is not what it says it is.
    Integrity,
    /// The GPU went away.
    DeviceLost,
    /// There is not enough memory for the model or the work.
    OutOfMemory,
    /// The caller cancelled.
    Aborted,
    /// The reranker was disposed of before the call ended.
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

/// A failure: its [kind](Error::kind) is API, its text is for people and may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    context: String,
}

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind`; `context` names the thing that is wrong and, where it can, what to do.
    ///
    /// Very long texts are cut: a message may quote what came from outside.
    pub fn new(kind: ErrorKind, context: impl Into<String>) -> Self {
        const LONGEST: usize = 1000;
        let mut context = context.into();
        if context.len() > LONGEST {
            context.truncate(context.floor_char_boundary(LONGEST));
            context.push('…');
        }
        Self { kind, context }
    }

    /// The category, stable across releases.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message without the kind.
    pub fn context(&self) -> &str {
        &self.context
    }

    /// The same error with a place in front: `place: message`.
    #[must_use]
    pub fn at(self, place: impl fmt::Display) -> Self {
        Self::new(self.kind, format!("{place}: {}", self.context))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} error: {}", self.kind, self.context)
    }
}

impl std::error::Error for Error {}

/// Shorthands for the kinds that are raised in many places: `config(format!(..))`.
macro_rules! constructors {
    ($($(#[$attribute:meta])* $name:ident => $kind:ident),* $(,)?) => {$(
        // Never part of its callers: with all their errors in them they were large, in WebAssembly above all.
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
    use super::ErrorKind;

    /// The TypeScript union is written by hand; this is what keeps it equal to the Rust kinds.
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
