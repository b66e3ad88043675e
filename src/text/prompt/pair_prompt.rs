//! The prompt of a decoder, with a query and a document written into it.

use super::jinja::{self, PromptPiece, Source, TemplateInput, is_space};
use crate::checkpoint::{PromptConfig, PromptForm};
use crate::error::{Error, Result, unsupported};

/// A prompt with placeholders for a query and, after it, a document.
#[derive(Debug, Clone)]
pub(in crate::text) struct PairPrompt {
    /// Without an instruction.
    plain: Pieces,
    /// With an instruction; `None` if it would change nothing.
    instructed: Option<Pieces>,
    /// Maximum characters of the query and of the document.
    max_chars: Option<[usize; 2]>,
}

/// A prompt with one query before one document.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pieces {
    /// Pieces before the document.
    before: Vec<PromptPiece>,
    /// Whether white space around the document is removed.
    trims_document: bool,
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
/// The characters of a query and of a document that the code of zerank keeps.
const ZERANK_MAX_CHARS: [usize; 2] = [2_000, 10_000];

impl PairPrompt {
    /// Reads the prompt of a checkpoint; `None` if pairs use the template in `tokenizer.json`. `instruction` is the
    /// default one.
    ///
    /// # Errors
    /// `unsupported` for a template that takes no pairs or is outside the supported subset of Jinja.
    pub(in crate::text) fn read(config: &PromptConfig, instruction: &str) -> Result<Option<Self>> {
        let PromptConfig { template, variables, structured, form, .. } = config;
        let Some(template) = template.as_deref().filter(|_| *form != PromptForm::Plain) else {
            return Ok(None);
        };
        let render = |messages: &[(&'static str, Source)]| {
            jinja::render(template, TemplateInput { messages, structured: *structured, variables })
        };
        let query_and_document = [("query", Source::Query), ("document", Source::Document)];
        let pieces = match form {
            PromptForm::Plain => return Ok(None),
            PromptForm::Zerank => {
                let messages = [("system", Source::Query), ("user", Source::Document)];
                let plain = Pieces::new(render(&messages)?)?.ok_or_else(takes_no_pair)?.trimmed();
                return Ok(Some(Self { plain, instructed: None, max_chars: Some(ZERANK_MAX_CHARS) }));
            }
            PromptForm::Messages | PromptForm::MessagesOrQwen3 => Pieces::new(render(&query_and_document)?)?,
        };
        let Some(plain) = pieces else {
            return if *form == PromptForm::MessagesOrQwen3 {
                Ok(Some(Self::qwen3()))
            } else {
                Err(takes_no_pair())
            };
        };
        let [query, document] = query_and_document;
        let instructed = render(&[("system", Source::Instruction), query, document])
            .and_then(|pieces| Pieces::new(pieces)?.ok_or_else(takes_no_pair))
            .and_then(|instructed| match instructed.after == plain.after {
                true => Ok(instructed),
                false => Err(unsupported("the chat template has the instruction after the document")),
            });
        let instructed = match instructed {
            Ok(instructed) => Some(instructed).filter(|instructed| *instructed != plain),
            Err(_) if instruction.is_empty() => None,
            Err(error) => return Err(error),
        };
        Ok(Some(Self { plain, instructed, max_chars: None }))
    }

    fn qwen3() -> Self {
        let [system, default, query, document] = QWEN3_PROMPT.map(|text| PromptPiece::Text(text.to_owned()));
        let content = |source| PromptPiece::Content { source, trim: false };
        let with = |instruction| Pieces {
            before: vec![
                system.clone(),
                instruction,
                query.clone(),
                content(Source::Query),
                document.clone(),
            ],
            trims_document: false,
            after: QWEN3_PROMPT_END.to_owned(),
        };
        Self {
            plain: with(default.clone()),
            instructed: Some(with(content(Source::Instruction))),
            max_chars: None,
        }
    }

    /// Returns whether the prompt contains an instruction.
    pub(in crate::text) fn takes_instruction(&self) -> bool {
        let is_instruction =
            |piece: &PromptPiece| matches!(piece, PromptPiece::Content { source: Source::Instruction, .. });
        self.instructed.as_ref().is_some_and(|pieces| pieces.before.iter().any(is_instruction))
    }

    /// Returns the prompt up to the document. An empty `instruction` means the default one, as in
    /// sentence-transformers.
    pub(in crate::text) fn text_before_document(&self, query: &str, instruction: &str) -> String {
        let pieces = self.instructed.as_ref().filter(|_| !instruction.is_empty()).unwrap_or(&self.plain);
        let query = self.max_chars.map_or(query, |[max_chars, _]| first_chars(query, max_chars));
        let text = |piece: &PromptPiece| match piece {
            PromptPiece::Text(text) => text.clone(),
            PromptPiece::Content { source, trim } => {
                let text = match source {
                    Source::Instruction => instruction,
                    Source::Query => query,
                    Source::Document => "",
                };
                if *trim { text.trim_matches(is_space).to_owned() } else { text.to_owned() }
            }
        };
        pieces.before.iter().map(text).collect()
    }

    /// Returns the part of a document that the prompt contains.
    pub(in crate::text) fn document<'a>(&self, document: &'a str) -> &'a str {
        let document = self.max_chars.map_or(document, |[_, max_chars]| first_chars(document, max_chars));
        if self.plain.trims_document { document.trim_matches(is_space) } else { document }
    }

    /// Returns the text after the document.
    pub(in crate::text) fn text_after_document(&self) -> &str {
        &self.plain.after
    }
}

