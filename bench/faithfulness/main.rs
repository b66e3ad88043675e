//! Measures how faithful explanations are, on data with known answers.
//!
//! It compares the ways to remove a unit from a pair, and explanations with a random order and with the overlap of words:
//!
//! - Sentences: how often the sentence that adds most is one with the answer, among the documents with the answer that
//!   rank first.
//! - Words: the share of the score that the words of the answer hold.
//! - Curves: the logit while words are deleted from a document, or inserted into an empty one, in the order of their
//!   contributions.

mod curves;
mod data;
#[path = "../../src/random.rs"]
mod random;
mod svg;
mod words;

use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use ranklet::{
    ExplainOptions, Explainer, Explanation, ModelSource, Options, RankOptions, Reranker, Scores, TextUnit,
};

use crate::curves::Curves;
use crate::data::Question;
use crate::random::Random;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Measure how faithful explanations are, on data with known answers.
#[derive(Debug, Parser)]
struct Arguments {
    /// WikiQA's questions with sentences, WikiQA-*.tsv. May be given several times.
    #[arg(long, value_name = "FILE")]
    wikiqa: Vec<PathBuf>,
    /// XQuAD or SQuAD 1.1, xquad.en.json.
    #[arg(long, value_name = "FILE")]
    xquad: Vec<PathBuf>,
    /// The folder of a model. The default is the embedded one.
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// Maximum number of questions of each data set, drawn at random.
    #[arg(long, default_value = "400")]
    questions: usize,
    /// Maximum number of questions for curves and for Shapley values of words.
    #[arg(long, default_value = "60")]
    curves: usize,
    /// The seed of all random choices.
    #[arg(long, default_value = "0")]
    seed: u64,
    /// Number of orders of Shapley values.
    #[arg(long, default_value = "4")]
    samples: usize,
    /// Writes the curves as a picture.
    #[arg(long, value_name = "FILE.svg")]
    svg: Option<PathBuf>,
}

/// A way to explain a pair: by leaving units out, or by replacing them with a token; with samples, Shapley values.
#[derive(Debug, Clone, Copy)]
struct Method {
    name: &'static str,
    replacement: Option<&'static [&'static str]>,
    samples: usize,
}

const MASK: &[&str] = &["[MASK]", "<mask>"];
const UNKNOWN: &[&str] = &["[UNK]", "<unk>"];

