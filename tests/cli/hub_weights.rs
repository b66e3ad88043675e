//! Which weights are downloaded from the Hub: the file that `--weights` chooses, and ONNX files of transformers.js.

use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;

use super::hub::{copy, files, rank, rank_with, serve, text};
use crate::common::fixtures_directory;

#[test]
fn the_file_with_the_weights_can_be_chosen() {
    let model = copy("bert-bare-h36");
    let name = "pytorch_model.bin";
    std::fs::copy(fixtures_directory().join("weights/bin-f32").join(name), model.path().join(name)).unwrap();
    let endpoint = serve(model.path().to_owned());
    let home = tempfile::tempdir().unwrap();
    let expected = rank(model.path().to_str().unwrap(), home.path(), &endpoint).stdout;
    let offline = [("HF_HUB_OFFLINE", "1")];
    for variables in [&[][..], &offline] {
        let output = rank_with("owner/model", home.path(), &endpoint, &["--weights", name], variables);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(output.stdout, expected);
    }
    let downloaded = snapshot(home.path());
    assert!(downloaded.join(name).exists() && !downloaded.join("model.safetensors").exists());

    for (weights, message) in [
        (
            "onnx/model.onnx",
            "the model has no onnx/model.onnx, which was chosen as its weights; it has model.safetensors, p",
        ),
        ("config.json", "is not the name of a file of weights"),
    ] {
        for source in ["owner/model", model.path().to_str().unwrap()] {
            let output = rank_with(source, home.path(), &endpoint, &["--weights", weights], &[]);
            let error = text(&output.stderr);
            assert!(error.contains(message) && error.lines().count() == 1, "{error}");
        }
    }
}

/// Returns a repository with the layout of transformers.js, such as Xenova/ms-marco-MiniLM-L-6-v2.
fn onnx_repository() -> tempfile::TempDir {
    let model = copy("bert-gelu-h36");
    let source = fixtures_directory().join("onnx/bert");
    for name in ["model.safetensors", "expected.json"] {
        std::fs::remove_file(model.path().join(name)).unwrap();
    }
    std::fs::copy(source.join("config.json"), model.path().join("config.json")).unwrap();
    std::fs::create_dir(model.path().join("onnx")).unwrap();
    for (from, to) in [
        ("torchscript.onnx", "model.onnx"),
        ("fp16.onnx", "model_fp16.onnx"),
        ("uint8.onnx", "model_quantized.onnx"),
    ] {
        let packed = std::fs::read(source.join(format!("{from}.gz"))).unwrap();
        let mut bytes = Vec::new();
        GzDecoder::new(&packed[..]).read_to_end(&mut bytes).unwrap();
        std::fs::write(model.path().join("onnx").join(to), bytes).unwrap();
    }
    model
}

/// Checks that the small files and `weights` are downloaded, and that they score as in the folder.
#[track_caller]
fn assert_downloaded(model: &Path, arguments: &[&str], weights: &[&str]) {
    let endpoint = serve(model.to_owned());
    let home = tempfile::tempdir().unwrap();
    let from_folder = rank_with(model.to_str().unwrap(), home.path(), &endpoint, arguments, &[]);
    assert!(from_folder.status.success(), "{}", text(&from_folder.stderr));
    let downloaded = rank_with("owner/model", home.path(), &endpoint, arguments, &[]);
    assert_eq!(text(&downloaded.stdout), text(&from_folder.stdout), "{}", text(&downloaded.stderr));

    let mut names = files(&snapshot(home.path()));
    names.sort();
    let small = files(model).into_iter().filter(|name| name.ends_with(".json"));
    let mut wanted: Vec<String> = small.chain(weights.iter().map(|name| (*name).to_owned())).collect();
    wanted.sort();
    assert_eq!(names, wanted);

    let offline = rank_with("owner/model", home.path(), &endpoint, arguments, &[("HF_HUB_OFFLINE", "1")]);
    assert_eq!(offline.stdout, from_folder.stdout);
}

#[test]
fn one_onnx_file_of_a_repository_is_downloaded() {
    let model = onnx_repository();
    assert_downloaded(model.path(), &[], &["onnx/model.onnx"]);
    let quantized = "onnx/model_quantized.onnx";
    assert_downloaded(model.path(), &["--weights", quantized], &[quantized]);
}

#[test]
fn the_tensors_next_to_an_onnx_file_are_downloaded() {
    let model = onnx_repository();
    for name in ["model.onnx", "model.onnx_data"] {
        let source = fixtures_directory().join("onnx/external/torchscript").join(name);
        std::fs::copy(source, model.path().join("onnx").join(name)).unwrap();
    }
    assert_downloaded(model.path(), &[], &["onnx/model.onnx", "onnx/model.onnx_data"]);
}

/// Returns the folder of the downloaded files.
fn snapshot(home: &Path) -> std::path::PathBuf {
    home.join("hub/models--owner--model/snapshots/c0ffee0")
}
