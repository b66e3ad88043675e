//! The text a decoder is asked with: what stands around query and document.

use super::jinja::{self, Piece};
use crate::checkpoint::{Answers, Question};
use crate::error::{Result, unsupported};

/// A text with places for an instruction, a query and, behind both, a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// Up to the document.
    before: Vec<Piece>,
    /// From the document on.
    after: String,
}

/// The prompt of the Qwen3 rerankers as they were published.
const PUBLISHED: [&str; 4] = [
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct \
     provided. Note that the answer can only be \"yes\" or \"no\".<|im_end|>\n<|im_start|>user\n<Instruct>: ",
    "Given a web search query, retrieve relevant passages that answer the query",
    "\n<Query>: ",
    "\n<Document>: ",
];
const PUBLISHED_END: &str = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n";

impl Prompt {
    /// The prompt of a checkpoint; `None` where pairs are put together by the tokenizer's own template.
    ///
    /// sentence-transformers 6.2 refuses a template that takes no pairs. Where its own files are not there, that is
    /// taken for the plain template of Qwen3, with which its rerankers are published.
    ///
    /// # Errors
    /// `unsupported` for a template that takes no pairs or that is not read.
    pub fn read(question: &Question) -> Result<Option<Self>> {
        let Some(template) = &question.template else {
            return match question.answers {
                Answers::Score if !question.chain => Ok(None),
                _ if !question.chain => Ok(Some(Self::published())),
                _ => Err(unsupported("there is no chat template, which says how a decoder reads pairs")),
            };
        };
        if !question.chain && question.answers == Answers::YesNo && !takes_pairs(template) {
            return Ok(Some(Self::published()));
        }
        Self::of(jinja::read(template, question.add_generation_prompt)?).map(Some)
    }

    fn published() -> Self {
        let [system, instruction, query, document] = PUBLISHED.map(str::to_owned);
        let before = vec![
            Piece::Text(system),
            Piece::Instruction(Some(instruction)),
            Piece::Text(query),
            Piece::Query,
            Piece::Text(document),
        ];
        Self { before, after: PUBLISHED_END.to_owned() }
    }

    fn of(pieces: Vec<Piece>) -> Result<Self> {
        let wrong = || unsupported("the chat template does not place one query and then one document");
        let count = |wanted: &Piece| pieces.iter().filter(|piece| *piece == wanted).count();
        if count(&Piece::Query) != 1 || count(&Piece::Document) != 1 {
            return Err(wrong());
        }
        let mut parts = pieces.split(|piece| *piece == Piece::Document);
        let (before, after) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if !before.contains(&Piece::Query) {
            return Err(wrong());
        }
        let text = |piece: &Piece| match piece {
            Piece::Text(text) => Ok(text.clone()),
            _ => Err(unsupported("the chat template has the instruction behind the document")),
        };
        Ok(Self { before: before.to_vec(), after: after.iter().map(text).collect::<Result<_>>()? })
    }

    /// Whether an instruction has a place.
    pub(crate) fn takes_instruction(&self) -> bool {
        self.before.iter().any(|piece| matches!(piece, Piece::Instruction(_)))
    }

    /// The text up to the document; an instruction that is empty is none, as sentence-transformers has it.
    pub(in crate::text) fn before(&self, query: &str, instruction: &str) -> String {
        let text = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Instruction(default) if instruction.is_empty() => default.clone().unwrap_or_default(),
            Piece::Instruction(_) => instruction.to_owned(),
            Piece::Query => query.to_owned(),
            Piece::Document => String::new(),
        };
        self.before.iter().map(text).collect()
    }

    /// The text behind the document.
    pub(in crate::text) fn after(&self) -> &str {
        &self.after
    }
}

/// A template that knows no role "query" and no role "document" drops both.
fn takes_pairs(template: &str) -> bool {
    let names =
        |role: &str| template.contains(&format!("'{role}'")) || template.contains(&format!("\"{role}\""));
    names("query") && names("document")
}
