//! An explanation as a web page: one file without scripts and without requests.

use std::fmt::Write;

use ranklet::PairText;

use super::Explained;
use crate::html::escaped;

const STYLE: &str = "\
:root{color-scheme:light dark;--text:#1c2128;--muted:#5b6470;--page:#fff;--more:23,105,194;--less:196,80,27}\
@media(prefers-color-scheme:dark){:root{--text:#e6eaef;--muted:#9aa5b1;--page:#14181d;--more:90,162,238;--less:239,139,88}}\
body{font:16px/1.9 system-ui,sans-serif;color:var(--text);background:var(--page);max-width:48rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}p.note{color:var(--muted);line-height:1.5}.text{white-space:pre-wrap;overflow-wrap:anywhere}\
mark{color:inherit;background:none;border-radius:.2rem}";

/// Returns the page. Color shows the sign and the size of a contribution. The line below a unit shows the sign too: it is
/// solid if the unit raises the logit and dashed if the unit lowers it.
pub(super) fn page(explained: &Explained) -> String {
    let explanation = explained.explanation;
    let (logit, base) = (explanation.logit, explanation.base);
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Explanation of a score</title>\n\
         <style>{STYLE}</style>\n<h1>Explanation of a score</h1>\n\
         <p class=\"note\">The logit is {logit:.4}, and {base:.4} without the marked parts. A solid line marks parts that \
         raise it, a dashed line parts that lower it.</p>\n"
    );
    for (text, title) in [(PairText::Query, "Query"), (PairText::Document, "Document")] {
        html.push_str(&format!("<h2>{title}</h2>\n<p class=\"text\" dir=\"auto\">"));
        marked(&mut html, explained, text);
        html.push_str("</p>\n");
    }
    html.push_str("</html>\n");
    html
}

/// Appends a text with its units marked.
fn marked(html: &mut String, explained: &Explained, text: PairText) {
    let content = explained.text(text);
    let mut end = 0;
    for unit in explained.explanation.units.iter().filter(|unit| unit.text == text) {
        let share = unit.contribution.abs() / explained.max();
        let (color, line) = if unit.contribution < 0.0 { ("less", "dashed") } else { ("more", "solid") };
        html.push_str(&escaped(&content[end..unit.span.start]));
        // Writing to a string cannot fail.
        let _ = write!(
            html,
            "<mark title=\"{:+.4}\" style=\"background:rgba(var(--{color}),{:.2});border-bottom:{:.0}px {line} rgb(var(--{color}))\">{}</mark>",
            unit.contribution,
            0.4 * share,
            (4.0 * share).round(),
            escaped(explained.content(unit))
        );
        end = unit.span.end;
    }
    html.push_str(&escaped(&content[end..]));
}
