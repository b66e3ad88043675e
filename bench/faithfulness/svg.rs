//! The curves as a picture that is readable on light and dark pages.

use std::fmt::Write;

use crate::curves::{Curves, SHARES};

const STYLE: &str = "
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600 } .small { font-size: 11px; fill: #57606a }
  .axis { stroke: #9aa4af; fill: none } path { fill: none; stroke-width: 2 }
  .explained { stroke: #0b7a75; stroke-width: 3 } .overlap { stroke: #8250df; stroke-dasharray: 8 4 }
  .random { stroke: #6e7781; stroke-dasharray: 2 4 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .small { fill: #9198a1 } .axis { stroke: #5b646e }
    .explained { stroke: #2cb5ad } .overlap { stroke: #a371f7 } .random { stroke: #9198a1 }
  }";

const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 190.0;
/// The share of the logit at the top and at the bottom of a diagram.
const RANGE: (f64, f64) = (1.2, -0.2);

/// Returns the picture: for each data set, the deletion and the insertion curves of leaving words out, of the overlap of
/// words, and of a random order.
pub(crate) fn picture(sets: &[(String, usize, Curves)]) -> String {
    let height = 60.0 + sets.len() as f64 * (HEIGHT + 75.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"760\" height=\"{height}\" viewBox=\"0 0 760 {height}\" role=\"img\" \
         aria-label=\"Logits while words are deleted and inserted\">\n<style>{STYLE}\n</style>\n"
    );
    for (line, (class, label)) in [
        ("explained", "by contribution"),
        ("overlap", "words of the query first"),
        ("random", "random order"),
    ]
    .into_iter()
    .enumerate()
    {
        let x = 60 + line * 220;
        let _ = writeln!(
            svg,
            "<path class=\"{class}\" d=\"M{x} 22h40\"/><text x=\"{}\" y=\"26\">{label}</text>",
            x + 48
        );
    }
    for (row, (name, questions, curves)) in sets.iter().enumerate() {
        let top = 75.0 + row as f64 * (HEIGHT + 75.0);
        for (column, what) in ["deleted", "inserted"].into_iter().enumerate() {
            let left = 60.0 + column as f64 * (WIDTH + 70.0);
            let _ = writeln!(
                svg,
                "<text class=\"title\" x=\"{left}\" y=\"{}\">{name}, {questions} questions: words {what}</text>",
                top - 12.0
            );
            axes(&mut svg, left, top);
            for (order, class) in
                [("left out", "explained"), ("words of the query first", "overlap"), ("random", "random")]
            {
                let Some((_, deletion, insertion)) = curves.orders.iter().find(|(name, ..)| *name == order)
                else {
                    continue;
                };
                let curve = if column == 0 { deletion } else { insertion };
                let points = SHARES.iter().zip(curve).map(|(share, logit)| point(left, top, *share, *logit));
                let points: Vec<String> = points.collect();
                let _ = writeln!(svg, "<path class=\"{class}\" d=\"M{}\"/>", points.join("L"));
            }
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn axes(svg: &mut String, left: f64, top: f64) {
    for (logit, label) in [(0.0, "no words"), (1.0, "all words")] {
        let _ = writeln!(
            svg,
            "<path class=\"axis\" d=\"M{}H{}\"/><text class=\"small\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            point(left, top, 0.0, logit),
            left + WIDTH,
            left - 6.0,
            y(top, logit) + 4.0
        );
    }
    for share in [0.0, 0.5, 1.0] {
        let _ = writeln!(
            svg,
            "<text class=\"small\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{:.0} %</text>",
            left + share * WIDTH,
            top + HEIGHT + 14.0,
            share * 100.0
        );
    }
}

fn y(top: f64, logit: f64) -> f64 {
    top + HEIGHT * (RANGE.0 - logit.clamp(RANGE.1, RANGE.0)) / (RANGE.0 - RANGE.1)
}

fn point(left: f64, top: f64, share: f64, logit: f64) -> String {
    format!("{:.1} {:.1}", left + share * WIDTH, y(top, logit))
}
