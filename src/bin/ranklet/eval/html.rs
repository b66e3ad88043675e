//! An evaluation as a web page: one file with pictures, without scripts and without requests.

use std::fmt::Write;

use super::evaluation::{Evaluation, System};
use super::table::title;
use crate::html::escaped;
use crate::output::counted;

/// Bars of a histogram.
const BINS: usize = 10;
/// Queries listed at each end of the differences.
const LISTED: usize = 10;
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 180.0;

const STYLE: &str = "\
:root{color-scheme:light dark;--text:#1c2128;--muted:#5b6470;--page:#fff;--line:#d4dae1;--first:#8a94a0;--second:#1769c2;--third:#8046b8;--loss:#c4501b}\
@media(prefers-color-scheme:dark){:root{--text:#e6eaef;--muted:#9aa5b1;--page:#14181d;--line:#39424d;--first:#7b8794;--second:#5aa2ee;--third:#b58ae0;--loss:#ef8b58}}\
body{font:16px/1.5 system-ui,sans-serif;color:var(--text);background:var(--page);max-width:48rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}p,figcaption{color:var(--muted)}\
table{border-collapse:collapse;width:100%}th,td{padding:.35rem .6rem;border-bottom:1px solid var(--line);text-align:right;vertical-align:top}\
th:first-child,td:first-child{text-align:left}td small{color:var(--muted);white-space:nowrap}\
figure{margin:1rem 0}svg{width:100%;height:auto}svg text{fill:var(--muted);font-size:12px}.wide{overflow-x:auto}";

/// Returns the page.
pub(crate) fn page(evaluation: &Evaluation) -> String {
    let mut html = String::new();
    let measure = title(&evaluation.measures[0].to_string());
    let queries = evaluation.results.len();
    html.push_str("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n");
    html.push_str(
        "<meta name=\"viewport\" content=\"width=device-width\">\n<title>Ranking evaluation</title>\n",
    );
    push(&mut html, format_args!("<style>{STYLE}</style>\n<h1>Ranking evaluation</h1>\n"));
    let documents = counted(evaluation.documents, "document");
    push(&mut html, format_args!("<p>{}, {documents}.", counted(queries, "judged query")));
    if evaluation.unjudged_queries > 0 {
        let unjudged = counted(evaluation.unjudged_queries, "query");
        push(&mut html, format_args!(" Not counted: {unjudged} without judgments."));
    }
    if !evaluation.missing_queries.is_empty() {
        let missing = counted(evaluation.missing_queries.len(), "judged query");
        push(&mut html, format_args!(" The run lacks {missing}, not counted."));
    }
    html.push_str("</p>\n");
    means(&mut html, evaluation);
    comparisons(&mut html, evaluation);
    push(&mut html, format_args!("<h2>Distribution of {measure}</h2>\n"));
    for system in 0..evaluation.systems.len() {
        histogram(&mut html, evaluation, system);
    }
    for second in 1..evaluation.systems.len() {
        differences(&mut html, evaluation, second, &measure);
    }
    html.push_str("</html>\n");
    html
}

