//! What `docs/models.md` says of files with unusual values: the errors, and the values that are read nevertheless.

use std::path::Path;

use ranklet::Error;
use serde_json::Value;

/// The tables of the guide.
pub(crate) struct DocumentedFiles {
    errors: Vec<ErrorRow>,
    lenient: Vec<LenientRow>,
}

/// A row of the table of errors: the code, and the text with `…` for the parts that vary.
struct ErrorRow {
    code: String,
    message: String,
}

/// A row of the table of values that only Ranklet reads: a file and fields in it.
struct LenientRow {
    file: String,
    fields: Vec<String>,
}

impl DocumentedFiles {
    pub(crate) fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/models.md");
        let guide = std::fs::read_to_string(path).unwrap();
        let rows = |heading: &str| -> Vec<Vec<String>> {
            let (_, section) = guide.split_once(heading).unwrap_or_else(|| panic!("no section {heading:?}"));
            let section = section.split_once("\n## ").map_or(section, |(section, _)| section);
            let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
            rows.map(|row| {
                row.trim_end_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()
            })
            .collect()
        };
        let unquoted = |cell: &str| cell.trim_matches('`').to_owned();
        let errors = rows("\n## Errors of files\n").into_iter();
        let lenient = rows("\n## Files that only Ranklet reads\n").into_iter();
        Self {
            errors: errors
                .map(|cells| ErrorRow { code: unquoted(&cells[0]), message: cells[1].clone() })
                .collect(),
            lenient: lenient
                .map(|cells| LenientRow {
                    file: unquoted(&cells[0]),
                    fields: cells[1].split(", ").map(unquoted).collect(),
                })
                .collect(),
        }
    }

    /// Returns the index of the row that has an error.
    pub(crate) fn row_of(&self, error: &Error) -> Option<usize> {
        let has = |row: &ErrorRow| row.code == error.kind().code() && matches(&row.message, error.context());
        self.errors.iter().position(has)
    }

    /// Returns whether a value is listed as one that only Ranklet reads.
    pub(crate) fn is_lenient(&self, file: &str, path: &[Value], value: Option<&Value>) -> bool {
        let part = |part: &Value| part.as_str().map_or_else(|| "*".to_owned(), str::to_owned);
        let parts: Vec<String> = path.iter().map(part).collect();
        let names: Vec<String> = (0..=parts.len()).map(|end| parts[..end].join(".")).collect();
        let is_null = value == Some(&Value::Null);
        self.lenient.iter().any(|row| {
            let has = |field: &String| names.contains(field) || is_null && field == "null";
            (row.file == file || row.file == "any file") && row.fields.iter().any(has)
        })
    }
}

/// Returns whether a text has the parts of a pattern between `…`, in order.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('…');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, parts)) = parts.split_last() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[test]
fn a_pattern_matches_texts_with_its_parts_in_order() {
    assert!(matches("a … is …, not …", "a b is 1, not 2"));
    assert!(matches("… end", "the end"));
    assert!(!matches("a … is", "a b is 1"));
    assert!(!matches("a b", "a b c"));
}
