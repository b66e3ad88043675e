//! An evaluation for the terminal.

use std::io::{self, Write};

use ranklet::Result;

use super::evaluation::Evaluation;
use crate::output::{counted, print as print_with};

pub(crate) fn print(evaluation: &Evaluation, json: bool) -> Result<()> {
    print_with(
        |out| if json { writeln!(out, "{}", evaluation.to_json()) } else { write_table(out, evaluation) },
    )
}

fn write_table(out: &mut dyn Write, evaluation: &Evaluation) -> io::Result<()> {
    write!(out, "{:<12}", "")?;
    for measure in &evaluation.measures {
        write!(out, "  {:>10}", title(&measure.to_string()))?;
    }
    writeln!(out)?;
    for (index, system) in evaluation.systems.iter().enumerate() {
        write!(out, "{:<12}", system.title())?;
        for measure in 0..evaluation.measures.len() {
            write!(out, "  {:>10.4}", evaluation.mean(index, measure))?;
        }
        writeln!(out)?;
    }
    for comparison in evaluation.comparisons() {
        let (low, high) = comparison.interval;
        writeln!(
            out,
            "{}: {} over {} {:+.4} (95% interval {low:+.4} to {high:+.4}), p = {:.4}",
            title(&comparison.measure.to_string()),
            comparison.systems.1.title(),
            comparison.systems.0.title(),
            comparison.difference,
            comparison.p_value
        )?;
    }
    let (queries, documents) = (evaluation.results.len(), evaluation.documents);
    write!(out, "{}, {}", counted(queries, "query"), counted(documents, "document"))?;
    match evaluation.unjudged_queries {
        0 => writeln!(out),
        unjudged => writeln!(out, "; not counted: {} without judgments", counted(unjudged, "query")),
    }
}

/// The name of a measure as papers write it.
pub(crate) fn title(name: &str) -> String {
    let upper = name.to_uppercase();
    upper.replace("NDCG_EXP", "nDCG-exp").replace("NDCG", "nDCG").replace("RECALL", "Recall")
}