impl Method {
    /// Explains a pair; `None` if the model has no such token.
    fn explain(
        &self,
        reranker: &Reranker,
        question: &Question,
        unit: TextUnit,
    ) -> ranklet::Result<Option<Explanation>> {
        let options = ExplainOptions { unit, samples: self.samples, ..ExplainOptions::default() };
        let mut explainer = Explainer::new(reranker, &question.query, &question.document, options)?;
        if let Some(tokens) = self.replacement
            && !tokens.iter().any(|token| explainer.replace_units(reranker, token))
        {
            return Ok(None);
        }
        while pollster::block_on(explainer.step(reranker))? {}
        Ok(Some(explainer.explanation()))
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let source = arguments.model.clone().map_or(ModelSource::Embedded, ModelSource::Directory);
    let reranker = Reranker::load_blocking(source, Options::default())?;
    let methods = [
        Method { name: "left out", replacement: None, samples: 0 },
        Method { name: "mask token", replacement: Some(MASK), samples: 0 },
        Method { name: "unknown token", replacement: Some(UNKNOWN), samples: 0 },
        Method { name: "left out, Shapley", replacement: None, samples: arguments.samples },
    ];
    println!("{} ({}), seed {}", reranker.info().model_type, reranker.info().backend.engine, arguments.seed);
    let mut all_curves = Vec::new();
    let sets = arguments
        .wikiqa
        .iter()
        .map(|path| ("WikiQA", path))
        .chain(arguments.xquad.iter().map(|path| ("XQuAD", path)));
    for (name, path) in sets {
        let started = Instant::now();
        let read = if name == "WikiQA" { data::wikiqa } else { data::xquad };
        let mut random = Random(arguments.seed);
        let mut questions = read(&std::fs::read_to_string(path)?)?;
        random.shuffle(&mut questions);
        questions.truncate(arguments.questions);
        let total = questions.len();
        let questions = ranked_first(&reranker, questions, &mut random)?;
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        println!("\n## {file}\n\n{} of {total} documents with the answer rank first.\n", questions.len());
        sentences(&reranker, &questions, &methods)?;
        if questions.iter().any(|question| question.has_spans) {
            answer_words(&reranker, &questions, &methods, arguments.curves)?;
        }
        let few = &questions[..questions.len().min(arguments.curves)];
        let curves = Curves::measure(&reranker, few, &methods, arguments.seed)?;
        curves.print();
        all_curves.push((file.into_owned(), few.len(), curves));
        eprintln!("{:.0} s", started.elapsed().as_secs_f64());
    }
    if let Some(path) = &arguments.svg {
        std::fs::write(path, svg::picture(&all_curves))?;
    }
    Ok(())
}

/// Keeps the questions whose document ranks above nine others of the same data set.
fn ranked_first(reranker: &Reranker, questions: Vec<Question>, random: &mut Random) -> Result<Vec<Question>> {
    let documents: Vec<String> = questions.iter().map(|question| question.document.clone()).collect();
    let mut first = Vec::new();
    for question in questions {
        let mut candidates = vec![question.document.as_str()];
        while candidates.len() < 10.min(documents.len()) {
            let other = documents[random.below(documents.len())].as_str();
            if other != question.document {
                candidates.push(other);
            }
        }
        let options = RankOptions { top_n: Some(1), scores: Scores::Raw, ..RankOptions::default() };
        if reranker.rank_blocking(&question.query, &candidates, options)?[0].index == 0 {
            first.push(question);
        }
    }
    Ok(first)
}

/// Prints how often the top sentence is one with the answer.
fn sentences(reranker: &Reranker, questions: &[Question], methods: &[Method]) -> Result<()> {
    println!("| top sentence | has the answer |\n|---|---|");
    let share = |hits: f64| format!("{:.1} % of {}", 100.0 * hits / questions.len() as f64, questions.len());
    for method in methods {
        let mut hits = 0.0;
        for question in questions {
            let Some(explanation) = method.explain(reranker, question, TextUnit::Sentence)? else { continue };
            let top = explanation.units.iter().max_by(|a, b| a.contribution.total_cmp(&b.contribution));
            hits += f64::from(top.is_some_and(|top| question.has_answer(top.span.start..top.span.end)));
        }
        println!("| {} | {} |", method.name, share(hits));
    }
    let (mut alone, mut overlap, mut chance) = (0.0, 0.0, 0.0);
    for question in questions {
        let sentences = words::sentences(&question.document);
        let has = |index: usize| f64::from(question.has_answer(sentences[index].clone()));
        let texts: Vec<&str> = sentences.iter().map(|range| &question.document[range.clone()]).collect();
        let top = RankOptions { top_n: Some(1), scores: Scores::Raw, ..RankOptions::default() };
        alone +=
            reranker.rank_blocking(&question.query, &texts, top)?.first().map_or(0.0, |best| has(best.index));
        let common = |text: &&str| words::overlap(&question.query, text);
        let counts: Vec<usize> = texts.iter().map(common).collect();
        let best = counts.iter().copied().max().unwrap_or_default();
        let tied: Vec<usize> = (0..counts.len()).filter(|index| counts[*index] == best).collect();
        overlap += tied.iter().map(|index| has(*index)).sum::<f64>() / tied.len().max(1) as f64;
        chance += (0..sentences.len()).map(has).sum::<f64>() / sentences.len().max(1) as f64;
    }
    println!("| scored alone (highlights) | {} |", share(alone));
    println!("| most words of the query | {} |", share(overlap));
    println!("| chance | {} |\n", share(chance));
    Ok(())
}

/// Prints the share of the positive contributions that the words of the answer hold.
fn answer_words(
    reranker: &Reranker,
    questions: &[Question],
    methods: &[Method],
    shapley: usize,
) -> Result<()> {
    println!("| words by | share of the answer's words | questions |\n|---|---|---|");
    for method in methods {
        let questions =
            &questions[..if method.samples > 0 { questions.len().min(shapley) } else { questions.len() }];
        let mut sum = 0.0;
        for question in questions {
            let Some(explanation) = method.explain(reranker, question, TextUnit::Word)? else { continue };
            let weights = explanation
                .units
                .iter()
                .map(|unit| (unit.span.start..unit.span.end, f64::from(unit.contribution.max(0.0))));
            sum += share(question, weights.collect());
        }
        println!("| {} | {:.1} % | {} |", method.name, 100.0 * sum / questions.len() as f64, questions.len());
    }
    let (mut overlap, mut chance) = (0.0, 0.0);
    for question in questions {
        let words = words::words(&question.document);
        let in_query =
            |word: &std::ops::Range<usize>| words::overlap(&question.query, &question.document[word.clone()]);
        overlap += share(question, words.iter().map(|word| (word.clone(), in_query(word) as f64)).collect());
        chance += share(question, words.iter().map(|word| (word.clone(), 1.0)).collect());
    }
    let mean = |sum: f64| 100.0 * sum / questions.len() as f64;
    println!("| words of the query | {:.1} % | {} |", mean(overlap), questions.len());
    println!("| chance: share of all words | {:.1} % | {} |\n", mean(chance), questions.len());
    Ok(())
}

/// Returns the share of the weights that words of the answer have.
fn share(question: &Question, weights: Vec<(std::ops::Range<usize>, f64)>) -> f64 {
    let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
    let in_answer = weights.iter().filter(|(word, _)| question.has_answer(word.clone()));
    if total > 0.0 { in_answer.map(|(_, weight)| weight).sum::<f64>() / total } else { 0.0 }
}
