//! `ranklet explain`: its table, its JSON and its page.

use serde_json::Value;

use super::program::*;

const DOCUMENT: &str = "Bananas are <b>yellow</b>.\nParis is the \"capital\" of France.\n";

#[test]
fn units_are_printed_with_their_contributions() {
    let arguments = ["explain", "--query", "What is the capital of France?", "--document", "-"];
    let words = stdout(&ranklet_with_input(&arguments, DOCUMENT));
    assert_eq!(words.lines().count(), 11, "{words}");
    assert!(words.lines().any(|line| line.ends_with("  capital") && line.contains('+')), "{words}");
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
    assert_eq!(explanation["variants"], units.len() + 2);
    for unit in units {
        let text = if unit["text"] == "query" { query } else { DOCUMENT };
        let [start, end] = ["start", "end"].map(|end| unit["span"][end].as_u64().unwrap() as usize);
        assert_eq!(unit["content"], text[start..end]);
        assert!(unit["contribution"].is_number());
    }
    let page = std::fs::read_to_string(page).unwrap();
    assert_eq!(page.matches("<mark").count(), units.len());
    assert!(page.contains("&lt;") && page.contains("&quot;") && page.contains(" &amp; "), "{page}");
    assert!(!page.contains("<b>") && !page.contains("<script") && !page.contains("http"), "{page}");
    let nowhere = folder.path("missing/page.html");
    assert_fails(
        &["explain", "--query", "q", "--document", &document, "--html", nowhere.to_str().unwrap()],
        &["page.html"],
    );
}