impl Pieces {
    /// Splits a prompt at the document. Returns `None` if the query or the document is not in it.
    ///
    /// # Errors
    /// `unsupported` for a prompt in which they occur several times or in another order.
    fn new(pieces: Vec<PromptPiece>) -> Result<Option<Self>> {
        let places = |wanted: Source| {
            let is_wanted = move |piece: &PromptPiece| matches!(piece, PromptPiece::Content { source, .. } if *source == wanted);
            pieces
                .iter()
                .enumerate()
                .filter(move |(_, piece)| is_wanted(piece))
                .map(|(index, _)| index)
                .collect()
        };
        let (queries, documents): (Vec<usize>, Vec<usize>) =
            (places(Source::Query), places(Source::Document));
        let index = match (queries.as_slice(), documents.as_slice()) {
            ([], _) | (_, []) => return Ok(None),
            ([query], [document]) if query < document => *document,
            _ => {
                return Err(unsupported(
                    "the chat template does not contain one query followed by one document",
                ));
            }
        };
        let text = |piece: &PromptPiece| match piece {
            PromptPiece::Text(text) => Ok(text.clone()),
            PromptPiece::Content { .. } => {
                Err(unsupported("the chat template has the instruction after the document"))
            }
        };
        Ok(Some(Self {
            before: pieces[..index].to_vec(),
            trims_document: matches!(pieces[index], PromptPiece::Content { trim: true, .. }),
            after: pieces[index + 1..].iter().map(text).collect::<Result<_>>()?,
        }))
    }

    /// Removes white space around both texts.
    fn trimmed(mut self) -> Self {
        for piece in &mut self.before {
            if let PromptPiece::Content { trim, .. } = piece {
                *trim = true;
            }
        }
        Self { trims_document: true, ..self }
    }
}

fn takes_no_pair() -> Error {
    unsupported(
        "the chat template drops the query or the document, so it is not that of a reranker: get the files of the \
         published reranker again (its chat_template.jinja names the roles \"query\" and \"document\"), or load \
         another model, such as Qwen/Qwen3-Reranker-0.6B",
    )
}

fn first_chars(text: &str, count: usize) -> &str {
    text.char_indices().nth(count).map_or(text, |(end, _)| &text[..end])
}
