//! `ranklet explain`: its table, its JSON and its page.

use std::process::Command;

use serde_json::Value;

use super::program::*;

const DOCUMENT: &str = "Bananas are <b>yellow</b>.\nParis is the \"capital\" of France.\n";

#[test]
fn units_are_printed_with_their_contributions() {
    let arguments = ["explain", "--query", "What is the capital of France?", "--document", "-"];
    let words = stdout(&ranklet_with_input(&arguments, DOCUMENT));
    assert_eq!(words.lines().count(), 11, "{words}");
    assert!(words.lines().any(|line| line.ends_with("  capital") && line.contains('+')), "{words}");
    let explain = |document| stdout(&ranklet(&["explain", "--query", arguments[2], "--document", document]));
    assert_eq!(explain(DOCUMENT), words, "the document is an argument");
    assert_eq!(explain(".NET has version 2.0").lines().count(), 4);
    assert_eq!(explain("- Paris is a city").lines().count(), 4, "an item of a list");
    for missing in ["no.txt", "/no such/file", "./no such", "no such/file name.jsonl"] {
        assert_fails(&["explain", "--query", "q", "--document", missing], &[missing]);
    }
    for text in ["Paris", "Read more about node.js"] {
        assert_fails(&["explain", "--query", "q", "--document", text], &[text, "use --document -"]);
    }
    assert!(explain("巴黎是法国的首都").lines().count() > 1, "a text of a language without spaces");
    let sentences = ["--unit", "sentence", "--samples", "2"];
    let sentences = stdout(&ranklet_with_input(&[&arguments[..], &sentences].concat(), DOCUMENT));
    assert_eq!(sentences.lines().count(), 2, "{sentences}");
}

#[test]
fn json_has_offsets_and_the_page_has_the_texts() {
    let folder = Folder::new();
    let document = folder.write("document.txt", DOCUMENT);
    let page = folder.path("page.html");
    let page = page.to_str().unwrap();
    let query = "capital of France & Paris";
    let arguments =
        ["explain", "--query", query, "--document", &document, "--of", "both", "--json", "--html", page];
    let explanation: Value = serde_json::from_str(&stdout(&ranklet(&arguments))).unwrap();
    let units = explanation["units"].as_array().unwrap();
    // The pair with and without units; for each of the three sentences, it and its punctuation; two for each word.
    assert_eq!(explanation["variants"], 2 + 3 * 2 - 1 + 2 * units.len());
    for unit in units {
        let text = if unit["text"] == "query" { query } else { DOCUMENT };
        let [start, end] = ["start", "end"].map(|end| unit["span"][end].as_u64().unwrap() as usize);
        assert_eq!(unit["content"], text[start..end]);
        assert!(unit["contribution"].is_number());
    }
    let page = std::fs::read_to_string(page).unwrap();
    // Two are in the legend.
    assert_eq!(page.matches("<mark").count(), units.len() + 2);
    assert_eq!(page.matches("<tr><td").count(), units.len());
    assert!(page.contains("default-src 'none'") && page.contains("prefers-color-scheme:dark"));
    assert!(page.contains("px solid") && page.contains("px dashed"), "{page}");
    assert!(page.contains("&lt;") && page.contains("&quot;") && page.contains(" &amp; "), "{page}");
    assert!(
        !page.contains("<b>")
            && !page.contains("<script")
            && !page.contains("http:")
            && !page.contains("https:")
    );
    assert!(!["src=", "href=", "url(", "@import"].iter().any(|request| page.contains(request)), "{page}");
    let nowhere = folder.path("missing/page.html");
    assert_fails(
        &["explain", "--query", "q", "--document", &document, "--html", nowhere.to_str().unwrap()],
        &["page.html"],
    );
}

