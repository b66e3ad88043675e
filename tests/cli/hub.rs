//! `--model owner/name`: loads models by their id, from a local server that answers like the Hub.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::common::fixtures_directory;

/// The repository `owner/model` of a server that answers like the Hub.
#[derive(Clone)]
struct Repository {
    /// The revisions, as in a URL, with the folders of their files.
    revisions: Vec<(&'static str, PathBuf)>,
    /// The token without which the server answers 401.
    token: Option<&'static str>,
    /// The ETag of `model.safetensors`; default: one that is no hash.
    weights_etag: Option<&'static str>,
}

impl Repository {
    fn of(root: PathBuf) -> Self {
        Self { revisions: vec![("main", root)], token: None, weights_etag: None }
    }

    /// The index of a revision and its folder.
    fn revision(&self, name: &str) -> Option<(usize, &Path)> {
        let index = self.revisions.iter().position(|(known, _)| *known == name)?;
        Some((index, &self.revisions[index].1))
    }

    /// Serves the repository until the process ends. Returns the server's URL.
    fn serve(self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let repository = self.clone();
                std::thread::spawn(move || answer(stream.unwrap(), &repository));
            }
        });
        address
    }
}

/// Serves the folder `root` as the repository `owner/model` until the process ends. Returns the server's URL.
pub(super) fn serve(root: PathBuf) -> String {
    Repository::of(root).serve()
}

pub(super) fn files(root: &Path) -> Vec<String> {
    let names = |folder: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let nested =
        names(root).into_iter().flat_map(|path| if path.is_dir() { names(&path) } else { vec![path] });
    nested.map(|path| path.strip_prefix(root).unwrap().to_string_lossy().into_owned()).collect()
}

/// Answers one request and closes the connection.
fn answer(mut stream: TcpStream, repository: &Repository) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let request = lines.next().unwrap_or_default();
    let headers: Vec<String> =
        lines.take_while(|line| !line.is_empty()).map(|line| line.to_lowercase()).collect();
    let path = request.split(' ').nth(1).unwrap_or_default();
    let is_allowed =
        repository.token.is_none_or(|token| headers.contains(&format!("authorization: bearer {token}")));
    let (status, extra, body) = if is_allowed {
        response(path, &headers, repository)
    } else {
        ("401 Unauthorized", String::new(), Vec::new())
    };
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{extra}\r\n", body.len());
    // The client may have closed the connection.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
}

/// Returns the status, further headers and the body for a path.
fn response(path: &str, headers: &[String], repository: &Repository) -> (&'static str, String, Vec<u8>) {
    if let Some((index, root)) =
        path.strip_prefix("/api/models/owner/model/revision/").and_then(|name| repository.revision(name))
    {
        let siblings: Vec<_> =
            files(root).into_iter().map(|name| serde_json::json!({ "rfilename": name })).collect();
        let info = serde_json::json!({ "siblings": siblings, "sha": format!("c0ffee{index}") });
        return ("200 OK", String::new(), info.to_string().into_bytes());
    }
    let file = path.strip_prefix("/owner/model/resolve/").and_then(|rest| rest.split_once('/'));
    let found = file.and_then(|(revision, name)| {
        let (index, root) = repository.revision(revision)?;
        Some((index, std::fs::read(root.join(name)).ok()?))
    });
    let Some((index, bytes)) = found else { return ("404 Not Found", String::new(), Vec::new()) };
    let range = headers.iter().find_map(|line| line.strip_prefix("range: bytes="));
    let (start, end) = range.and_then(|range| range.split_once('-')).unwrap_or(("0", ""));
    let start: usize = start.parse().unwrap();
    let end = end.parse().map_or(bytes.len(), |end: usize| (end + 1).min(bytes.len()));
    let etag = repository.weights_etag.filter(|_| path.ends_with("model.safetensors"));
    let extra = format!(
        "x-repo-commit: c0ffee{index}\r\netag: \"{}\"\r\ncontent-range: bytes {start}-{}/{}\r\n",
        etag.map_or_else(|| path.replace('/', "_"), str::to_owned),
        end - 1,
        bytes.len()
    );
    ("206 Partial Content", extra, bytes[start..end].to_vec())
}

pub(super) fn rank(model: &str, home: &Path, endpoint: &str) -> Output {
    rank_with(model, home, endpoint, &[], &[])
}

