//! Measures how faithful explanations are, on data with known answers.
//!
//! It compares the ways to weigh units, and explanations with a random order and with the overlap of words. The document of a
//! question competes with the documents that BM25 finds for it, and counts if it ranks first:
//!
//! - Sentences: how often the sentence with the largest weight has the answer.
//! - Words: the share of the weights that the words of the answer have.
//! - Curves: the logit while words are deleted from a document, or inserted into an empty one, in the order of their weights.

mod candidates;
mod curves;
mod data;
#[path = "../../src/random.rs"]
mod random;
mod svg;
mod table;
mod ways;
mod words;

use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use ranklet::{ModelSource, Options, TextUnit};

use crate::candidates::ranked_first;
use crate::curves::Curves;
use crate::data::DataSet;
use crate::random::Random;
use crate::table::{print_answer_words, print_top_sentences};
use crate::ways::Ways;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Measure how faithful explanations are, on data with known answers.
#[derive(Debug, Parser)]
struct Arguments {
    /// WikiQA's questions with sentences, WikiQA-*.tsv. May be given several times.
    #[arg(long, value_name = "FILE")]
    wikiqa: Vec<PathBuf>,
    /// XQuAD or SQuAD 1.1, xquad.en.json. May be given several times.
    #[arg(long, value_name = "FILE")]
    xquad: Vec<PathBuf>,
    /// The folder of a model. The default is the embedded one.
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// Maximum number of questions of each data set, drawn at random.
    #[arg(long, default_value = "400")]
    questions: usize,
    /// Number of drawn questions to skip, to measure others than those of an earlier run.
    #[arg(long, default_value = "0")]
    skip: usize,
    /// Number of documents that are ranked for a question.
    #[arg(long, default_value = "20")]
    candidates: usize,
    /// Maximum number of questions for words and for curves.
    #[arg(long, default_value = "60")]
    words: usize,
    /// The seed of all random choices.
    #[arg(long, default_value = "0")]
    seed: u64,
    /// Number of orders of Shapley values.
    #[arg(long, default_value = "4")]
    samples: usize,
    /// The model's mask token.
    #[arg(long, default_value = "[MASK]")]
    mask: String,
    /// The model's token for unknown words.
    #[arg(long, default_value = "[UNK]")]
    unknown: String,
    /// Writes the curves as a picture.
    #[arg(long, value_name = "FILE.svg")]
    svg: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let source = arguments.model.clone().map_or(ModelSource::Embedded, ModelSource::Directory);
    let reranker = ranklet::Reranker::load_blocking(source, Options::default())?;
    let info = reranker.info();
    println!("{} ({}), seed {}", info.model_type, info.backend.engine, arguments.seed);
    let ways = Ways {
        reranker: &reranker,
        mask: &arguments.mask,
        unknown: &arguments.unknown,
        samples: arguments.samples,
    };
    let mut all_curves = Vec::new();
    let wikiqa = arguments.wikiqa.iter().map(|path| (path, data::wikiqa as fn(&str) -> Result<DataSet>));
    let xquad = arguments.xquad.iter().map(|path| (path, data::xquad as fn(&str) -> Result<DataSet>));
    for (path, read) in wikiqa.chain(xquad) {
        let started = Instant::now();
        let DataSet { documents, mut questions } = read(&std::fs::read_to_string(path)?)?;
        let mut random = Random(arguments.seed);
        random.shuffle(&mut questions);
        let questions: Vec<_> =
            questions.into_iter().skip(arguments.skip).take(arguments.questions).collect();
        let total = questions.len();
        let questions = ranked_first(&reranker, questions, &documents, arguments.candidates)?;
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let (count, candidates) = (questions.len(), arguments.candidates);
        println!(
            "\n## {file}\n\nThe document of {count} of {total} questions ranks first of {candidates}.\n"
        );
        print_top_sentences(&ways.of_all(&questions, TextUnit::Sentence)?, &questions);
        let few = &questions[..count.min(arguments.words)];
        if !few.is_empty() {
            let weights = ways.of_all(few, TextUnit::Word)?;
            if few[0].has_spans {
                print_answer_words(&weights, few);
            }
            let curves = Curves::measure(&reranker, few, &weights, &mut random)?;
            curves.print();
            all_curves.push((file.into_owned(), few.len(), curves));
        }
        eprintln!("{:.0} s", started.elapsed().as_secs_f64());
    }
    if let Some(path) = &arguments.svg {
        std::fs::write(path, svg::picture(&all_curves))?;
    }
    Ok(())
}