/// Ranks two documents in text form. Escape codes are forced or forbidden by environment variables.
fn rank_in_environment(options: &[&str], variables: &[(&str, &str)]) -> String {
    let folder = Folder::new();
    let documents =
        folder.write("documents.txt", "Bananas are yellow.\nParis is the capital of France. It has parks.\n");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ranklet"));
    command.args(["rank", "--query", "What is the capital of France?", "--documents", &documents]);
    for name in ["NO_COLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command.args(options).envs(variables.iter().copied());
    stdout(&command.output().unwrap())
}

#[test]
fn rank_marks_words_in_a_terminal_with_colors_and_lists_them_elsewhere() {
    let forced = rank_in_environment(&["--explain"], &[("CLICOLOR_FORCE", "1")]);
    assert!(forced.contains("4;32mcapital\u{1b}[0m"), "{forced}");
    for variables in [&[][..], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]] {
        let plain = rank_in_environment(&["--explain"], variables);
        assert!(!plain.contains('\u{1b}'), "{plain}");
        assert!(plain.lines().nth(2).unwrap().trim_start().starts_with("+ "), "{plain}");
        assert!(plain.lines().nth(2).unwrap().contains("capital "), "{plain}");
    }
    let json = rank_in_environment(&["--explain", "--json", "--top-n", "1"], &[("CLICOLOR_FORCE", "1")]);
    let ranking: Value = serde_json::from_str(&json).unwrap();
    let result = &ranking["results"][0];
    let units = result["explanation"]["units"].as_array().unwrap();
    assert_eq!(units.len(), 9);
    for unit in units {
        let [start, end] = ["start", "end"].map(|end| unit["span"][end].as_u64().unwrap() as usize);
        assert_eq!(unit["content"], result["document"].as_str().unwrap()[start..end]);
    }
    assert_eq!(result.get("highlights"), None);
}

#[test]
fn rank_shows_the_best_sentences() {
    let text = rank_in_environment(&["--highlights", "1"], &[]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 5, "{text}");
    assert!(
        lines[2].ends_with("  Paris is the capital of France.")
            && lines[4].ends_with("  Bananas are yellow.")
    );
    let json = rank_in_environment(&["--highlights", "2", "--scores", "raw", "--json"], &[]);
    let ranking: Value = serde_json::from_str(&json).unwrap();
    let highlights = ranking["results"][0]["highlights"].as_array().unwrap();
    let spans: Vec<_> = highlights.iter().map(|one| (one["start"].as_u64(), one["end"].as_u64())).collect();
    assert_eq!(spans, [(Some(0), Some(31)), (Some(32), Some(45))]);
    // A document of one sentence has that sentence, with its own score.
    let other = &ranking["results"][1];
    assert_eq!(other["highlights"][0]["score"], other["score"]);
    assert_eq!(other["highlights"].as_array().unwrap().len(), 1);
}

#[test]
fn a_long_document_is_explained_as_it_is_ranked() {
    let folder = Folder::new();
    let document =
        folder.write("document.txt", format!("{}Paris is in France.\n", "Bees make honey. ".repeat(30)));
    let common = ["--query", "capital of France", "--max-length", "64", "--json"];
    let output = |arguments: &[&str], options: &[&str]| -> Value {
        serde_json::from_str(&stdout(&ranklet(&[arguments, &common, options].concat()))).unwrap()
    };
    let [cut, best] = [&[][..], &["--long-documents", "chunk"]].map(|options| {
        let ranking = output(&["rank", "--documents", &document, "--scores", "raw"], options);
        let explanation = output(&["explain", "--document", &document], options);
        assert_eq!(explanation["logit"], ranking["results"][0]["score"]);
        explanation["logit"].as_f64().unwrap()
    });
    assert!(best > cut, "{best} {cut}");
}

/// The sentence of a document of one sentence has a score already.
#[test]
fn only_sentences_without_a_score_are_scored() {
    let folder = Folder::new();
    let tokens = |documents: &str, options: &[&str]| {
        let documents = folder.write("documents.txt", documents);
        let query = "What is the capital of France?";
        let arguments = ["rank", "--query", query, "--documents", &documents, "--json"];
        let ranking: Value =
            serde_json::from_str(&stdout(&ranklet(&[&arguments[..], options].concat()))).unwrap();
        ranking["usage"]["tokens"].as_u64().unwrap()
    };
    let highlights = ["--highlights", "1"];
    let (one, two) = ("Bananas are yellow.\n", "Paris is the capital of France. It has parks.\n");
    assert_eq!(tokens(one, &highlights), tokens(one, &[]));
    let sentences = tokens(&two.replace(". ", ".\n"), &[]);
    assert_eq!(tokens(&format!("{one}{two}"), &highlights), tokens(one, &[]) + tokens(two, &[]) + sentences);
    // A fused score is not the model's.
    let fused = "{\"text\": \"Bananas are yellow.\", \"score\": 1}";
    let documents = folder.write("documents.jsonl", fused);
    let arguments = ["--documents", &documents, "--fuse", "rrf", "--highlights", "1", "--json"];
    let ranking: Value = serde_json::from_str(&stdout(&ranklet(
        &[&["rank", "--query", "What is the capital of France?"][..], &arguments].concat(),
    )))
    .unwrap();
    let result = &ranking["results"][0];
    assert_eq!(result["highlights"][0]["score"], result["model_score"]);
}
