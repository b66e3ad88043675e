//! Templates of many forms, compared with what transformers writes. `chat_templates.json` is written by
//! `make_chat_templates.py`.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{MAX_BYTES, MAX_SET_BYTES, Message, PromptPiece, Source, TemplateInput, render};

#[derive(Deserialize)]
struct Cases {
    variables: Map<String, Value>,
    cases: Vec<Case>,
    refused: Vec<String>,
}

#[derive(Deserialize)]
struct Case {
    template: String,
    structured: bool,
    roles: Vec<String>,
    add_generation_prompt: bool,
    text: String,
}

const MESSAGES: [Message; 3] =
    [("system", Source::Instruction), ("query", Source::Query), ("document", Source::Document)];

fn cases() -> Cases {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/chat_templates.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn written(pieces: &[PromptPiece]) -> String {
    let mut written = String::new();
    for piece in pieces {
        written += match piece {
            PromptPiece::Text(text) => text,
            PromptPiece::Content { source: Source::Instruction, .. } => "⟦instruction⟧",
            PromptPiece::Content { source: Source::Query, .. } => "⟦query⟧",
            PromptPiece::Content { source: Source::Document, .. } => "⟦document⟧",
        };
    }
    written
}

#[test]
fn templates_write_what_transformers_writes() {
    let Cases { variables, cases, .. } = cases();
    assert!(cases.len() > 120, "{}", cases.len());
    for case in cases {
        let mut variables: Vec<(String, Value)> = variables.clone().into_iter().collect();
        variables.push(("add_generation_prompt".to_owned(), case.add_generation_prompt.into()));
        let messages = &MESSAGES[3 - case.roles.len()..];
        let input = TemplateInput { messages, structured: case.structured, variables: &variables };
        let pieces = render(&case.template, input);
        let pieces = pieces.unwrap_or_else(|error| panic!("{}: {error}", case.template));
        assert_eq!(written(&pieces), case.text, "{} for {:?}", case.template, case.roles);
    }
}

#[test]
fn templates_that_depend_on_the_texts_or_use_other_parts_of_jinja_are_refused() {
    for template in cases().refused {
        let input = TemplateInput { messages: &MESSAGES, structured: false, variables: &[] };
        let error = render(&template, input).err().unwrap_or_else(|| panic!("{template} is not refused"));
        assert_eq!(error.kind(), crate::ErrorKind::Unsupported, "{template}: {error}");
        assert!(error.context().starts_with("the chat template is not supported: "), "{template}: {error}");
    }
}

#[test]
fn hostile_templates_are_bounded() {
    let nested = "{% for a in messages %}".repeat(20) + "x" + &"{% endfor %}".repeat(20);
    let large = "x".repeat(MAX_BYTES - 100);
    let many = format!("{{% set a = '{}' %}}", "x".repeat(MAX_BYTES / 2))
        + &(0..2 * MAX_SET_BYTES / MAX_BYTES)
            .map(|index| format!("{{% set b{index} = a ~ 'x' %}}"))
            .collect::<String>();
    for (template, named) in [
        ("{% set a = 'aaaaaaaa' %}".to_owned() + &"{% set a = a ~ a %}".repeat(60), "bytes"),
        (format!("{{% for m in messages %}}{large}{{% endfor %}}"), "bytes"),
        (many, "variables have more than"),
        ("x".repeat(MAX_BYTES + 1), "bytes"),
        (nested, "steps"),
        ("{% if true %}".repeat(4_000), "nested too deeply"),
        (format!("{{{{ {}1 }}}}", "(".repeat(5_000)), "nested too deeply"),
        (format!("{{{{ {}1 }}}}", "[".repeat(5_000)), "nested too deeply"),
        (format!("{{{{ {}1 }}}}", "not ".repeat(5_000)), "operations"),
        (format!("{{{{ {}1 }}}}", "-".repeat(5_000)), "unexpected"),
        (format!("{{{{ 1{} }}}}", " + 1".repeat(5_000)), "operations"),
        (format!("{{{{ a{} }}}}", ".a".repeat(5_000)), "operations"),
        (format!("{{{{ a{} }}}}", "|list".repeat(5_000)), "operations"),
        (format!("{{{{ {} }}}}", "1 if 1 else ".repeat(5_000)), "nested too deeply"),
        ("{{ 99999999999999999999 }}".to_owned(), "too large"),
    ] {
        let input = TemplateInput { messages: &MESSAGES, structured: false, variables: &[] };
        let error = render(&template, input).err().unwrap_or_else(|| panic!("{named}: not refused"));
        assert!(error.context().contains(named), "{named}: {error}");
    }
}
