//! Errors of serde_json in the words of JSON.

/// Describes what is wrong with JSON. Leaves out the line number if the text is a single line, because a caller may name
/// the line of a file.
pub fn json_problem(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let problem = text.rsplit_once(" at line ").map_or(text.as_str(), |(problem, _)| problem);
    let problem =
        if error.is_eof() { "it ends inside a value".to_owned() } else { in_words_of_json(problem) };
    match (error.line(), error.column()) {
        (0 | 1, 0) => problem,
        (0 | 1, column) => format!("{problem} at column {column}"),
        (line, column) => format!("{problem} at line {line}, column {column}"),
    }
}

/// Replaces serde's names of types, which are those of Rust.
fn in_words_of_json(problem: &str) -> String {
    let Some((found, wanted)) =
        problem.strip_prefix("invalid type: ").and_then(|problem| problem.split_once(", expected "))
    else {
        return problem.replace('`', "\"");
    };
    let found = match found {
        "map" => "an object",
        "sequence" => "an array",
        "unit value" => "null",
        other => other,
    };
    let found = found.replace("integer ", "the number ").replace("floating point ", "the number ");
    let wanted = match wanted {
        "f64" | "f32" => "a number",
        "u32" | "u64" | "usize" => "a whole number",
        "a sequence" => "an array",
        other if other.starts_with("struct") || other == "a map" => "an object",
        other => other,
    };
    format!("{} in place of {wanted}", found.replace('`', ""))
}

#[cfg(test)]
mod tests {
    use super::json_problem;

    fn problem<T: serde::de::DeserializeOwned + std::fmt::Debug>(text: &str) -> String {
        json_problem(&serde_json::from_str::<T>(text).unwrap_err())
    }

    #[test]
    fn problems_name_types_of_json_and_one_place() {
        assert_eq!(problem::<Vec<String>>("{}"), "an object in place of an array");
        assert_eq!(problem::<Vec<String>>("[1]"), "the number 1 in place of a string at column 2");
        assert_eq!(problem::<Vec<f64>>("[\n\"x\"]"), "string \"x\" in place of a number at line 2, column 3");
        assert_eq!(problem::<Vec<String>>("[null]"), "null in place of a string at column 5");
        assert_eq!(problem::<Vec<String>>("[\"a\""), "it ends inside a value at column 4");
        assert_eq!(problem::<Vec<String>>("[\"a\",]"), "trailing comma at column 6");
    }
}