fn means(html: &mut String, evaluation: &Evaluation) {
    html.push_str("<h2>Means</h2>\n<div class=\"wide\"><table>\n<tr><th></th>");
    for measure in &evaluation.measures {
        push(html, format_args!("<th>{}</th>", title(&measure.to_string())));
    }
    html.push_str("</tr>\n");
    for (index, system) in evaluation.systems.iter().enumerate() {
        push(html, format_args!("<tr><td>{}</td>", system.title()));
        for measure in 0..evaluation.measures.len() {
            let (low, high) = evaluation.interval(index, measure);
            let mean = evaluation.mean(index, measure);
            push(html, format_args!("<td>{mean:.4}<br><small>{low:.3} to {high:.3}</small></td>"));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table></div>\n<p>Ranges are 95% bootstrap intervals over queries.</p>\n");
}

fn comparisons(html: &mut String, evaluation: &Evaluation) {
    html.push_str("<h2>Differences</h2>\n<div class=\"wide\"><table>\n");
    html.push_str("<tr><th></th><th>measure</th><th>difference</th><th>95% interval</th><th>p</th></tr>\n");
    for comparison in evaluation.comparisons() {
        let (low, high) = comparison.interval;
        push(
            html,
            format_args!(
                "<tr><td>{} over {}</td><td>{}</td><td>{:+.4}</td><td>{low:+.3} to {high:+.3}</td><td>{:.4}</td></tr>\n",
                comparison.systems.1.title(),
                comparison.systems.0.title(),
                title(&comparison.measure.to_string()),
                comparison.difference,
                comparison.p_value
            ),
        );
    }
    html.push_str("</table></div>\n<p>p is that of a two-sided paired permutation test.</p>\n");
}

/// Draws how many queries have which value of the first measure.
fn histogram(html: &mut String, evaluation: &Evaluation, system: usize) {
    let mut counts = [0usize; BINS];
    for value in evaluation.values(system, 0) {
        counts[((value * BINS as f64) as usize).min(BINS - 1)] += 1;
    }
    let max = counts.iter().copied().max().unwrap_or(0).max(1) as f64;
    let name = evaluation.systems[system].title();
    push(html, format_args!("<figure><figcaption>{name}: queries by value</figcaption>"));
    push(
        html,
        format_args!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"Histogram, {name}\">"),
    );
    let (bar, base, top) = (WIDTH / BINS as f64, HEIGHT - 20.0, 16.0);
    for (index, &count) in counts.iter().enumerate() {
        let height = count as f64 / max * (base - top);
        let x = index as f64 * bar;
        push(
            html,
            format_args!(
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\" fill=\"var({})\"/>",
                x + 3.0,
                base - height,
                bar - 6.0,
                color(evaluation.systems[system])
            ),
        );
        let middle = x + bar / 2.0;
        push(
            html,
            format_args!(
                "<text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{count}</text>",
                base - height - 4.0
            ),
        );
        let (from, to) = (index as f64 / BINS as f64, (index + 1) as f64 / BINS as f64);
        push(
            html,
            format_args!(
                "<text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{from:.1}–{to:.1}</text>",
                HEIGHT - 4.0
            ),
        );
    }
    html.push_str("</svg></figure>\n");
}

/// Draws the difference of each query, largest gain first, and lists the queries at both ends.
fn differences(html: &mut String, evaluation: &Evaluation, second: usize, measure: &str) {
    let (before, after) = (evaluation.values(second - 1, 0), evaluation.values(second, 0));
    let mut rows: Vec<(usize, f64)> =
        (0..before.len()).map(|query| (query, after[query] - before[query])).collect();
    rows.sort_by(|a, b| b.1.total_cmp(&a.1));
    let (gains, losses) =
        (rows.iter().filter(|row| row.1 > 0.0).count(), rows.iter().filter(|row| row.1 < 0.0).count());
    let name =
        format!("{} over {}", evaluation.systems[second].title(), evaluation.systems[second - 1].title());
    push(html, format_args!("<h2>{name}: {measure} by query</h2>\n"));
    push(
        html,
        format_args!(
            "<figure><figcaption>A gain in {}, a loss in {losses}, no difference in {}.</figcaption>",
            counted(gains, "query"),
            rows.len() - gains - losses
        ),
    );
    push(
        html,
        format_args!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"Difference of each query, sorted\">"
        ),
    );
    // The largest difference fills the height, and its value labels it.
    let max = rows.iter().map(|row| row.1.abs()).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let (bar, zero) = (WIDTH / rows.len().max(1) as f64, HEIGHT / 2.0);
    for (index, &(query, difference)) in rows.iter().enumerate() {
        let height = difference.abs() / max * (zero - 16.0);
        let (y, fill) = if difference > 0.0 {
            (zero - height, color(evaluation.systems[second]))
        } else {
            (zero, "--loss")
        };
        push(
            html,
            format_args!(
                "<rect x=\"{:.2}\" y=\"{y:.2}\" width=\"{:.2}\" height=\"{height:.2}\" fill=\"var({fill})\"><title>{}: {difference:+.3}</title></rect>",
                index as f64 * bar,
                (bar * 0.9).max(0.5),
                escaped(&evaluation.results[query].text)
            ),
        );
    }
    for (sign, y) in [('+', 12.0), ('-', HEIGHT - 4.0)] {
        push(html, format_args!("<text x=\"{WIDTH}\" y=\"{y}\" text-anchor=\"end\">{sign}{max:.3}</text>"));
    }
    push(
        html,
        format_args!("<line x1=\"0\" x2=\"{WIDTH}\" y1=\"{zero}\" y2=\"{zero}\" stroke=\"var(--line)\"/>"),
    );
    html.push_str("</svg></figure>\n<div class=\"wide\"><table>\n<tr><th>query</th><th>before</th><th>after</th><th>difference</th></tr>\n");
    let ends = rows.iter().take(LISTED).filter(|row| row.1 > 0.0);
    let ends = ends.chain(rows.iter().skip(rows.len().saturating_sub(LISTED)).filter(|row| row.1 < 0.0));
    for &(query, difference) in ends {
        let text = escaped(&evaluation.results[query].text);
        let (before, after) = (before[query], after[query]);
        push(
            html,
            format_args!(
                "<tr><td>{text}</td><td>{before:.3}</td><td>{after:.3}</td><td>{difference:+.3}</td></tr>\n"
            ),
        );
    }
    html.push_str("</table></div>\n");
}

fn color(system: System) -> &'static str {
    match system {
        System::FirstStage => "--first",
        System::Reranked => "--second",
        System::Compared => "--third",
    }
}

fn push(html: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = html.write_fmt(text);
}