/// Ranks two documents, with further arguments and variables.
pub(super) fn rank_with(
    model: &str,
    home: &Path,
    endpoint: &str,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> Output {
    let documents = home.join("documents.txt");
    std::fs::write(&documents, "a river in a valley\nan old city\n").unwrap();
    Command::new(env!("CARGO_BIN_EXE_ranklet"))
        .args(["rank", "--query", "a river", "--dtype", "f32", "--model", model, "--documents"])
        .arg(documents)
        .args(arguments)
        .env_remove("HF_TOKEN")
        .env_remove("HF_HUB_OFFLINE")
        .env("HF_HOME", home)
        .env("HF_ENDPOINT", endpoint)
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

pub(super) fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

#[test]
fn a_model_is_downloaded_only_once() {
    for fixture in ["bert-gelu-h36", "families/chain-cls-h40"] {
        let root = fixtures_directory().join(fixture);
        assert!(root.is_dir(), "{}", root.display());
        let home = tempfile::tempdir().unwrap();
        let endpoint = serve(root.clone());
        let from_folder = rank(root.to_str().unwrap(), home.path(), &endpoint);
        assert!(from_folder.status.success(), "{}", text(&from_folder.stderr));
        let downloaded = rank("owner/model", home.path(), &endpoint);
        assert!(downloaded.status.success(), "{}", text(&downloaded.stderr));
        assert_eq!(downloaded.stdout, from_folder.stdout);
        // No server listens on this port.
        let offline = rank("owner/model", home.path(), "http://127.0.0.1:9");
        assert!(offline.status.success(), "{}", text(&offline.stderr));
        assert_eq!(offline.stdout, from_folder.stdout);
    }
}

/// Copies a fixture's folder, so that a test can change it.
pub(super) fn copy(fixture: &str) -> tempfile::TempDir {
    let root = fixtures_directory().join(fixture);
    let target = tempfile::tempdir().unwrap();
    for name in files(&root) {
        let path = target.path().join(&name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::copy(root.join(&name), path).unwrap();
    }
    target
}

/// Replaces a text in a file.
fn replace(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{} has no {from}", path.display());
    std::fs::write(path, text.replace(from, to)).unwrap();
}

/// Checks that a model from the Hub gives the same ranking as the folder it is served from.
#[track_caller]
fn assert_same_from_hub(root: &Path) {
    let home = tempfile::tempdir().unwrap();
    let endpoint = serve(root.to_owned());
    let from_folder = rank(root.to_str().unwrap(), home.path(), &endpoint);
    assert!(from_folder.status.success(), "{}", text(&from_folder.stderr));
    let downloaded = rank("owner/model", home.path(), &endpoint);
    assert!(downloaded.status.success(), "{}", text(&downloaded.stderr));
    assert_eq!(downloaded.stdout, from_folder.stdout);
}

#[test]
fn modules_are_downloaded_from_the_folders_that_modules_json_lists() {
    let model = copy("families/chain-cls-h40");
    for (index, kind) in [(1, "Pooling"), (2, "Dense"), (3, "LayerNorm"), (4, "Dense")] {
        let (from, to) = (format!("{index}_{kind}"), format!("{kind}-{index}"));
        std::fs::rename(model.path().join(&from), model.path().join(&to)).unwrap();
        replace(&model.path().join("modules.json"), &from, &to);
    }
    assert_same_from_hub(model.path());
}

#[test]
fn shards_are_downloaded_by_their_names_in_the_index() {
    let model = copy("bert-bare-h36");
    std::fs::remove_file(model.path().join("model.safetensors")).unwrap();
    let weights = copy("weights/sharded-safetensors");
    for name in files(weights.path()) {
        let target = model.path().join(name.replace("model-0000", "part_"));
        std::fs::copy(weights.path().join(&name), target).unwrap();
    }
    replace(&model.path().join("model.safetensors.index.json"), "model-0000", "part_");
    assert_same_from_hub(model.path());
}

#[test]
fn an_adapter_on_the_hub_is_refused_with_the_advice_to_merge_it() {
    let model = tempfile::tempdir().unwrap();
    for (name, bytes) in [("adapter_config.json", "{}"), ("adapter_model.safetensors", "")] {
        std::fs::write(model.path().join(name), bytes).unwrap();
    }
    let home = tempfile::tempdir().unwrap();
    let output = rank("owner/model", home.path(), &serve(model.path().to_owned()));
    let error = text(&output.stderr);
    assert!(error.contains("merge_and_unload") && error.lines().count() == 1, "{error}");
}

#[test]
fn models_that_cannot_be_downloaded_are_explained_in_one_line() {
    let home = tempfile::tempdir().unwrap();
    let endpoint = serve(fixtures_directory().join("bert-gelu-h36"));
    let cases = [
        ("owner/other", endpoint.as_str(), "there is no such model on the Hub"),
        ("owner/model", "http://127.0.0.1:9", "the Hub cannot be reached"),
        ("no such model", endpoint.as_str(), "neither a folder nor the id of a model"),
        ("../owner/model", endpoint.as_str(), "neither a folder nor the id of a model"),
    ];
    for (model, endpoint, message) in cases {
        let output = rank(model, home.path(), endpoint);
        assert_eq!(output.status.code(), Some(1), "{model}");
        let error = text(&output.stderr);
        assert!(error.contains(message) && error.lines().count() == 1, "{model}: {error}");
    }
}

#[test]
fn a_private_model_is_downloaded_with_the_token_of_the_environment() {
    let root = fixtures_directory().join("bert-gelu-h36");
    let repository = Repository { token: Some("secret"), ..Repository::of(root) };
    let endpoint = repository.serve();
    let home = tempfile::tempdir().unwrap();
    for variables in [&[][..], &[("HF_TOKEN", "wrong")], &[("HF_TOKEN", "")]] {
        let refused = rank_with("owner/model", home.path(), &endpoint, &[], variables);
        let error = text(&refused.stderr);
        assert!(error.contains("set HF_TOKEN") && error.lines().count() == 1, "{error}");
    }
    for variable in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"] {
        let home = tempfile::tempdir().unwrap();
        let output = rank_with("owner/model", home.path(), &endpoint, &[], &[(variable, "secret")]);
        assert!(output.status.success(), "{variable}: {}", text(&output.stderr));
    }
}

#[test]
fn offline_sends_no_request_and_reads_the_cache() {
    let endpoint = serve(fixtures_directory().join("bert-gelu-h36"));
    let home = tempfile::tempdir().unwrap();
    let offline = || rank_with("owner/model", home.path(), &endpoint, &[], &[("HF_HUB_OFFLINE", "1")]);
    let refused = offline();
    let error = text(&refused.stderr);
    assert!(error.contains("HF_HUB_OFFLINE is set") && error.lines().count() == 1, "{error}");
    let online = rank("owner/model", home.path(), &endpoint);
    let cached = offline();
    assert!(cached.status.success(), "{}", text(&cached.stderr));
    assert_eq!(cached.stdout, online.stdout);
}

#[test]
fn a_revision_is_a_branch_a_pull_request_or_a_commit() {
    let [main, other] = ["bert-gelu-h36", "bert-bf16-h60"].map(|name| fixtures_directory().join(name));
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let mut repository = Repository::of(main.clone());
    repository.revisions.extend(["v1.0", "refs%2Fpr%2F1", commit].map(|name| (name, other.clone())));
    let endpoint = repository.serve();
    let home = tempfile::tempdir().unwrap();
    let scores = |model: &str, arguments: &[&str]| {
        let output = rank_with(model, home.path(), &endpoint, arguments, &[]);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        output.stdout
    };
    let [of_main, of_other] = [main, other].map(|root| scores(root.to_str().unwrap(), &[]));
    assert_ne!(of_main, of_other);
    assert_eq!(scores("owner/model", &[]), of_main);
    for revision in ["v1.0", "refs/pr/1", commit] {
        assert_eq!(scores("owner/model", &["--revision", revision]), of_other, "{revision}");
    }
    assert_eq!(scores("owner/model", &["--revision", "main"]), of_main);

    // HF's own programs record no ref for a commit.
    let cache = home.path().join("hub/models--owner--model");
    std::fs::rename(cache.join("snapshots/c0ffee1"), cache.join("snapshots/decade")).unwrap();
    let offline = [("HF_HUB_OFFLINE", "1")];
    let output = rank_with("owner/model", home.path(), &endpoint, &["--revision", "decade"], &offline);
    assert_eq!(text(&output.stdout), text(&of_other), "{}", text(&output.stderr));

    for (arguments, message) in
        [(["--revision", "v2"], "it has no revision v2"), (["--revision", "../v2"], "is not a revision")]
    {
        let output = rank_with("owner/model", home.path(), &endpoint, &arguments, &[]);
        let error = text(&output.stderr);
        assert!(error.contains(message) && error.lines().count() == 1, "{error}");
    }
}

#[test]
fn a_folder_is_told_from_the_model_with_the_same_id() {
    let endpoint = serve(fixtures_directory().join("bert-gelu-h36"));
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(home.path().join("owner/model")).unwrap();
    std::fs::write(home.path().join("owner/file"), "").unwrap();
    let fails = |model: &str, arguments: &[&str], message: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_ranklet"))
            .current_dir(home.path())
            .args(["info", "--model", model])
            .args(arguments)
            .env("HF_HOME", home.path())
            .env("HF_ENDPOINT", &endpoint)
            .output()
            .unwrap();
        let error = text(&output.stderr);
        assert!(error.contains(message) && error.lines().count() == 1, "{error}");
        assert_eq!(output.status.code(), Some(1));
    };
    fails("owner/model", &[], "it has no files of a model");
    fails("owner/model", &["--revision", "main"], "a folder has no revisions");
    fails("owner/file", &[], "pass the folder");
}

#[test]
fn a_file_with_another_sha256_than_the_hub_names_is_refused_and_removed() {
    const WRONG: &str = "0000000000000000000000000000000000000000000000000000000000000000";
    let repository = Repository::of(fixtures_directory().join("bert-gelu-h36"));
    let home = tempfile::tempdir().unwrap();
    let endpoint = Repository { weights_etag: Some(WRONG), ..repository.clone() }.serve();
    let output = rank("owner/model", home.path(), &endpoint);
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    assert!(stderr.contains("model.safetensors has the SHA-256 "), "{stderr}");
    assert!(stderr.contains(&format!(" where {WRONG} was expected")), "{stderr}");
    assert!(!home.path().join("hub/models--owner--model/blobs").join(WRONG).exists());
    let again = rank("owner/model", home.path(), &repository.serve());
    assert!(again.status.success(), "{}", text(&again.stderr));
}
