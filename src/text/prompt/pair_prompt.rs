//! The prompt of a decoder, with a query and a document written into it.

use super::jinja::{self, PromptPiece};
use crate::checkpoint::{LabelTokens, PromptConfig};
use crate::error::{Result, unsupported};

/// A prompt with placeholders for an instruction, a query and, after both, a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::text) struct PairPrompt {
    /// Pieces before the document.
    before: Vec<PromptPiece>,
    /// Text after the document.
    after: String,
}

/// The prompt that the Qwen3 rerankers were published with: the texts around the instruction and the query, with the
/// default instruction.
const QWEN3_PROMPT: [&str; 4] = [
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct \
     provided. Note that the answer can only be \"yes\" or \"no\".<|im_end|>\n<|im_start|>user\n<Instruct>: ",
    "Given a web search query, retrieve relevant passages that answer the query",
    "\n<Query>: ",
    "\n<Document>: ",
];
const QWEN3_PROMPT_END: &str = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n";

impl PairPrompt {
    /// Reads the prompt of a checkpoint; `None` if pairs use the template in `tokenizer.json`.
    ///
    /// sentence-transformers 6.2 rejects a chat template without the roles "query" and "document". A checkpoint without
    /// sentence-transformers' files may still have one: then it gets the prompt of the published Qwen3 rerankers.
    ///
    /// # Errors
    /// `unsupported` for a template that takes no pairs or is outside the supported subset of Jinja.
    pub(in crate::text) fn read(prompt_config: &PromptConfig) -> Result<Option<Self>> {
        let Some(template) = &prompt_config.template else {
            return match prompt_config.label_tokens {
                LabelTokens::Score if !prompt_config.has_modules => Ok(None),
                _ if !prompt_config.has_modules => Ok(Some(Self::qwen3())),
                _ => Err(unsupported(
                    "a decoder needs a chat template that takes a query and a document, and the checkpoint has none",
                )),
            };
        };
        if !prompt_config.has_modules
            && prompt_config.label_tokens == LabelTokens::YesNo
            && !names_both_roles(template)
        {
            return Ok(Some(Self::qwen3()));
        }
        Self::from_pieces(jinja::parse(template, prompt_config.add_generation_prompt)?).map(Some)
    }

    fn qwen3() -> Self {
        let [system, instruction, query, document] = QWEN3_PROMPT.map(str::to_owned);
        let before = vec![
            PromptPiece::Text(system),
            PromptPiece::Instruction(Some(instruction)),
            PromptPiece::Text(query),
            PromptPiece::Query,
            PromptPiece::Text(document),
        ];
        Self { before, after: QWEN3_PROMPT_END.to_owned() }
    }

    fn from_pieces(pieces: Vec<PromptPiece>) -> Result<Self> {
        let not_a_pair =
            || unsupported("the chat template does not contain one query followed by one document");
        let count = |wanted: &PromptPiece| pieces.iter().filter(|piece| *piece == wanted).count();
        if count(&PromptPiece::Query) != 1 || count(&PromptPiece::Document) != 1 {
            return Err(not_a_pair());
        }
        let mut parts = pieces.split(|piece| *piece == PromptPiece::Document);
        let (before, after) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if !before.contains(&PromptPiece::Query) {
            return Err(not_a_pair());
        }
        let text = |piece: &PromptPiece| match piece {
            PromptPiece::Text(text) => Ok(text.clone()),
            _ => Err(unsupported("the chat template has the instruction after the document")),
        };
        Ok(Self { before: before.to_vec(), after: after.iter().map(text).collect::<Result<_>>()? })
    }

    /// Returns whether the prompt contains an instruction.
    pub(in crate::text) fn takes_instruction(&self) -> bool {
        self.before.iter().any(|piece| matches!(piece, PromptPiece::Instruction(_)))
    }

    /// Returns the prompt up to the document. An empty `instruction` means the default one, as in
    /// sentence-transformers.
    pub(in crate::text) fn text_before_document(&self, query: &str, instruction: &str) -> String {
        let text = |piece: &PromptPiece| match piece {
            PromptPiece::Text(text) => text.clone(),
            PromptPiece::Instruction(default) if instruction.is_empty() => {
                default.clone().unwrap_or_default()
            }
            PromptPiece::Instruction(_) => instruction.to_owned(),
            PromptPiece::Query => query.to_owned(),
            PromptPiece::Document => String::new(),
        };
        self.before.iter().map(text).collect()
    }

    /// Returns the text after the document.
    pub(in crate::text) fn text_after_document(&self) -> &str {
        &self.after
    }
}

/// Returns whether a template names the roles "query" and "document". Without them, it drops both texts.
fn names_both_roles(template: &str) -> bool {
    let names =
        |role: &str| template.contains(&format!("'{role}'")) || template.contains(&format!("\"{role}\""));
    names("query") && names("document")
}
