//! Documents of ranklet rank: file types, pipes, fields, ids, and what is refused.

use serde_json::Value;

use super::program::*;

/// The results of ranking documents, with options and stdin.
fn results(options: &[&str], documents: &str, input: &str) -> Value {
    let model = model("bert-gelu-h36");
    let arguments = ["rank", "--model", &model, "--query", "Paris", "--json", "--documents", documents];
    let ranking: Value =
        serde_json::from_str(&stdout(&ranklet_with_input(&[&arguments[..], options].concat(), input)))
            .unwrap();
    ranking["results"].clone()
}

#[test]
fn documents_are_read_from_each_file_type() {
    let folder = Folder::new();
    let rank = |file: &str, input: &str| {
        let arguments =
            ["rank", "--model", &model("bert-gelu-h36"), "--query", "Paris", "--documents", file, "--json"];
        let ranking: Value = serde_json::from_str(&stdout(&ranklet_with_input(&arguments, input))).unwrap();
        ranking["results"].clone()
    };
    let expected = rank(&folder.write("a.json", r#"["one river", "two roads"]"#), "");
    assert_eq!(expected.as_array().unwrap().len(), 2);
    assert_eq!(rank(&folder.write("b.json", r#"[{"text": "one river"}, "two roads"]"#), ""), expected);
    assert_eq!(
        rank(
            &folder.write("c.jsonl", "{\"text\": \"one river\", \"url\": 7}\n{\"text\": \"two roads\"}\n"),
            ""
        ),
        expected
    );
    assert_eq!(rank(&folder.write("d.txt", "one river\r\ntwo roads\r\n"), ""), expected);
    assert_eq!(rank("-", "one river\ntwo roads\n"), expected);
    assert_eq!(rank(&folder.write("bom.txt", "\u{feff}one river\ntwo roads\n"), ""), expected);
}

const LINES: &str = "{\"id\": \"a\", \"text\": \"one river\"}\n{\"_id\": 2, \"contents\": \"two roads\"}\n";

/// Scores by index, and ids.
fn scores_and_ids(results: &Value) -> Vec<(u64, f64, String)> {
    let mut rows: Vec<_> = results
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["index"].as_u64().unwrap(),
                row["score"].as_f64().unwrap(),
                row["id"].as_str().unwrap_or("").to_owned(),
            )
        })
        .collect();
    rows.sort_by_key(|row| row.0);
    rows
}

#[test]
fn json_lines_are_recognized_in_files_of_any_name_and_on_stdin() {
    let folder = Folder::new();
    let expected = scores_and_ids(&results(&[], &folder.write("a.jsonl", LINES), ""));
    assert_eq!(expected.iter().map(|row| row.2.as_str()).collect::<Vec<_>>(), ["a", "2"]);
    for name in ["b.ndjson", "C.JSONL", "without-extension"] {
        assert_eq!(scores_and_ids(&results(&[], &folder.write(name, LINES), "")), expected, "{name}");
    }
    assert_eq!(scores_and_ids(&results(&[], "-", LINES)), expected);
    let json = folder
        .write("d.data", r#"[{"id": "a", "text": "one river"}, {"id": 2, "pageContent": "two roads"}]"#);
    assert_eq!(scores_and_ids(&results(&["--format", "json"], &json, "")), expected);
    // Lines that are not all objects are text, and so are objects if the caller says so.
    assert_eq!(results(&[], "-", "{\"a\": 1}\none river\n").as_array().unwrap().len(), 2);
    let texts = results(&["--format", "text"], "-", LINES);
    assert!(texts[0]["document"].as_str().unwrap().starts_with('{'));
}

#[cfg(unix)]
#[test]
fn documents_are_read_from_a_device_without_an_extension() {
    assert_eq!(results(&[], "/dev/stdin", LINES), results(&[], "-", LINES));
}

#[test]
fn a_document_of_a_beir_corpus_is_its_title_and_its_text() {
    let folder = Folder::new();
    let beir = folder.write("corpus.jsonl", "{\"_id\": \"d\", \"title\": \"one\", \"text\": \"river\"}\n");
    assert_eq!(results(&[], &beir, "")[0]["document"], "one river");
    let other = folder.write("other.jsonl", "{\"id\": \"d\", \"title\": \"one\", \"text\": \"river\"}\n");
    assert_eq!(results(&[], &other, "")[0]["document"], "river");
}

#[test]
fn a_query_may_begin_with_a_dash() {
    for query in ["-5 degrees", "--force flag of git push"] {
        let model = model("bert-gelu-h36");
        let output = ranklet_with_input(
            &["rank", "--model", &model, "--query", query, "--documents", "-"],
            "five degrees below zero\n",
        );
        assert!(stdout(&output).contains("five degrees"));
    }
}

#[test]
fn a_line_that_is_no_document_is_named_once_with_what_it_lacks() {
    let folder = Folder::new();
    for (line, problem) in [
        ("{\"text\": null}", "its \"text\" is null"),
        ("{\"id\": 1, \"body\": \"x\"}", "has no \"text\" (it has body, id)"),
        ("{\"text\": \"x\"", "line 2 is not JSON"),
        ("7", "is a number"),
        ("{}", "it has no field"),
    ] {
        let file = folder.write("lines.jsonl", format!("{{\"text\": \"first\"}}\n{line}\n"));
        assert_fails(&["rank", "--query", "q", "--documents", &file], &["line 2", problem]);
        let output = ranklet(&["rank", "--query", "q", "--documents", &file]);
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!text.contains("line 1") && !text.contains("untagged"), "{text}");
    }
}
