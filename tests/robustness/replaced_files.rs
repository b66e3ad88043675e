//! Git LFS pointers and HTML pages in place of the files of a model.

use crate::broken::assert_refused;
use crate::common::fixture;
use ranklet::{ErrorKind, ModelFiles, ModelSource, Options, describe};

const POINTER: &[u8] =
    b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22e\
    adbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
const PAGES: [&[u8]; 3] = [
    b"<!DOCTYPE html>\n<html lang=\"en\"><head><title>Sign in</title></head></html>",
    b"\xef\xbb\xbf\n  <HTML><body>404</body></HTML>",
    b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>",
];

/// Replaces each file of a model in turn, and checks that the error names the file and the way out.
fn check(files: &ModelFiles) {
    for (name, _) in files.iter() {
        let kind = match name {
            _ if name.ends_with(".safetensors") || name.ends_with(".bin") || name.contains(".index.") => {
                ErrorKind::Weights
            }
            _ if name.contains("token") || name.ends_with(".jinja") => ErrorKind::Tokenizer,
            _ => ErrorKind::Config,
        };
        let with = |bytes: &[u8]| {
            let mut files = files.clone();
            files.insert(name, bytes.to_vec());
            files
        };
        assert_refused(with(POINTER), kind, &[name, "Git LFS pointer", "git lfs pull"]);
        let error = describe(ModelSource::Files(with(POINTER)), &Options::default()).unwrap_err();
        assert!(error.context().starts_with(&format!("{name} is a Git LFS pointer")), "{error}");
        for page in PAGES {
            assert_refused(with(page), kind, &[name, "HTML page"]);
        }
    }
}

#[test]
fn a_replaced_file_is_named_with_the_way_to_get_it() {
    check(&fixture("bert-gelu-h36").files());
    check(&fixture("families/chain-cls-h40").files());
    // Some files are refused whatever they contain, but this explains more.
    for name in ["special_tokens_map.json", "added_tokens.json", "adapter_config.json", "chat_template.jinja"]
    {
        let mut files = fixture("bert-gelu-h36").files();
        files.insert(name, POINTER.to_vec());
        let error = crate::common::load(files).unwrap_err();
        assert!(error.context().starts_with(&format!("{name} is a Git LFS pointer")), "{error}");
    }
}

#[test]
fn replaced_shards_indexes_and_torch_files_are_named() {
    for form in ["sharded-safetensors", "bin-f32", "sharded-bin"] {
        let mut files = fixture("bert-bare-h36").files();
        let folder = crate::common::fixtures_directory().join("weights").join(form);
        files.take("model.safetensors");
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            files.insert(path.file_name().unwrap().to_str().unwrap(), std::fs::read(&path).unwrap());
        }
        check(&files);
    }
}
