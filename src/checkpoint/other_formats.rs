//! Weights in formats that are not read: names them, and the repository that has the weights in another form.

use serde_json::Value;

use super::model_layout::{OtherFormat, is_plain_name, layout, no_weights};
use crate::error::{Error, Result, weights};

/// Checks that a model without weights that are read has none in another format either. `read` gives the content of a
/// listed file, if it can be read.
///
/// # Errors
/// `weights`, with the format and, if the files name it, the model that the weights were made from.
pub(super) fn check_formats(listing: &[&str], read: impl FnMut(&str) -> Option<Vec<u8>>) -> Result<()> {
    let is_present = |name: &String| listing.contains(&name.as_str());
    let layout = layout();
    let has_weights = layout.weights.iter().any(|form| is_present(&form.name));
    let is_refused = layout.files.iter().any(|file| file.refused.is_some() && is_present(&file.name));
    if has_weights || is_refused {
        return Ok(());
    }
    match other_format(listing) {
        Some((file, format)) => Err(only(file, format, origin(listing, read))),
        None => Ok(()),
    }
}

/// Returns the first file with weights in another format, and the format.
fn other_format<'a>(listing: &[&'a str]) -> Option<(&'a str, &'static OtherFormat)> {
    layout().other_formats.iter().find_map(|format| {
        let file = listing.iter().find(|name| name.to_ascii_lowercase().ends_with(&format.ending))?;
        Some((*file, format))
    })
}

fn only(file: &str, format: &OtherFormat, origin: Option<String>) -> Error {
    let OtherFormat { name, is_read, .. } = format;
    let origin = origin.as_deref().unwrap_or("which this model's README.md often names");
    let advice = if *is_read {
        " under another name: choose the file by `weights`, or load"
    } else {
        ", which are not read: load"
    };
    weights(format!(
        "{}; {file} has {name} weights{advice} the model that they were made from, {origin}",
        no_weights().context()
    ))
}

/// Returns the model that the files name as their origin: `base_model` in README.md, else `_name_or_path` in
/// config.json, if it has the form of an id on the Hub.
fn origin(listing: &[&str], mut read: impl FnMut(&str) -> Option<Vec<u8>>) -> Option<String> {
    let mut file = |name: &str| listing.contains(&name).then(|| read(name)).flatten();
    let card = file("README.md").and_then(|bytes| base_model(&String::from_utf8_lossy(&bytes)));
    let id = card.or_else(|| {
        let config: Value = serde_json::from_slice(&file("config.json")?).ok()?;
        config.get("_name_or_path")?.as_str().map(str::to_owned)
    })?;
    let is_id = id.split_once('/').is_some_and(|(owner, name)| is_plain_name(owner) && is_plain_name(name));
    is_id.then_some(id)
}

/// Returns the first `base_model` in the metadata at the beginning of a model card.
fn base_model(card: &str) -> Option<String> {
    let mut lines = card.lines().map(str::trim_end).skip_while(|line| line.is_empty());
    lines.next().filter(|line| *line == "---")?;
    let mut lines = lines.take_while(|line| *line != "---").take(1000);
    let value = lines.find_map(|line| line.strip_prefix("base_model:").map(str::trim))?;
    let value = match value {
        "" => lines.next()?.trim_start().strip_prefix('-')?.trim(),
        value => value.trim_start_matches('[').split([',', ']']).next()?.trim(),
    };
    Some(value.trim_matches(['"', '\'']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_card_names_its_base_model() {
        for (card, id) in [
            ("---\nlicense: mit\nbase_model: org/name\n---\n", Some("org/name")),
            ("---\nbase_model:\n- \"org/name\"\n- org/other\n---\n", Some("org/name")),
            ("---\nbase_model:\n  - org/name\ntags:\n- onnx\n---\n", Some("org/name")),
            ("---\nbase_model: ['org/name', org/other]\n---\n", Some("org/name")),
            ("---\nlicense: mit\n---\nbase_model: org/name\n", None),
            ("base_model: org/name\n", None),
            ("---\nbase_model:\n---\n", None),
            ("", None),
        ] {
            assert_eq!(base_model(card).as_deref(), id, "{card:?}");
        }
    }

    #[test]
    fn the_card_wins_over_the_configuration_and_a_path_is_no_origin() {
        let read = |card: &'static str, config: &'static str| {
            move |name: &str| Some(if name == "README.md" { card } else { config }.as_bytes().to_vec())
        };
        let listing = ["README.md", "config.json"];
        let card = "---\nbase_model: org/card\n---";
        let config = r#"{"_name_or_path": "org/config"}"#;
        assert_eq!(origin(&listing, read(card, config)).as_deref(), Some("org/card"));
        assert_eq!(origin(&listing, read("# A model", config)).as_deref(), Some("org/config"));
        assert_eq!(origin(&listing[..1], read("", config)), None);
        assert_eq!(origin(&listing, read("", r#"{"_name_or_path": "/home/me/model"}"#)), None);
        assert_eq!(origin(&listing, read("", "[")), None);
    }
}
