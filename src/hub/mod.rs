//! Downloads models by their Hub id, into the cache of HF's own programs.

mod environment;
mod verify;

use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};

use crate::checkpoint::ModelFiles;
use crate::error::{Error, ErrorKind, Result, input};
use environment::HubEnvironment;
use hf_hub::api::sync::{ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Repo, RepoType};

const DEFAULT_REVISION: &str = "main";
/// How often a download that breaks off is continued.
const MAX_RETRIES: usize = 4;

/// Options of finding a model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HubOptions<'a> {
    /// A branch, a tag, a commit or `refs/pr/N` on the Hub; `None` for `main`.
    pub revision: Option<&'a str>,
    /// The file that was chosen as the model's weights; `None` for the preferred form.
    pub weights: Option<&'a str>,
    /// The access token; `None` for that of the environment, and an empty text for none.
    pub token: Option<&'a str>,
    /// The folder of the cache; `None` for that of HF's own programs.
    pub cache: Option<&'a Path>,
    /// Whether to send no requests.
    pub local_files_only: bool,
}

/// Returns the folder of a model: `model` itself if it is a folder; otherwise the folder in the cache, after
/// downloading the files that it lacks.
///
/// # Errors
/// `input` if `model` is neither a folder nor a model id, or for a revision of a folder; `network` if files cannot be
/// downloaded; `integrity` for a file with another SHA-256 than the Hub names; and the errors of
/// [`ModelFiles::wanted`].
pub fn folder(model: &str, options: HubOptions<'_>) -> Result<PathBuf> {
    let HubOptions { revision, weights, .. } = options;
    let folder = Path::new(model);
    if folder.is_dir() {
        return local_folder(model, revision);
    }
    if folder.is_file() {
        return Err(input(format!("{model} is a file: pass the folder that has all files of the model")));
    }
    if !is_id(model) {
        let id = model.strip_prefix("https://huggingface.co/").map(|id| id.trim_end_matches('/'));
        let advice = id.filter(|id| is_id(id)).map_or_else(String::new, |id| format!(": pass {id}"));
        return Err(input(format!("{model} is neither a folder nor the id of a model, owner/name{advice}")));
    }
    let revision = revision.unwrap_or(DEFAULT_REVISION);
    if !is_revision(revision) {
        return Err(input(format!(
            "{revision:?} is not a revision: pass a branch, a tag, a commit or refs/pr/N"
        )));
    }
    let environment = HubEnvironment::read().with(options);
    let model = HubModel {
        name: model,
        repo: Repo::with_revision(model.to_owned(), RepoType::Model, revision.to_owned()),
    };
    if environment.is_offline {
        return model.cached(&environment).ok_or_else(|| model.not_cached(options.local_files_only));
    }
    let api = ApiBuilder::from_cache(environment.cache.clone())
        .with_endpoint(environment.endpoint.clone())
        .with_token(environment.token.clone())
        .with_progress(stderr().is_terminal())
        .with_retries(MAX_RETRIES)
        .build()
        .map_err(|error| model.network_error(error))?;
    let repo = api.repo(model.repo.clone());
    match repo.info() {
        Ok(info) => {
            let listing: Vec<&str> = info.siblings.iter().map(|file| file.rfilename.as_str()).collect();
            model.download(&repo, &environment, &listing, weights)
        }
        // Without a network, files from an earlier run are good enough.
        Err(error) => model.cached(&environment).ok_or_else(|| model.network_error(error)),
    }
}

/// Returns a local folder, which has precedence over the model with the same id on the Hub.
fn local_folder(model: &str, revision: Option<&str>) -> Result<PathBuf> {
    if revision.is_some() {
        return Err(input(format!(
            "{model} is a folder here, and a folder has no revisions; leave the revision out, or rename the folder to \
             load the model with this id from the Hub"
        )));
    }
    let folder = PathBuf::from(model);
    let is_model = ModelFiles::names().chain(["snapshots"]).any(|name| folder.join(name).exists());
    if !is_model && is_id(model) {
        return Err(input(format!(
            "{model} is a folder here, and it has no files of a model; to load the model with this id from the Hub, \
             rename the folder"
        )));
    }
    if !is_model && folder.read_dir().is_ok_and(|mut entries| entries.next().is_none()) {
        return Err(input(format!("{model} is an empty folder: a model has config.json and other files")));
    }
    Ok(folder)
}

/// Returns whether `text` is `owner/name`, with characters that the Hub allows.
fn is_id(text: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty()
            && !name.starts_with('.')
            && name.chars().all(|char| char.is_ascii_alphanumeric() || "-_.".contains(char))
    };
    text.split_once('/').is_some_and(|(owner, name)| is_name(owner) && is_name(name))
}

