//! `--model owner/name`: models by their id, from a server that answers as the Hub does.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::common::fixtures_directory;

/// Serves the folder `root` as the repository `owner/model`, until the process ends.
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

/// One request, and the connection ends.
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
    // Whoever asked may have gone.
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
fn a_model_is_downloaded_once() {
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
        // Nobody listens there.
        let offline = rank("owner/model", home.path(), "http://127.0.0.1:9");
        assert!(offline.status.success(), "{}", text(&offline.stderr));
        assert_eq!(offline.stdout, from_folder.stdout);
    }
}

#[test]
fn what_cannot_be_had_is_said_in_a_line() {
    let home = tempfile::tempdir().unwrap();
    let endpoint = serve(fixtures_directory().join("bert-gelu-h36"));
    let cases = [
        ("owner/other", endpoint.as_str(), "there is no such model on the Hub"),
        ("owner/model", "http://127.0.0.1:9", "the Hub cannot be asked"),
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
