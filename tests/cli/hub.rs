//! `--model owner/name`: loads models by their id, from a local server that answers like the Hub.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::common::fixtures_directory;

/// Serves the folder `root` as the repository `owner/model` until the process ends. Returns the server's URL.
fn serve(root: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let root = root.clone();
            std::thread::spawn(move || answer(stream.unwrap(), &root));
        }
    });
    address
}

fn files(root: &Path) -> Vec<String> {
    let names = |folder: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let nested =
        names(root).into_iter().flat_map(|path| if path.is_dir() { names(&path) } else { vec![path] });
    nested.map(|path| path.strip_prefix(root).unwrap().to_string_lossy().into_owned()).collect()
}

/// Answers one request and closes the connection.
fn answer(mut stream: TcpStream, root: &Path) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let request = lines.next().unwrap_or_default();
    let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let path = request.split(' ').nth(1).unwrap_or_default();
    let (status, extra, body) =
        if path == "/api/models/owner/model" || path.starts_with("/api/models/owner/model/") {
            let siblings: Vec<_> =
                files(root).into_iter().map(|name| serde_json::json!({ "rfilename": name })).collect();
            (
                "200 OK",
                String::new(),
                serde_json::json!({ "siblings": siblings, "sha": "c0ffee" }).to_string().into_bytes(),
            )
        } else if let Some(Ok(bytes)) =
            path.strip_prefix("/owner/model/resolve/main/").map(|name| std::fs::read(root.join(name)))
        {
            let range = headers
                .iter()
                .find_map(|line| line.to_lowercase().strip_prefix("range: bytes=").map(str::to_owned));
            let (start, end) = range.as_deref().and_then(|range| range.split_once('-')).unwrap_or(("0", ""));
            let start: usize = start.parse().unwrap();
            let end = end.parse().map_or(bytes.len(), |end: usize| (end + 1).min(bytes.len()));
            let extra = format!(
                "x-repo-commit: c0ffee\r\netag: \"{}\"\r\ncontent-range: bytes {start}-{}/{}\r\n",
                path.replace('/', "_"),
                end - 1,
                bytes.len()
            );
            ("206 Partial Content", extra, bytes[start..end].to_vec())
        } else {
            ("404 Not Found", String::new(), Vec::new())
        };
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{extra}\r\n", body.len());
    // The client may have closed the connection.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
}

fn rank(model: &str, home: &Path, endpoint: &str) -> Output {
    let documents = home.join("documents.txt");
    std::fs::write(&documents, "a river in a valley\nan old city\n").unwrap();
    Command::new(env!("CARGO_BIN_EXE_ranklet"))
        .args(["rank", "--query", "a river", "--dtype", "f32", "--model", model, "--documents"])
        .arg(documents)
        .env("HF_HOME", home)
        .env("HF_ENDPOINT", endpoint)
        .output()
        .unwrap()
}

fn text(output: &[u8]) -> String {
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
fn copy(fixture: &str) -> tempfile::TempDir {
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
