//! Models by their id on the Hub, in the cache that HF's own programs use.
//!
//! `HF_HOME` says where the cache is, `HF_ENDPOINT` which server is asked, and the token is the one that HF's login
//! has left there.

use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};

use hf_hub::api::sync::{ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, Repo};
use ranklet::{Error, ErrorKind, ModelFiles, Result};

/// The folder that `model` names, or the one with its files where it is the id of a model: those that are not in the
/// cache yet are downloaded into it.
///
/// # Errors
/// `input` for what is neither, `network` for what cannot be had.
pub(crate) fn folder(model: &str) -> Result<PathBuf> {
    let folder = Path::new(model);
    if folder.is_dir() {
        return Ok(folder.to_owned());
    }
    if !is_id(model) {
        return Err(Error::new(
            ErrorKind::Input,
            format!("{model} is neither a folder nor the id of a model, owner/name"),
        ));
    }
    let failed = |error: ApiError| Error::new(ErrorKind::Network, format!("{model}: {}", reason(&error)));
    let builder = ApiBuilder::from_env().with_progress(stderr().is_terminal());
    let repo = builder.build().map_err(failed)?.model(model.to_owned());
    match repo.info() {
        Ok(info) => {
            let present: Vec<&str> = info.siblings.iter().map(|file| file.rfilename.as_str()).collect();
            download(&repo, &present).map_err(failed)
        }
        // Without a network, what an earlier run has downloaded will do.
        Err(error) => cached(model).ok_or_else(|| failed(error)),
    }
}

/// `owner/name`, of characters that the Hub allows.
fn is_id(text: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty()
            && !name.starts_with('.')
            && name.chars().all(|char| char.is_ascii_alphanumeric() || "-_.".contains(char))
    };
    text.split_once('/').is_some_and(|(owner, name)| is_name(owner) && is_name(name))
}

/// Fetches what a model needs of the files that are `present`, and gives the folder they are in.
fn download(repo: &ApiRepo, present: &[&str]) -> std::result::Result<PathBuf, ApiError> {
    let config = repo.get("config.json")?;
    for file in wanted(present) {
        repo.get(file)?;
    }
    Ok(config.parent().map(Path::to_owned).unwrap_or_default())
}

/// The files of a model that are looked at: of its weights those of the form that comes first.
fn wanted<'a>(present: &[&'a str]) -> Vec<&'a str> {
    let (forms, others) = ModelFiles::NAMES.split_at(4);
    let form = forms.iter().find(|form| present.contains(form));
    let shards =
        form.and_then(|form| form.strip_suffix(".index.json")).and_then(|form| form.rsplit_once('.'));
    let is_wanted = |file: &&&str| match file.split_once('/') {
        // A module of a chain: 1_Pooling, 2_Dense, ...
        Some((folder, name)) => {
            folder.starts_with(|char: char| char.is_ascii_digit())
                && ["config.json", "model.safetensors", "pytorch_model.bin"].contains(&name)
        }
        None => {
            let is_shard = |(stem, ending)| {
                file.starts_with(&format!("{stem}-")) && file.ends_with(&format!(".{ending}"))
            };
            others.contains(*file) || Some(*file) == form || shards.is_some_and(is_shard)
        }
    };
    present.iter().filter(is_wanted).copied().collect()
}

/// The folder of a model that has been downloaded before.
fn cached(model: &str) -> Option<PathBuf> {
    let config = Cache::from_env().repo(Repo::model(model.to_owned())).get("config.json")?;
    config.parent().map(Path::to_owned)
}

/// What to tell a person; the status of an answer is only in the error's text.
fn reason(error: &ApiError) -> String {
    let text = error.to_string();
    match text.rsplit_once("status code ").map(|(_, status)| status) {
        Some("404") => "there is no such model on the Hub, or it lacks a config.json".to_owned(),
        Some("401" | "403") => {
            "the Hub does not give it to everybody: log in with HF's own program first".to_owned()
        }
        _ => format!("the Hub cannot be asked: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_an_owner_and_a_name() {
        for id in ["BAAI/bge-reranker-base", "cross-encoder/ms-marco-MiniLM-L6-v2", "a/b_c.d"] {
            assert!(is_id(id), "{id}");
        }
        for text in ["bert", "../up", "a/b/c", "/a/b", "a/", "a/..", "a b/c", "https://x/y"] {
            assert!(!is_id(text), "{text}");
        }
    }

    #[test]
    fn one_form_of_the_weights_is_fetched() {
        let present =
            ["README.md", "config.json", "pytorch_model.bin", "model.safetensors", "onnx/model.onnx"];
        assert_eq!(wanted(&present), ["config.json", "model.safetensors"]);
        let sharded = [
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
            "pytorch_model.bin",
            "tokenizer.json",
        ];
        assert_eq!(wanted(&sharded), [sharded[0], sharded[1], sharded[2], sharded[4]]);
        let chain =
            ["1_Pooling/config.json", "2_Dense/model.safetensors", "2_Dense/README.md", "modules.json"];
        assert_eq!(wanted(&chain), [chain[0], chain[1], chain[3]]);
    }
}
