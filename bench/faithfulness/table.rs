//! Tables of what ways to weigh units find.

use crate::data::Question;
use crate::ways::{ADDED, CHANCE, OCCLUSION, OVERLAP, REMOVED, Weights};
use crate::words::overlap;

/// Prints how often the sentence with the largest weight has the answer, for all questions and for those whose answer ranks
/// first among the sentences of its document.
pub(crate) fn print_top_sentences(ways: &[(&str, Vec<Weights>)], questions: &[Question]) {
    println!("| top sentence | has the answer | error |\n|---|---|---|");
    print(ways, questions, top_has_answer);
    let alone = values(ways, questions, ADDED, top_has_answer);
    let ranked_first = || alone.iter().map(|has_answer| *has_answer == 1.0);
    let count = ranked_first().filter(|is_first| *is_first).count();
    println!("{count} answers rank first among the sentences of their document.\n");
    println!("| top sentence | has this answer | error |\n|---|---|---|");
    for name in [REMOVED, OCCLUSION] {
        let all = values(ways, questions, name, top_has_answer);
        let values: Vec<f64> = all
            .into_iter()
            .zip(ranked_first())
            .filter(|(_, is_first)| *is_first)
            .map(|(value, _)| value)
            .collect();
        let (mean, error) = mean_and_error(&values);
        println!("| {name} | {:.1} % | {:.1} |", 100.0 * mean, 100.0 * error);
    }
    println!();
}

/// Returns 1 if the sentence with the largest weight has the answer. Sentences with equal weights share the first place.
fn top_has_answer(weights: &Weights, question: &Question) -> f64 {
    let max = weights.iter().map(|(_, weight)| *weight).fold(f64::NEG_INFINITY, f64::max);
    let top: Vec<_> = weights.iter().filter(|(_, weight)| *weight == max).collect();
    let hits = top.iter().filter(|(sentence, _)| question.has_answer(sentence.clone())).count();
    hits as f64 / top.len().max(1) as f64
}

/// Prints the share of the words of the answer in the positive weights: first of all words, then of the words that are not in
/// the query.
pub(crate) fn print_answer_words(ways: &[(&str, Vec<Weights>)], questions: &[Question]) {
    println!("| words | share of the answer | error |\n|---|---|---|");
    print(ways, questions, |weights, question| answer_share(weights, question, |_| true));
    let ways: Vec<_> = ways.iter().filter(|(name, _)| *name != OVERLAP).cloned().collect();
    println!("| words that the query does not have | share of the answer | error |\n|---|---|---|");
    print(&ways, questions, |weights, question| {
        answer_share(weights, question, |word| overlap(&question.query, word) == 0)
    });
}

/// Returns the share of the positive weights of some words that those of the answer have.
fn answer_share(weights: &Weights, question: &Question, counts: impl Fn(&str) -> bool) -> f64 {
    let counted = weights.iter().filter(|(word, _)| counts(&question.document[word.clone()]));
    let (mut in_answer, mut total) = (0.0, 0.0);
    for (word, weight) in counted {
        total += weight.max(0.0);
        if question.has_answer(word.clone()) {
            in_answer += weight.max(0.0);
        }
    }
    if total > 0.0 { in_answer / total } else { 0.0 }
}

/// Prints the mean of a value over the questions for each way, and the difference between two ways on the same questions.
fn print(ways: &[(&str, Vec<Weights>)], questions: &[Question], value: impl Fn(&Weights, &Question) -> f64) {
    for (name, _) in ways {
        let (mean, error) = mean_and_error(&values(ways, questions, name, &value));
        println!("| {name} | {:.1} % | {:.1} |", 100.0 * mean, 100.0 * error);
    }
    for (a, b) in [(OCCLUSION, REMOVED), (OCCLUSION, CHANCE)] {
        let [a_values, b_values] = [a, b].map(|name| values(ways, questions, name, &value));
        let differences: Vec<f64> = a_values.iter().zip(b_values).map(|(a, b)| a - b).collect();
        let (mean, error) = mean_and_error(&differences);
        println!("| {a}, minus {b} | {:+.1} | {:.1} |", 100.0 * mean, 100.0 * error);
    }
    println!();
}

/// Returns a value for each question by one way.
fn values(
    ways: &[(&str, Vec<Weights>)],
    questions: &[Question],
    name: &str,
    value: impl Fn(&Weights, &Question) -> f64,
) -> Vec<f64> {
    let weights = ways.iter().filter(|(other, _)| *other == name).flat_map(|(_, weights)| weights);
    weights.zip(questions).map(|(weights, question)| value(weights, question)).collect()
}

/// Returns the mean of some values and its standard error.
fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0).max(1.0) / count).sqrt())
}
