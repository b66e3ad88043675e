//! Pairs for decoders: query and document are written into a prompt.

mod jinja;
mod pair_prompt;
mod prompted_pairs;

pub(super) use pair_prompt::PairPrompt;
pub(super) use prompted_pairs::PromptedPairs;
