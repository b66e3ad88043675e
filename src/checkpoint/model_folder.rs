//! The folder of a model on a disk: lists its files, and finds it inside the cache of Hugging Face's own programs.

use std::fs;
use std::path::{Path, PathBuf};

use super::ModelFiles;
use super::model_layout::is_plain_name;
use crate::error::{Result, input};

/// Files and folders of a model that are listed, to explain missing weights.
const MAX_LISTED: usize = 1000;
/// Snapshots that a message names.
const MAX_NAMED: usize = 3;

/// Returns the folder with the files of a model: `directory` itself, or, for a folder `models--owner--name` of the
/// cache (or `snapshots` in it), the snapshot that its `refs/main` names.
///
/// # Errors
/// `input` for the whole cache, and for a folder of the cache without `refs/main`, naming the snapshots in it.
pub fn model_folder(directory: &Path) -> Result<PathBuf> {
    if directory.join("config.json").exists() {
        return Ok(directory.to_owned());
    }
    let directory = match directory.parent() {
        Some(model) if directory.ends_with("snapshots") && model.join("refs").is_dir() => model,
        _ => directory,
    };
    let snapshots = directory.join("snapshots");
    if !snapshots.is_dir() {
        return check_whole_cache(directory).map(|()| directory.to_owned());
    }
    let commit = fs::read_to_string(directory.join("refs/main")).unwrap_or_default();
    let main =
        Some(commit.trim()).filter(|commit| is_plain_name(commit)).map(|commit| snapshots.join(commit));
    if let Some(folder) = main.filter(|folder| folder.is_dir()) {
        return Ok(folder);
    }
    let mut names: Vec<String> =
        folders_in(&snapshots).iter().map(|path| path.display().to_string()).collect();
    names.sort();
    names.truncate(MAX_NAMED);
    let advice = if names.is_empty() {
        "download the model again".to_owned()
    } else {
        format!("load one of its snapshots: {}", names.join(", "))
    };
    Err(input(format!(
        "{} is a folder of Hugging Face's cache, and its refs/main names no snapshot in it: {advice}",
        directory.display()
    )))
}

/// Checks that a folder is not the whole cache.
///
/// # Errors
/// `input` if it has folders of models.
fn check_whole_cache(directory: &Path) -> Result<()> {
    let is_model =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("models--"));
    match folders_in(directory).iter().find(|path| is_model(path)) {
        None => Ok(()),
        Some(model) => Err(input(format!(
            "{} is Hugging Face's cache of several models: pass the id of one, owner/name, or its folder, such as {}",
            directory.display(),
            model.display()
        ))),
    }
}

/// Lists the files in a folder and in the folders in it, as paths relative to it. If a folder has very many files, the list lacks
/// some of them, but none that a model is loaded from.
pub(super) fn list_files(directory: &Path) -> Vec<String> {
    let files_in = |folder: &Path| -> Vec<String> {
        let is_file = |path: &PathBuf| path.is_file();
        let relative = |path: PathBuf| {
            path.strip_prefix(directory).map(|path| path.to_string_lossy().replace('\\', "/"))
        };
        entries(folder).into_iter().filter(is_file).filter_map(|path| relative(path).ok()).collect()
    };
    let mut files = files_in(directory);
    files.extend(folders_in(directory).iter().flat_map(|folder| files_in(folder)));
    files.extend(ModelFiles::names().filter(|name| directory.join(name).is_file()).map(str::to_owned));
    files.sort();
    files.dedup();
    files
}

fn folders_in(directory: &Path) -> Vec<PathBuf> {
    entries(directory).into_iter().filter(|path| path.is_dir()).collect()
}

/// Returns the paths in a folder; none if it cannot be read.
fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries.take(MAX_LISTED).filter_map(|entry| entry.ok()).map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_a_model_are_listed_however_many_others_there_are() {
        let folder = tempfile::tempdir().unwrap();
        let names: Vec<&str> = ModelFiles::names().collect();
        for number in 0..4 * MAX_LISTED {
            fs::write(folder.path().join(format!("{number}.gguf")), "").unwrap();
            if let Some(name) = names.get(number) {
                let path = folder.path().join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "").unwrap();
            }
        }
        let listed = list_files(folder.path());
        assert!(listed.len() < 2 * MAX_LISTED && listed.is_sorted_by(|a, b| a < b));
        assert!(names.iter().all(|name| listed.iter().any(|listed| listed == name)), "{listed:?}");
    }
}
