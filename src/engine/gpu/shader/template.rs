//! What stands between a `.wgsl` file and WGSL: names, choices, and loops that are written out.
//!
//! Loops over registers have to be written out, for an array that is indexed by a variable lives in memory on most
//! drivers. A line that begins with `#` is one of ours:
//!
//! - `#for I in 0..TILE_ROWS` or `#for C in x y z w`, up to `#end`: the lines between, once for each value of `I`;
//! - `#if GATE` or `#if not GATE`, up to `#else` or `#end`: the lines between, where the name has a value.
//!
//! Anywhere else `{I}` stands for the value of `I`.

use std::collections::BTreeMap;

/// Values by name.
pub(crate) type Names = BTreeMap<&'static str, String>;

/// Writes a template out. Templates are our own: what is wrong in one is seen by the test that reads them all.
pub(crate) fn expand(template: &str, names: &Names) -> String {
    let lines: Vec<&str> = template.lines().collect();
    let mut known: BTreeMap<String, String> =
        names.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let mut text = String::new();
    block(&lines, &mut known, &mut text);
    text
}

fn block(lines: &[&str], names: &mut BTreeMap<String, String>, text: &mut String) {
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["#for", name, "in", values @ ..] => {
                let end = at + end_of(&lines[at..]);
                for value in listed(values, names) {
                    let outer = names.insert((*name).to_owned(), value);
                    block(&lines[at + 1..end], names, text);
                    match outer {
                        Some(outer) => names.insert((*name).to_owned(), outer),
                        None => names.remove(*name),
                    };
                }
                at = end;
            }
            ["#if", condition @ ..] => {
                let end = at + end_of(&lines[at..]);
                let other = at + else_of(&lines[at..]);
                let chosen = if holds(condition, names) {
                    &lines[at + 1..other]
                } else {
                    &lines[(other + 1).min(end)..end]
                };
                block(chosen, names, text);
                at = end;
            }
            _ => {
                substitute(line, names, text);
                text.push('\n');
            }
        }
        at += 1;
    }
}

/// The values of a loop: those of a range, or those that are written there.
fn listed(values: &[&str], names: &BTreeMap<String, String>) -> Vec<String> {
    let number = |word: &str| names.get(word).map_or(word, |value| value).parse::<usize>().ok();
    match values {
        [range] if range.contains("..") => {
            let (first, end) = range.split_once("..").unwrap_or_default();
            let (first, end) = (number(first).unwrap_or(0), number(end).unwrap_or(0));
            (first..end).map(|value| value.to_string()).collect()
        }
        values => values.iter().map(|value| (*value).to_owned()).collect(),
    }
}

fn holds(condition: &[&str], names: &BTreeMap<String, String>) -> bool {
    match condition {
        ["not", name] => !names.contains_key(*name),
        [name] => names.contains_key(*name),
        _ => false,
    }
}

/// Where the block that begins with the first line ends.
fn end_of(lines: &[&str]) -> usize {
    within(lines, "#end").unwrap_or(lines.len())
}

/// Where its first part ends.
fn else_of(lines: &[&str]) -> usize {
    within(lines, "#else").unwrap_or_else(|| end_of(lines))
}

/// The line of the block itself, not of one in it, that begins with `word`.
fn within(lines: &[&str], word: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, line) in lines.iter().enumerate() {
        let first = line.split_whitespace().next().unwrap_or_default();
        if depth == 1 && first == word {
            return Some(at);
        }
        match first {
            "#for" | "#if" => depth += 1,
            "#end" if depth == 1 => return None,
            "#end" => depth -= 1,
            _ => {}
        }
    }
    None
}

fn substitute(line: &str, names: &BTreeMap<String, String>, text: &mut String) {
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        match after.split_once('}').and_then(|(name, rest)| Some((names.get(name)?, rest))) {
            Some((value, behind)) => {
                text.push_str(value);
                rest = behind;
            }
            None => {
                text.push('{');
                rest = after;
            }
        }
    }
    text.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(template: &str, names: &[(&'static str, &str)]) -> String {
        expand(template, &names.iter().map(|(name, value)| (*name, (*value).to_owned())).collect())
    }

    #[test]
    fn loops_are_written_out_and_may_stand_in_loops() {
        let template = "a\n#for I in 0..N\n  #for C in x y\n  r{I}.{C};\n  #end\n#end\nb {I}";
        assert_eq!(expanded(template, &[("N", "2")]), "a\n  r0.x;\n  r0.y;\n  r1.x;\n  r1.y;\nb {I}\n");
        assert_eq!(expanded("#for I in 0..N\nx\n#end", &[("N", "0")]), "");
    }

    #[test]
    fn choices_have_two_sides() {
        let template = "#if GATE\n#if not DEEP\ng\n#end\n#else\nn\n#end\n.";
        assert_eq!(expanded(template, &[("GATE", "")]), "g\n.\n");
        assert_eq!(expanded(template, &[("GATE", ""), ("DEEP", "")]), ".\n");
        assert_eq!(expanded(template, &[]), "n\n.\n");
    }

    #[test]
    fn braces_of_wgsl_stay() {
        assert_eq!(expanded("fn f() { return {N}u; }", &[("N", "3")]), "fn f() { return 3u; }\n");
    }
}
