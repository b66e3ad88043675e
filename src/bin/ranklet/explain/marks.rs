//! Prints the contributions of words, for terminals and as plain text.

use std::fmt::Write;

use ranklet::{Contribution, PairText};

use super::Explained;
use crate::terminal::printable;

/// Share of the largest contribution below which a word is not marked.
const MIN_SHARE: f32 = 0.1;
/// Share from which a mark is bold.
const BOLD_SHARE: f32 = 0.5;
/// Maximum number of characters of a document.
const MAX_LENGTH: usize = 2000;
/// Maximum number of words in a list.
const MAX_WORDS: usize = 5;

/// Returns the part of a document that the model has read in one line, with escape codes of terminals around its words:
/// underlined and green if a word raises the score, crossed out and magenta if it lowers the score.
pub(crate) fn marked(explained: &Explained) -> String {
    let document = explained.document;
    let (mut end, last) =
        explained.explanation.span.map_or((0, document.len()), |span| (span.start, span.end));
    let mut line = String::new();
    let mut length = 0;
    let mut push = |line: &mut String, text: &str| {
        let printed = text.chars().take(MAX_LENGTH - length.min(MAX_LENGTH)).map(printable);
        line.extend(printed);
        length += text.chars().count();
        length < MAX_LENGTH
    };
    for (unit, share) in marked_units(explained) {
        let style = match (unit.contribution < 0.0, share >= BOLD_SHARE) {
            (false, false) => "4;32",
            (false, true) => "1;4;32",
            (true, false) => "9;35",
            (true, true) => "1;9;35",
        };
        if !push(&mut line, &document[end..unit.span.start]) {
            break;
        }
        // Writing to a string cannot fail.
        let _ = write!(line, "\x1b[{style}m");
        push(&mut line, explained.content(unit));
        line.push_str("\x1b[0m");
        end = unit.span.end;
    }
    if !push(&mut line, document.get(end..last).unwrap_or_default()) {
        line.push('…');
    }
    line
}

/// Returns two lines: the words of a document that raise the score most, and the words that lower it most.
pub(crate) fn listed(explained: &Explained) -> Vec<String> {
    let mut units: Vec<&Contribution> = marked_units(explained).map(|(unit, _)| unit).collect();
    units.sort_by(|a, b| b.contribution.abs().total_cmp(&a.contribution.abs()));
    let line = |lowers: bool, sign: char| {
        let words = units.iter().filter(|unit| (unit.contribution < 0.0) == lowers).take(MAX_WORDS);
        let words: Vec<String> = words
            .map(|unit| {
                let word: String = explained.content(unit).chars().map(printable).collect();
                format!("{word} {:.2}", unit.contribution.abs())
            })
            .collect();
        (!words.is_empty()).then(|| format!("{sign} {}", words.join(", ")))
    };
    [line(false, '+'), line(true, '-')].into_iter().flatten().collect()
}

/// Returns the units of a document that are marked, with their shares of the largest contribution.
fn marked_units<'a>(explained: &'a Explained) -> impl Iterator<Item = (&'a Contribution, f32)> {
    let max = explained.max();
    let units = explained.explanation.units.iter().filter(|unit| unit.text == PairText::Document);
    units.map(move |unit| (unit, unit.contribution.abs() / max)).filter(|(_, share)| *share >= MIN_SHARE)
}

#[cfg(test)]
mod tests {
    use ranklet::{Explanation, Span};

    use super::*;

    fn explanation(units: &[(usize, usize, f32)]) -> Explanation {
        let unit = |&(start, end, contribution): &(usize, usize, f32)| Contribution {
            text: PairText::Document,
            span: Span { start, end },
            contribution,
        };
        Explanation {
            logit: 1.0,
            base: 0.0,
            units: units.iter().map(unit).collect(),
            variants: 5,
            span: None,
        }
    }

    #[test]
    fn words_are_underlined_or_crossed_out_as_well_as_colored() {
        let document = "a bee\nstings \u{1b}[2J me";
        let explanation = explanation(&[(0, 1, 0.01), (2, 5, 2.0), (6, 12, -0.5), (18, 20, 0.3)]);
        let explained = Explained { query: "q", document, explanation: &explanation };
        assert_eq!(
            marked(&explained),
            "a \x1b[1;4;32mbee\x1b[0m \x1b[9;35mstings\x1b[0m  [2J \x1b[4;32mme\x1b[0m"
        );
        assert_eq!(listed(&explained), ["+ bee 2.00, me 0.30", "- stings 0.50"]);
    }

    #[test]
    fn long_documents_are_cut_and_chunks_stand_alone() {
        let document = format!("{}end", "x ".repeat(3000));
        let explanation = Explanation {
            span: Some(Span { start: 2, end: document.len() - 3 }),
            ..explanation(&[(4, 5, 1.0), (5000, 5001, 1.0)])
        };
        let text = marked(&Explained { query: "q", document: &document, explanation: &explanation });
        assert!(text.starts_with("x \x1b[1;4;32mx\x1b[0m x") && text.ends_with(" x …"), "{text}");
        assert_eq!(text.chars().count(), MAX_LENGTH + "\x1b[1;4;32m\x1b[0m…".chars().count());
    }
}
