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
    let title = folder.write("title.jsonl", "{\"_id\": \"d\", \"title\": \"one\", \"text\": null}\n");
    assert_eq!(results(&[], &title, "")[0]["document"], "one");
    let other = folder.write("other.jsonl", "{\"id\": \"d\", \"title\": \"one\", \"text\": \"river\"}\n");
    assert_eq!(results(&[], &other, "")[0]["document"], "river");
}

/// The package and `ranklet serve` read the same texts.
#[test]
fn the_text_of_a_document_is_the_first_field_that_is_a_string() {
    let folder = Folder::new();
    let (cases, refused): (Vec<_>, Vec<_>) =
        document_texts().into_iter().partition(|(_, text)| text.is_some());
    let lines: String = cases.iter().map(|(document, _)| format!("{document}\n")).collect();
    let file = folder.write("cases.jsonl", lines);
    let mut rows = results(&["--top-n", "100"], &file, "").as_array().unwrap().clone();
    rows.sort_by_key(|row| row["index"].as_u64());
    assert_eq!(rows.len(), cases.len());
    for (row, (document, text)) in rows.iter().zip(cases) {
        assert_eq!(row["document"].as_str(), text.as_deref(), "{document}");
    }
    for (document, _) in refused {
        let file = folder.write("refused.jsonl", format!("\"a text\"\n{document}\n"));
        assert_fails(&["rank", "--query", "q", "--documents", &file], &["line 2"]);
    }
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
        ("{\"id\": 1, \"name\": \"x\"}", "has no \"text\" (it has id, name)"),
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

/// Documents as other programs write them, with one text.
#[test]
fn documents_of_other_programs_are_read() {
    let folder = Folder::new();
    for (name, content) in [
        (
            "langchain.json",
            r#"[{"id": null, "metadata": {"source": "a"}, "page_content": "one river", "type": "Document"}]"#,
        ),
        (
            "langchain-dumps.json",
            r#"[{"lc": 1, "type": "constructor", "id": ["Document"], "kwargs": {"page_content": "one river"}}]"#,
        ),
        (
            "llama-index.json",
            r#"[{"node": {"id_": "x", "text": "one river", "class_name": "TextNode"}, "score": 0.5}]"#,
        ),
        ("haystack.json", r#"[{"id": "1", "content": "one river", "blob": null, "meta": {}}]"#),
        ("cohere.json", r#"{"query": "q", "documents": ["one river"], "top_n": 2}"#),
        (
            "cohere-response.json",
            r#"{"results": [{"index": 0, "relevance_score": 0.9, "document": {"text": "one river"}}]}"#,
        ),
        (
            "elasticsearch.json",
            "{\n\"hits\": {\"total\": 1, \"hits\": [{\"_id\": \"7\", \"_source\": {\"text\": \"one river\"}}]}\n}",
        ),
        ("elasticsearch.jsonl", r#"{"_id": "7", "_source": {"content": "one river"}}"#),
        ("one.json", r#"{"text": "one river"}"#),
        ("lines.json", "{\"text\": \"one river\"}\n\n"),
        ("array.jsonl", "[\n{\"text\": \"one river\"}\n]\n"),
        ("windows.jsonl", "\u{feff}{\"text\": \"one river\"}\r\n\r\n"),
    ] {
        let found = results(&[], &folder.write(name, content), "");
        assert_eq!(found.as_array().unwrap().len(), 1, "{name}");
        assert_eq!(found[0]["document"], "one river", "{name}");
    }
    let hit = folder.write("hit.json", r#"[{"_id": "7", "_source": {"text": "one river"}}]"#);
    assert_eq!(results(&[], &hit, "")[0]["id"], "7");
    let response = "{\n\"documents\": [\"one river\"]\n}\n";
    assert_eq!(results(&[], "-", response)[0]["document"], "one river");
    assert_eq!(results(&[], "-", "[\n\"one river\",\n\"two roads\"]\n").as_array().unwrap().len(), 2);
}

/// JSON.stringify and json.dumps write half of an emoji as the escape of a lone surrogate.
#[test]
fn half_an_emoji_in_json_is_the_replacement_character() {
    let documents = "{\"text\":\"half \\ud83d emoji\"}\n{\"text\":\"other\"}\n";
    for input in [documents.to_owned(), format!("[{}]", documents.trim().replace('\n', ","))] {
        let found = results(&[], "-", &input);
        let texts: Vec<&str> =
            found.as_array().unwrap().iter().map(|result| result["document"].as_str().unwrap()).collect();
        assert!(texts.contains(&"half \u{fffd} emoji") && texts.len() == 2, "{found}");
    }
    let pairs = "[\"q\", \"half \\ud83d emoji\"]\n";
    assert_eq!(stdout(&ranklet_with_input(&["score", "--pairs", "-"], pairs)).lines().count(), 1);
}

#[test]
fn a_broken_line_on_stdin_does_not_turn_the_others_into_text() {
    let model = model("bert-gelu-h36");
    let arguments = ["rank", "--model", &model, "--query", "q", "--documents", "-"];
    let output = ranklet_with_input(&arguments, "{\"text\": \"one\"}\n{\"text\": \"two\"\n");
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && text.contains("line 2 is not JSON: it ends inside a value"),
        "{text}"
    );
}

#[test]
fn files_that_are_no_text_are_named_with_a_way_to_read_them() {
    let folder = Folder::new();
    for (name, content, problem) in [
        ("a.json.gz", &b"\x1f\x8b\x08\x00"[..], "gunzip"),
        ("a.json", b"\x1f\x8b\x08\x00", "gunzip"),
        ("a.txt", b"\xff\xfeP\x00", "iconv -f UTF-16"),
        ("a.parquet", b"PAR1\x15", "Parquet"),
        ("latin.txt", b"caf\xe9\n", "not UTF-8 text (from byte 3 on)"),
        ("empty.json", b"\n", "is empty"),
        ("list.json", b"{\"took\": 1}", "has no \"text\" (it has took)"),
        ("trailing.json", b"[\"a\",]", "trailing comma"),
    ] {
        let file = folder.write(name, content);
        assert_fails(&["rank", "--query", "q", "--documents", &file], &[&file, problem]);
    }
}
