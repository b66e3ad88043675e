//! The two ways in which the texts of a pair become one sequence.

use super::pair_template::PairTemplate;
#[cfg(feature = "decoder")]
use super::prompt::PromptedPairs;
use crate::error::Result;
#[cfg(feature = "decoder")]
use crate::error::unsupported;

/// How the two texts of a pair become one sequence.
#[derive(Debug)]
pub(super) enum PairFormat {
    /// Each text is tokenized by itself; special tokens go around and between them.
    Template(PairTemplate),
    /// Both texts are written into a prompt, which is tokenized as a whole.
    #[cfg(feature = "decoder")]
    Prompt(PromptedPairs),
}

impl PairFormat {
    /// Returns the template.
    ///
    /// # Errors
    /// `unsupported` if pairs are written into a prompt, so that their texts are not tokenized separately.
    pub(super) fn template(&self) -> Result<&PairTemplate> {
        match self {
            Self::Template(template) => Ok(template),
            #[cfg(feature = "decoder")]
            Self::Prompt(_) => Err(unsupported(
                "this model reads query and document as one prompt, so a document cannot be scored in chunks: cut long \
                 documents instead",
            )),
        }
    }

    /// Returns the number of tokens that every pair has besides its texts, however short these are truncated.
    pub(super) fn special_tokens(&self) -> usize {
        match self {
            Self::Template(template) => template.special_tokens(),
            #[cfg(feature = "decoder")]
            Self::Prompt(pairs) => pairs.tail_tokens(),
        }
    }

    /// Returns whether a token of the template has this id.
    pub(super) fn has_token(&self, id: u32) -> bool {
        match self {
            Self::Template(template) => template.has(id),
            #[cfg(feature = "decoder")]
            Self::Prompt(_) => false,
        }
    }

    /// Returns whether pairs are written into a prompt with an instruction.
    pub(super) fn takes_instruction(&self) -> bool {
        match self {
            Self::Template(_) => false,
            #[cfg(feature = "decoder")]
            Self::Prompt(pairs) => pairs.takes_instruction(),
        }
    }
}