/// Returns whether `text` can be the name of a revision, with characters that need no escapes in a URL.
fn is_revision(text: &str) -> bool {
    text.len() <= 255
        && text.chars().all(|char| char.is_ascii_alphanumeric() || "-_.+/".contains(char))
        && text.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && !part.contains(".."))
}

/// A revision of a model on the Hub.
struct HubModel<'a> {
    name: &'a str,
    repo: Repo,
}

impl HubModel<'_> {
    /// Downloads the files that the model is loaded from, out of all files in `listing`. Returns the folder they are
    /// in.
    fn download(
        &self,
        repo: &ApiRepo,
        environment: &HubEnvironment,
        listing: &[&str],
        weights: Option<&str>,
    ) -> Result<PathBuf> {
        let cache = environment.cache.repo(self.repo.clone());
        let get = |name: &str| {
            if let Some(path) = cache.get(name) {
                return Ok(path);
            }
            let path = repo.download(name).map_err(|error| self.network_error(error))?;
            verify::check_hash(&path)?;
            Ok(path)
        };
        let read = |name: &str| {
            let path = get(name)?;
            std::fs::read(&path).map_err(|error| input(format!("{}: {error}", path.display())))
        };
        let mut folder = PathBuf::new();
        for file in ModelFiles::wanted(listing, weights, read)? {
            let path = get(&file)?;
            if file == "config.json" {
                folder = path.parent().map(Path::to_owned).unwrap_or_default();
            }
        }
        Ok(folder)
    }

    /// Returns the folder of the model if it was downloaded before.
    fn cached(&self, environment: &HubEnvironment) -> Option<PathBuf> {
        let config = "config.json";
        let by_name = environment.cache.repo(self.repo.clone()).get(config);
        // HF's own programs record no ref for a commit; its name is the folder's.
        let snapshots = environment.cache.path().join(self.repo.folder_name()).join("snapshots");
        let by_commit =
            || Some(snapshots.join(self.repo.revision()).join(config)).filter(|path| path.is_file());
        by_name.or_else(by_commit)?.parent().map(Path::to_owned)
    }

    /// Returns the error for a model that is not in the cache, if the Hub must not be asked because of the option
    /// `local_files_only` or else of the environment.
    fn not_cached(&self, local_files_only: bool) -> Error {
        let setting = if local_files_only { "local_files_only" } else { "HF_HUB_OFFLINE" };
        Error::new(
            ErrorKind::Network,
            format!(
                "{}: {setting} is set, and the cache does not have revision {}: download it once without {setting}",
                self.name,
                self.repo.revision()
            ),
        )
    }

    /// Explains a Hub error by the HTTP status of the response.
    fn network_error(&self, error: ApiError) -> Error {
        let revision = self.repo.revision();
        let reason = match status(&error) {
            Some(404) if revision != DEFAULT_REVISION => {
                format!("there is no such model on the Hub, or it has no revision {revision}")
            }
            Some(404) => "there is no such model on the Hub".to_owned(),
            // The Hub says the same about models that do not exist.
            Some(401 | 403) => {
                "the Hub gives it only to users who have access, or has no such model: set HF_TOKEN to \
                                an access token, or log in with `hf auth login`"
                    .to_owned()
            }
            _ => format!("the Hub cannot be reached: {error}"),
        };
        Error::new(ErrorKind::Network, format!("{}: {reason}", self.name)).with_source(error)
    }
}

/// Returns the HTTP status of the response, if there was one.
fn status(error: &ApiError) -> Option<u16> {
    match error {
        ApiError::RequestError(error) => match &**error {
            ureq::Error::Status(status, _) => Some(*status),
            ureq::Error::Transport(_) => None,
        },
        ApiError::TooManyRetries(error) => status(error),
        _ => None,
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
    fn without_requests_the_error_for_a_model_names_the_option_that_forbids_them() {
        let cache = tempfile::tempdir().unwrap();
        let options =
            HubOptions { cache: Some(cache.path()), local_files_only: true, ..HubOptions::default() };
        let error = folder("owner/model", options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Network);
        assert!(error.to_string().contains("local_files_only is set"), "{error}");
    }

    #[test]
    fn revisions_are_names_and_no_paths_to_elsewhere() {
        for name in ["main", "v1.0", "refs/pr/12", "feature/a_b", "0123456789abcdef0123456789abcdef01234567"]
        {
            assert!(is_revision(name), "{name}");
        }
        for name in ["", "/main", "a/", "../a", "a/../b", "a..b", ".a", "a b", "a?b", "a%2Fb", "a\\b"] {
            assert!(!is_revision(name), "{name}");
        }
    }
}
