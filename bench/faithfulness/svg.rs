//! The curves as a picture that is readable on light and dark pages.

use std::fmt::Write;
use std::ops::RangeInclusive;

use crate::curves::{Curves, SHARES};
use crate::ways::{OCCLUSION, OVERLAP};

const STYLE: &str = "
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600 } .small { font-size: 11px; fill: #57606a }
  .axis { stroke: #9aa4af; fill: none } .curve { fill: none; stroke-width: 2 }
  .explained { stroke: #0b7a75; stroke-width: 3 } .overlap { stroke: #8250df; stroke-dasharray: 8 4 }
  .random { stroke: #6e7781; stroke-dasharray: 2 4 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .small { fill: #9198a1 } .axis { stroke: #5b646e }
    .explained { stroke: #2cb5ad } .overlap { stroke: #a371f7 } .random { stroke: #9198a1 }
  }";

/// The drawn orders of words, with their classes and labels.
const ORDERS: [(&str, &str, &str); 3] = [
    (OCCLUSION, "explained", "by contribution"),
    (OVERLAP, "overlap", "words of the query first"),
    ("random order", "random", "random order"),
];

const WIDTH: f64 = 310.0;
const HEIGHT: f64 = 190.0;

/// Returns the picture: for each data set, the mean logits while words are deleted and inserted in three orders.
pub(crate) fn picture(sets: &[(String, usize, Curves)]) -> String {
    let height = 50.0 + sets.len() as f64 * (HEIGHT + 80.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"760\" height=\"{height}\" viewBox=\"0 0 760 {height}\" role=\"img\" \
         aria-label=\"Mean logits while words are deleted and inserted\">\n<style>{STYLE}\n</style>\n"
    );
    // Writing to a string cannot fail.
    for (column, (_, class, label)) in ORDERS.into_iter().enumerate() {
        let x = 50 + column * 220;
        let _ = writeln!(
            svg,
            "<path class=\"curve {class}\" d=\"M{x} 22h40\"/><text x=\"{}\" y=\"26\">{label}</text>",
            x + 48
        );
    }
    for (row, (name, questions, curves)) in sets.iter().enumerate() {
        let range = logits(curves);
        let top = 75.0 + row as f64 * (HEIGHT + 80.0);
        for (column, change) in ["deleted", "inserted"].into_iter().enumerate() {
            let diagram = Diagram { left: 50.0 + column as f64 * (WIDTH + 70.0), top, range: range.clone() };
            let title = format!("{name}, {questions} questions: words {change}");
            let _ = writeln!(
                svg,
                "<text class=\"title\" x=\"{}\" y=\"{}\">{title}</text>",
                diagram.left,
                top - 14.0
            );
            diagram.push_axes(&mut svg);
            for (order, class, _) in ORDERS {
                let Some((_, deletion, insertion)) = curves.orders.iter().find(|(name, ..)| *name == order)
                else {
                    continue;
                };
                let curve = if column == 0 { deletion } else { insertion };
                let points = SHARES.iter().zip(curve).map(|(share, logit)| diagram.point(*share, *logit));
                let points: Vec<String> = points.collect();
                let _ = writeln!(svg, "<path class=\"curve {class}\" d=\"M{}\"/>", points.join("L"));
            }
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// Returns the whole logits around all drawn values.
fn logits(curves: &Curves) -> RangeInclusive<i32> {
    let drawn = curves.orders.iter().filter(|(name, ..)| ORDERS.iter().any(|(order, ..)| order == name));
    let values: Vec<f64> =
        drawn.flat_map(|(_, deletion, insertion)| [*deletion, *insertion].concat()).collect();
    let min = values.iter().copied().fold(f64::INFINITY, f64::min);
    let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    min.floor() as i32..=max.ceil() as i32
}

/// The place of a diagram and its range of logits.
struct Diagram {
    left: f64,
    top: f64,
    range: RangeInclusive<i32>,
}

impl Diagram {
    fn push_axes(&self, svg: &mut String) {
        for logit in self.range.clone().filter(|logit| logit % 2 == 0) {
            let _ = writeln!(
                svg,
                "<path class=\"axis\" d=\"M{}h{WIDTH}\"/><text class=\"small\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                self.point(0.0, f64::from(logit)),
                self.left - 6.0,
                self.y(f64::from(logit)) + 4.0,
                logit.to_string().replace('-', "−")
            );
        }
        for share in [0.0, 0.5, 1.0] {
            let _ = writeln!(
                svg,
                "<text class=\"small\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{:.0} %</text>",
                self.left + share * WIDTH,
                self.top + HEIGHT + 14.0,
                share * 100.0
            );
        }
    }

    fn y(&self, logit: f64) -> f64 {
        let (min, max) = (f64::from(*self.range.start()), f64::from(*self.range.end()));
        self.top + HEIGHT * (max - logit) / (max - min)
    }

    fn point(&self, share: f64, logit: f64) -> String {
        format!("{:.1} {:.1}", self.left + share * WIDTH, self.y(logit))
    }
}
