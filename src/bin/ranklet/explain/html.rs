//! An explanation as a web page: one file without scripts, which requests nothing.

use std::fmt::Write;

use ranklet::{Contribution, PairText};

use super::Explained;
use crate::html::escaped;

/// Forbids all requests, so that the page cannot send the texts anywhere.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

const STYLE: &str = "\
:root{color-scheme:light dark;--text:#1c2128;--muted:#57606a;--page:#fff;--edge:#d0d7de;--more:23,105,194;--less:176,70,20}\
@media(prefers-color-scheme:dark){:root{--text:#e6eaef;--muted:#9aa5b1;--page:#14181d;--edge:#3d444d;--more:90,162,238;--less:239,139,88}}\
body{font:16px/1.9 system-ui,sans-serif;color:var(--text);background:var(--page);max-width:48rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.5rem;line-height:1.3}h2{font-size:1.15rem;margin-top:2rem}p.note{color:var(--muted);line-height:1.5}\
.text{white-space:pre-wrap;overflow-wrap:anywhere}mark{color:var(--text);background:none;border-radius:.2rem}\
summary{cursor:pointer;margin-top:2rem}table{border-collapse:collapse;line-height:1.5}caption{text-align:start;color:var(--muted)}\
th,td{text-align:start;padding:.2rem 1.5rem .2rem 0;border-bottom:1px solid var(--edge);vertical-align:top;overflow-wrap:anywhere}\
td.number{text-align:end;font-variant-numeric:tabular-nums;white-space:nowrap}\
@media print{details{display:block}}";

/// Returns the page. Color shows the sign and the size of a contribution. So does the line below a unit: it is solid if the
/// unit raises the logit and dashed if the unit lowers it. A table has the numbers.
pub(super) fn page(explained: &Explained) -> String {
    let explanation = explained.explanation;
    let (logit, base) = (explanation.logit, explanation.base);
    let example = |contribution: f32, text: &str| {
        let mut mark = String::new();
        push_mark(&mut mark, contribution, 1.0, text);
        mark
    };
    let (more, less) = (example(1.0, "raise it"), example(-1.0, "lower it"));
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Explanation of a score</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>Explanation of a score</h1>\n\
         <p class=\"note\">The logit is {logit:.4}, and {base:.4} without the marked parts. A solid line is below parts that \
         {more}, a dashed line below parts that {less}. The thicker the line, the more they do.</p>\n"
    );
    if explanation.span.is_some() {
        html.push_str(
            "<p class=\"note\">The document is longer than the model reads at once. The explanation is about its best \
             part.</p>\n",
        );
    }
    for (text, title) in [(PairText::Query, "Query"), (PairText::Document, "Document")] {
        // Writing to a string cannot fail.
        let _ = write!(html, "<h2>{title}</h2>\n<p class=\"text\" dir=\"auto\">");
        push_marked(&mut html, explained, text);
        html.push_str("</p>\n");
    }
    push_table(&mut html, explained);
    html.push_str("</main>\n</body>\n</html>\n");
    html
}

/// Appends a text with its units marked.
fn push_marked(html: &mut String, explained: &Explained, text: PairText) {
    let content = explained.text(text);
    let mut end = 0;
    for unit in explained.explanation.units.iter().filter(|unit| unit.text == text) {
        html.push_str(&escaped(&content[end..unit.span.start]));
        let share = unit.contribution.abs() / explained.max();
        push_mark(html, unit.contribution, share, explained.content(unit));
        end = unit.span.end;
    }
    html.push_str(&escaped(&content[end..]));
}

fn push_mark(html: &mut String, contribution: f32, share: f32, content: &str) {
    let (color, line) = if contribution < 0.0 { ("less", "dashed") } else { ("more", "solid") };
    let _ = write!(
        html,
        "<mark title=\"{contribution:+.4}\" style=\"background:rgba(var(--{color}),{:.2});border-bottom:{:.0}px {line} \
         rgb(var(--{color}))\">{}</mark>",
        0.4 * share,
        (4.0 * share).round(),
        escaped(content)
    );
}

/// Appends the contributions, largest first, for reading without colors and lines.
fn push_table(html: &mut String, explained: &Explained) {
    let mut units: Vec<&Contribution> = explained.explanation.units.iter().collect();
    units.sort_by(|a, b| b.contribution.abs().total_cmp(&a.contribution.abs()));
    html.push_str(
        "<details>\n<summary>All contributions as a table</summary>\n<table>\n<caption>Largest first. A negative one lowers \
         the logit.</caption>\n<thead><tr><th scope=\"col\">Contribution</th><th scope=\"col\">In</th>\
         <th scope=\"col\">Part</th></tr></thead>\n<tbody>\n",
    );
    for unit in units {
        let text = if unit.text == PairText::Query { "query" } else { "document" };
        let part = escaped(explained.content(unit));
        let _ = writeln!(
            html,
            "<tr><td class=\"number\">{:+.4}</td><td>{text}</td><td dir=\"auto\">{part}</td></tr>",
            unit.contribution
        );
    }
    html.push_str("</tbody>\n</table>\n</details>\n");
}
