//! Tests of what applications need around a reranker. `application.json` has values of independent implementations.

#[path = "../common/mod.rs"]
mod common;

mod calibration;
mod deadline;
mod rankings;
mod score_cache;
mod texts;

use serde::Deserialize;

/// The cases of one section of `application.json`.
fn cases<T: for<'de> Deserialize<'de>>(section: &str) -> Vec<T> {
    let json = include_str!("../fixtures/application.json");
    let mut sections: std::collections::BTreeMap<String, Box<serde_json::value::RawValue>> =
        serde_json::from_str(json).unwrap();
    let cases: Vec<T> = serde_json::from_str(sections.remove(section).unwrap().get()).unwrap();
    assert!(cases.len() >= 8, "only {} cases of {section}", cases.len());
    cases
}
