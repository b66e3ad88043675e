//! `ranklet explain`: what each word or sentence of a pair adds to its logit.

mod html;
mod marks;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::Args;
use ranklet::{
    Contribution, ExplainOptions, ExplainedTexts, Explainer, Explanation, LongDocuments, PairText, Reranker,
    Result, TextUnit,
};
use serde_json::{Value, json};

use crate::args::option;
use crate::input::{invalid, read};
use crate::output::print;
use crate::terminal::{self, Progress, one_line};

pub(crate) use marks::{listed, marked};

/// The pair to explain, and how.
#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// The search query.
    #[arg(long, allow_hyphen_values = true)]
    query: String,
    /// The document: a text file, - for stdin, or the text itself, if it has a space and is no path of a file.
    #[arg(long, value_name = "FILE|TEXT", allow_hyphen_values = true)]
    document: PathBuf,
    /// word or sentence.
    #[arg(long, default_value = "word", value_parser = option::<TextUnit>)]
    unit: TextUnit,
    /// The texts whose units are explained: document, query or both.
    #[arg(long, value_name = "TEXTS", default_value = "document", value_parser = option::<ExplainedTexts>)]
    of: ExplainedTexts,
    /// The part of a document that is explained if it does not fit: truncate for its beginning, chunk for its best chunk.
    #[arg(long, value_name = "METHOD", default_value = "truncate", value_parser = option::<LongDocuments>)]
    long_documents: LongDocuments,
    /// Number of random orders to sample for Shapley values, which add up to the difference of the logits. With 0, each
    /// word is left out of its sentence and kept in it alone, and each sentence likewise in its text.
    #[arg(long, value_name = "N", default_value = "0")]
    samples: usize,
    /// The instruction, for a model whose prompt contains one.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    instruction: Option<String>,
    /// Print JSON, with offsets in bytes.
    #[arg(long)]
    json: bool,
    /// Write a web page with the texts as heat maps.
    #[arg(long, value_name = "FILE.html")]
    html: Option<PathBuf>,
}

/// An explanation and its texts.
pub(crate) struct Explained<'a> {
    pub(crate) query: &'a str,
    pub(crate) document: &'a str,
    pub(crate) explanation: &'a Explanation,
}

impl Explained<'_> {
    fn text(&self, text: PairText) -> &str {
        match text {
            PairText::Query => self.query,
            PairText::Document => self.document,
        }
    }

    fn content(&self, unit: &Contribution) -> &str {
        &self.text(unit.text)[unit.span.start..unit.span.end]
    }

    /// Returns the explanation as JSON, with the content of each unit.
    pub(crate) fn json(&self) -> Value {
        let mut value = json!(self.explanation);
        value["additivity_error"] = json!(self.explanation.additivity_error());
        for (row, unit) in self.explanation.units.iter().enumerate() {
            value["units"][row]["content"] = json!(self.content(unit));
        }
        value
    }

    /// Returns the largest size of a contribution; not 0.
    fn max(&self) -> f32 {
        self.explanation.units.iter().map(|unit| unit.contribution.abs()).fold(f32::MIN_POSITIVE, f32::max)
    }
}

/// Explains a pair.
///
/// # Errors
/// As [`Reranker::explain`]; `input` for files that cannot be read or written.
pub(crate) fn explain(load: impl FnOnce() -> Result<Reranker>, arguments: &ExplainArguments) -> Result<()> {
    let document = document(&arguments.document)?;
    let reranker = load()?;
    let options = ExplainOptions {
        unit: arguments.unit,
        of: arguments.of,
        samples: arguments.samples,
        long_documents: arguments.long_documents,
        instruction: arguments.instruction.as_deref(),
        ..ExplainOptions::default()
    };
    let explanation = explanation(&reranker, &arguments.query, &document, options)?;
    let explained = Explained { query: &arguments.query, document: &document, explanation: &explanation };
    if let Some(path) = &arguments.html {
        std::fs::write(path, html::page(&explained)).map_err(|error| invalid(path, error))?;
    }
    if arguments.json {
        print(|out| writeln!(out, "{}", explained.json()))
    } else {
        print_table(&explained)
    }?;
    terminal::warnings(&reranker.info().warnings);
    Ok(())
}

/// Returns the document that an argument names or is. A missing file is an error though its name has spaces.
///
/// # Errors
/// `input` for a file that does not exist or is no text.
fn document(argument: &Path) -> Result<String> {
    let is_extension = |end: &OsStr| {
        end.len() <= 5
            && end.to_str().is_some_and(|end| end.starts_with(|first: char| first.is_ascii_alphabetic()))
    };
    let is_path = argument.is_absolute()
        || argument.starts_with(".")
        || argument.starts_with("..")
        || argument.extension().is_some_and(is_extension)
        || argument.exists();
    let is_text =
        |text: &str| text.contains(|char: char| char.is_whitespace() || is_written_without_spaces(char));
    match argument.to_str() {
        Some(text) if is_text(text) && !is_path => Ok(text.to_owned()),
        Some(text) if text != "-" && matches!(argument.try_exists(), Ok(false)) => {
            let message = "there is no such file; to explain a text without spaces, or one that ends like the name of a \
                           file, send it to stdin and use --document -";
            Err(invalid(argument, message))
        }
        _ => read(argument),
    }
}

/// Returns whether a character belongs to a script that puts no spaces between words: Thai, Lao, Myanmar, Khmer, Chinese or Japanese.
fn is_written_without_spaces(char: char) -> bool {
    matches!(char, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3000}'..='\u{9fff}')
}

/// Explains a pair and shows progress.
///
/// # Errors
/// As [`Reranker::explain`].
pub(crate) fn explanation(
    reranker: &Reranker,
    query: &str,
    document: &str,
    options: ExplainOptions<'_>,
) -> Result<Explanation> {
    let mut explainer = Explainer::new(reranker, query, document, options)?;
    let mut progress = Progress::new(explainer.variants(), "pairs");
    progress.show(0);
    while pollster::block_on(explainer.step(reranker))? {
        progress.show(explainer.scored());
    }
    Ok(explainer.explanation())
}

fn print_table(explained: &Explained) -> Result<()> {
    const BAR: f32 = 20.0;
    let Explanation { logit, base, units, variants, .. } = explained.explanation;
    print(|out| {
        for unit in units {
            let length = (unit.contribution.abs() / explained.max() * BAR).round() as usize;
            let bar = if unit.contribution < 0.0 { "-" } else { "+" }.repeat(length);
            let content = one_line(explained.content(unit));
            writeln!(out, "{:>+9.4}  {bar:<20}  {content}", unit.contribution)?;
        }
        Ok(())
    })?;
    terminal::status(&format!("logit {logit:.4}, {base:.4} without these; {variants} pairs scored"));
    Ok(())
}
