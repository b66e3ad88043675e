//! Weights in several files and in torch's own form: the same scores as from `model.safetensors`, and a typed error for
//! whatever is wrong. `fixtures/make_weights.py` wrote the files with torch and transformers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::common::{fixture, fixtures_directory, load};
use crate::torch::{Pickled, archive, dictionary, text};
use ranklet::checkpoint::{Weights, WeightsReader};
use ranklet::{Dtype, Error, ErrorKind, ModelFiles, ModelSource, Options, Reranker, Scores, quantize};
use serde_json::{Value, json};

/// Folders of `fixtures/weights` and the fixtures whose weights they hold.
const CASES: [(&str, &str); 5] = [
    ("sharded-safetensors", "bert-bare-h36"),
    ("sharded-bin", "bert-bare-h36"),
    ("bin-f32", "bert-bare-h36"),
    ("bin-f16", "bert-f16-h52"),
    ("bin-views", "bert-bf16-h60"),
];
const INDEX: &str = "model.safetensors.index.json";
const BIN: &str = "pytorch_model.bin";

/// A folder with a fixture's small files and the weights of a case.
fn folder(case: &str, fixture_name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let weights = fixtures_directory().join("weights").join(case);
    for source in [&fixture(fixture_name).directory, &weights] {
        for entry in std::fs::read_dir(source).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().is_some_and(|name| name != "model.safetensors") {
                std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
            }
        }
    }
    folder
}

fn files(case: &str, fixture_name: &str) -> ModelFiles {
    ModelFiles::from_directory(folder(case, fixture_name).path()).unwrap()
}

fn load_as(source: ModelSource, dtype: Dtype) -> ranklet::Result<Reranker> {
    Reranker::load_blocking(source, Options { dtype, ..Options::default() })
}

fn logits(reranker: &Reranker, fixture_name: &str) -> Vec<f32> {
    reranker.score_blocking(&fixture(fixture_name).expected.pairs, Scores::Raw).unwrap()
}

#[track_caller]
fn assert_refused<T>(result: ranklet::Result<T>, kind: ErrorKind, names: &[&str]) {
    let Err(error) = result else { panic!("this should be refused: {names:?}") };
    assert_eq!(error.kind(), kind, "{error}");
    for name in names {
        assert!(error.context().contains(name), "{error:?} does not name {name:?}");
    }
}

#[test]
fn every_form_gives_the_very_scores_of_safetensors() {
    for (case, name) in CASES {
        let folder = folder(case, name);
        for dtype in [Dtype::F32, Dtype::Q8] {
            let twin = load_as(ModelSource::Directory(fixture(name).directory), dtype).unwrap();
            let want = logits(&twin, name);
            let files = ModelFiles::from_directory(folder.path()).unwrap();
            for source in [ModelSource::Directory(folder.path().into()), ModelSource::Files(files)] {
                let reranker = load_as(source, dtype).unwrap();
                assert_eq!(logits(&reranker, name), want, "{case} as {dtype:?}");
                assert_eq!(reranker.info().backend.dtype, dtype);
                let format = if case.contains("bin") { "pytorch" } else { "safetensors" };
                assert_eq!(reranker.info().weights.format, format);
                assert_eq!(reranker.info().weights.bytes, weights_bytes(folder.path()), "{case}");
            }
        }
    }
}

fn weights_bytes(folder: &Path) -> u64 {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_weights = |path: &PathBuf| {
        path.extension().is_some_and(|end| ["bin", "safetensors"].iter().any(|one| end == *one))
    };
    paths.filter(is_weights).map(|path| path.metadata().unwrap().len()).sum()
}

#[test]
fn what_the_model_has_no_use_for_is_warned_of_unless_every_old_file_has_it() {
    let warnings = |case, name| load(files(case, name)).unwrap().info().warnings.clone();
    assert_eq!(warnings("bin-f32", "bert-bare-h36"), Vec::<String>::new());
    let views = warnings("bin-views", "bert-bf16-h60");
    let unused = ["cls.predictions.decoder.weight", "expanded", "flags", "scalar"];
    assert_eq!(views.len(), unused.len(), "{views:?}");
    for (warning, name) in views.iter().zip(unused) {
        assert!(warning.contains(name), "{warning}");
    }
}

#[test]
fn views_are_read_as_torch_reads_them() {
    let files = files("bin-views", "bert-bf16-h60");
    let weights = read(BIN, files.get(BIN).unwrap()).unwrap();
    let twin = Weights::parse(fixture("bert-bf16-h60").files().get("model.safetensors").unwrap()).unwrap();
    for name in twin.names() {
        assert_eq!(weights.view(name).unwrap().to_f32(), twin.view(name).unwrap().to_f32(), "{name}");
    }
    let table = twin.view("bert.embeddings.word_embeddings.weight").unwrap().to_f32();
    assert_eq!(weights.view("cls.predictions.decoder.weight").unwrap().to_f32(), table);
    assert_eq!(weights.require("expanded", &[4, 3]).unwrap().to_f32(), [1.0; 12]);
    assert_eq!(weights.require("scalar", &[]).unwrap().to_f32(), [3.0]);
    assert_refused(weights.view("flags"), ErrorKind::Weights, &["flags", "BOOL"]);
}

#[test]
fn forms_are_preferred_in_the_order_of_transformers() {
    // Each form is put beside those that come after it, which are broken and would be noticed.
    let good = fixture("bert-bare-h36").files();
    let mut held = good.clone();
    held.take("model.safetensors");
    assert_refused(
        load(held.clone()),
        ErrorKind::Weights,
        &["model.safetensors, model.safetensors.index.json, pytorch_model.bin, pytorch_model.bin.index.json"],
    );
    held.insert("pytorch_model.bin.index.json", &b"{"[..]);
    assert_refused(load(held.clone()), ErrorKind::Weights, &["pytorch_model.bin.index.json"]);
    held.insert(BIN, files("bin-f32", "bert-bare-h36").get(BIN).unwrap().to_vec());
    assert!(load(held.clone()).is_ok());
    held.insert(BIN, &b"x"[..]);
    assert_refused(load(held.clone()), ErrorKind::Weights, &[BIN]);
    let sharded = files("sharded-safetensors", "bert-bare-h36");
    for name in [INDEX, "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"] {
        held.insert(name, sharded.get(name).unwrap().to_vec());
    }
    assert!(load(held.clone()).is_ok());
    held.insert(INDEX, &b"{"[..]);
    assert_refused(load(held.clone()), ErrorKind::Weights, &[INDEX]);
    held.insert("model.safetensors", good.get("model.safetensors").unwrap().to_vec());
    assert!(load(held).is_ok());
}

#[test]
fn a_folder_gives_the_form_that_is_used_alone() {
    let folder = folder("sharded-safetensors", "bert-bare-h36");
    std::fs::write(folder.path().join(BIN), "x").unwrap();
    let files = ModelFiles::from_directory(folder.path()).unwrap();
    assert!(files.get(BIN).is_none());
    assert_eq!(
        files.weights_bytes() as u64 + 1,
        weights_bytes(folder.path()),
        "all shards and nothing else but the other form"
    );
}

#[test]
fn any_form_can_be_quantised() {
    for (case, name) in [CASES[0], CASES[2]] {
        let twin = pollster::block_on(quantize(fixture(name).files(), name, Dtype::Q8)).unwrap();
        let quantised = pollster::block_on(quantize(files(case, name), name, Dtype::Q8)).unwrap();
        assert_eq!(quantised.get("model.safetensors"), twin.get("model.safetensors"), "{case}");
        assert_eq!(quantised.weights_bytes(), twin.weights_bytes(), "{case}: the old weights are gone");
        assert!(quantised.get(INDEX).is_none());
    }
}

// --- several files

/// The sharded fixture with its index changed.
fn with_index(change: impl FnOnce(&mut Value)) -> ModelFiles {
    let mut files = files("sharded-safetensors", "bert-bare-h36");
    let mut index: Value = serde_json::from_slice(files.get(INDEX).unwrap()).unwrap();
    change(&mut index["weight_map"]);
    files.insert(INDEX, index.to_string().into_bytes());
    files
}

const FIRST: &str = "model-00001-of-00002.safetensors";
const SECOND: &str = "model-00002-of-00002.safetensors";
const TABLE: &str = "bert.embeddings.word_embeddings.weight";

#[test]
fn the_index_and_the_files_must_agree() {
    assert!(load(with_index(|_| ())).is_ok());
    // What no index names may be in any file, as for transformers.
    let unnamed = with_index(|map| drop(map.as_object_mut().unwrap().remove("classifier.bias")));
    assert!(load(unnamed).is_ok());
    let elsewhere = with_index(|map| map[TABLE] = json!(SECOND));
    assert_refused(load(elsewhere), ErrorKind::Weights, &[SECOND, TABLE, "does not hold"]);
    let nowhere = with_index(|map| map["ghost"] = json!(FIRST));
    assert_refused(load(nowhere), ErrorKind::Weights, &[FIRST, "ghost"]);
    let mut both = with_index(|map| *map = json!({ TABLE: FIRST, "other": SECOND }));
    both.insert(SECOND, safetensors_of(&["other", TABLE]));
    assert_refused(load(both), ErrorKind::Weights, &[SECOND, TABLE, FIRST]);
    let mut unnamed = with_index(|map| *map = json!({ "one": FIRST, "other": SECOND }));
    unnamed.insert(FIRST, safetensors_of(&["one", "unnamed"]));
    unnamed.insert(SECOND, safetensors_of(&["other", "unnamed"]));
    assert_refused(load(unnamed), ErrorKind::Weights, &[SECOND, "unnamed", "another file"]);
}

/// A file of tensors without elements.
fn safetensors_of(names: &[&str]) -> Vec<u8> {
    let tensor = json!({ "dtype": "F32", "shape": [0], "data_offsets": [0, 0] });
    let header: BTreeMap<_, _> = names.iter().map(|name| (name, &tensor)).collect();
    let header = serde_json::to_vec(&header).unwrap();
    [&(header.len() as u64).to_le_bytes()[..], &header].concat()
}

#[test]
fn a_file_that_the_index_names_must_be_there() {
    let mut files = with_index(|_| ());
    files.take(SECOND);
    assert_refused(load(files), ErrorKind::Weights, &[SECOND, INDEX]);
    let folder = folder("sharded-safetensors", "bert-bare-h36");
    std::fs::remove_file(folder.path().join(FIRST)).unwrap();
    let loaded = load_as(ModelSource::Directory(folder.path().into()), Dtype::Auto);
    assert_refused(loaded, ErrorKind::Weights, &[FIRST, INDEX]);

    let mut damaged = with_index(|_| ());
    let mut shard = damaged.take(SECOND).unwrap().into_owned();
    shard.truncate(shard.len() - 1);
    damaged.insert(SECOND, shard);
    assert_refused(load(damaged), ErrorKind::Weights, &[SECOND, "malformed"]);
}

#[test]
fn an_index_leads_nowhere_else() {
    for name in ["../model.safetensors", "/etc/passwd", "a/b.safetensors", "config.json", ""] {
        let files = with_index(|map| map[TABLE] = json!(name));
        assert_refused(load(files), ErrorKind::Weights, &[INDEX, &format!("{name:?}")]);
    }
    let folder = folder("sharded-safetensors", "bert-bare-h36");
    std::fs::write(folder.path().join(INDEX), " ".repeat(5 << 20)).unwrap();
    let loaded = load_as(ModelSource::Directory(folder.path().into()), Dtype::Auto);
    assert_refused(loaded, ErrorKind::Weights, &[INDEX, "bytes, more than"]);
}

#[test]
fn our_own_formats_come_in_one_file() {
    let mut files = pollster::block_on(quantize(fixture("bert-gelu-h36").files(), "a", Dtype::Q8)).unwrap();
    let weights = files.take("model.safetensors").unwrap();
    files.insert("a.safetensors", weights);
    files.insert(INDEX, json!({ "weight_map": { TABLE: "a.safetensors" } }).to_string().into_bytes());
    assert_refused(load(files), ErrorKind::Unsupported, &["a.safetensors", "q8"]);
}

// --- pytorch_model.bin

fn read(name: &str, file: &[u8]) -> ranklet::Result<Weights> {
    let mut reader = WeightsReader::default();
    reader.open(name, file.len() as u64)?;
    while let Some(range) = reader.wanted() {
        reader.push(&file[range.start as usize..range.end as usize])?;
    }
    reader.finish()
}

#[test]
fn the_form_before_torch_1_6_is_refused_with_what_to_do() {
    let loaded = load(files("bin-old", "bert-bare-h36"));
    assert_refused(loaded, ErrorKind::Unsupported, &[BIN, "1.6", "safe_serialization=True"]);
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let whole = files("bin-f32", "bert-bare-h36").take(BIN).unwrap();
    assert!(read(BIN, &whole).is_ok());
    for length in (0..whole.len()).step_by(97).chain(whole.len() - 200..whole.len()) {
        assert_refused(read(BIN, &whole[..length]), ErrorKind::Weights, &[BIN]);
        assert_refused(read(BIN, &whole[whole.len() - length..]), ErrorKind::Weights, &[BIN]);
    }
    assert_refused(read(BIN, &[&whole[..], &[0]].concat()), ErrorKind::Weights, &[BIN]);
}

/// Two rows of three numbers of a storage of eight.
const GOOD: Pickled<'static> =
    Pickled { class: "FloatStorage", key: "0", elements: 8, offset: 1, shape: &[2, 3], strides: &[3, 1] };

/// Eight numbers.
fn storage() -> Vec<u8> {
    (0..8u8).flat_map(|number| f32::from(number).to_le_bytes()).collect()
}

fn read_pickle(pickle: &[u8]) -> ranklet::Result<Weights> {
    read(BIN, &archive(&[("data.pkl", pickle), ("byteorder", b"little"), ("data/0", &storage())]))
}

fn read_tensor(tensor: &Pickled) -> ranklet::Result<Weights> {
    read_pickle(&dictionary(&[("m", tensor.bytes())]))
}

#[test]
fn an_archive_of_our_own_making_is_read() {
    let values = |tensor: Pickled| read_tensor(&tensor).unwrap().view("m").unwrap().to_f32();
    assert_eq!(values(GOOD), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(values(Pickled { strides: &[1, 2], ..GOOD }), [1.0, 3.0, 5.0, 2.0, 4.0, 6.0]);
    assert_eq!(values(Pickled { strides: &[0, 1], ..GOOD }), [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
    assert_eq!(values(Pickled { shape: &[], strides: &[], ..GOOD }), [1.0]);
    assert_eq!(values(Pickled { shape: &[3, 0], strides: &[9, 9], ..GOOD }), [0.0; 0]);
    let storage = storage();
    let old = archive(&[("data.pkl", &dictionary(&[("x.gamma", GOOD.bytes())])), ("data/0", &storage)]);
    assert_eq!(read(BIN, &old).unwrap().names().collect::<Vec<_>>(), ["x.weight"]);
}

#[test]
fn tensors_lie_in_their_storages() {
    for tensor in [
        Pickled { offset: 3, ..GOOD },
        Pickled { offset: -1, ..GOOD },
        Pickled { offset: i64::MAX, ..GOOD },
        Pickled { elements: -8, ..GOOD },
        Pickled { elements: 9, ..GOOD },
        Pickled { elements: i64::MAX, ..GOOD },
        Pickled { shape: &[-2, 3], ..GOOD },
        Pickled { shape: &[-2, -3], ..GOOD },
        Pickled { shape: &[2], ..GOOD },
        Pickled { shape: &[i64::MAX, i64::MAX], strides: &[0, 0], ..GOOD },
        Pickled { shape: &[i64::MAX, 3], strides: &[0, 1], ..GOOD },
        Pickled { strides: &[-1, 1], ..GOOD },
        Pickled { strides: &[5, 2], ..GOOD },
        Pickled { strides: &[i64::MAX, i64::MAX], ..GOOD },
        Pickled { shape: &[1; 9], strides: &[1; 9], ..GOOD },
        Pickled { class: "DoubleStorage", ..GOOD },
    ] {
        assert_refused(read_tensor(&tensor), ErrorKind::Weights, &[BIN, ": m"]);
    }
    assert_refused(read_tensor(&Pickled { key: "1", ..GOOD }), ErrorKind::Weights, &["data/1"]);
    assert_refused(read_tensor(&Pickled { key: "../0", ..GOOD }), ErrorKind::Weights, &["data/../0"]);
}

/// A small file must not become gigabytes of numbers.
#[test]
fn sharing_is_bounded() {
    let huge = Pickled { shape: &[1 << 20, 1 << 20], strides: &[0, 0], ..GOOD };
    assert_refused(read_tensor(&huge), ErrorKind::Weights, &[BIN, "times those of the file"]);
    let storage = vec![0; 1 << 20];
    let tensor = Pickled { elements: 1 << 18, offset: 0, shape: &[1 << 18], strides: &[1], ..GOOD };
    let shared = |count: usize| {
        let names: Vec<String> = (0..count).map(|number| number.to_string()).collect();
        let items: Vec<_> = names.iter().map(|name| (name.as_str(), tensor.bytes())).collect();
        read(BIN, &archive(&[("data.pkl", &dictionary(&items)), ("data/0", &storage)]))
    };
    assert!(shared(4).is_ok());
    assert_refused(shared(5), ErrorKind::Weights, &[BIN, "times those of the file"]);
}

#[test]
fn nothing_a_pickle_names_is_run() {
    let folder = tempfile::tempdir().unwrap();
    let proof = folder.path().join("proof");
    let command = text(&format!("touch {}", proof.display()));
    for (module, name) in [("os", "system"), ("posix", "system"), ("builtins", "eval"), ("torch", "load")] {
        let call = [format!("c{module}\n{name}\n(").as_bytes(), &command, b"tR"].concat();
        let named = format!("{module}.{name}");
        assert_refused(read_pickle(&dictionary(&[("m", call.clone())])), ErrorKind::Weights, &[BIN, &named]);
        let alone = [&b"\x80\x02"[..], &call, b"."].concat();
        assert_refused(read_pickle(&alone), ErrorKind::Weights, &[BIN, &named]);
    }
    assert!(!proof.exists());
    // Protocol 4 names things by two strings.
    let stacked = [&b"\x80\x02"[..], &text("os"), &text("system"), b"\x93."].concat();
    assert_refused(read_pickle(&stacked), ErrorKind::Weights, &[BIN, "\\u{93}"]);
    // Known things, put together wrongly.
    for wrong in [
        &b"ccollections\nOrderedDict\n(K\x01tR"[..],
        b"ctorch\nFloatStorage\n)R",
        b"ctorch._utils\n_rebuild_tensor_v2\n)R",
        b"ctorch._utils\n_rebuild_parameter\n(K\x01\x88}tR",
        b")Q",
        b"X\x01\0\0\0aQ",
        b"}K\x01b",
    ] {
        assert_refused(read_pickle(&dictionary(&[("m", wrong.to_vec())])), ErrorKind::Weights, &[BIN]);
    }
}

#[test]
fn only_a_dictionary_of_tensors_is_taken() {
    let value = |value: &[u8]| read_pickle(&dictionary(&[("epoch", value.to_vec())]));
    assert_refused(value(b"K\x03"), ErrorKind::Weights, &["epoch is a number"]);
    assert_refused(value(b"}"), ErrorKind::Weights, &["epoch is a dictionary", "state_dict()"]);
    assert_refused(value(b"N"), ErrorKind::Weights, &["epoch is None"]);
    assert_refused(value(b")"), ErrorKind::Weights, &["epoch is a tuple"]);
    assert_refused(read_pickle(b"\x80\x02N."), ErrorKind::Weights, &["None, not a dictionary"]);
    assert_refused(read_pickle(b"\x80\x02}(K\x01K\x01u."), ErrorKind::Weights, &["a number for a name"]);
    let twice = dictionary(&[("a.gamma", GOOD.bytes()), ("a.weight", GOOD.bytes())]);
    assert_refused(read_pickle(&twice), ErrorKind::Weights, &["a.weight and its other spelling"]);
    assert_refused(read_pickle(b"\x80\x04}."), ErrorKind::Unsupported, &["protocol 4"]);
}

/// Each of these is small and would be large, deep or endless for a machine that does as it is told.
#[test]
fn bombs_come_to_nothing() {
    let deep = [&b"\x80\x02)"[..], &[0x85; 1 << 19], b"."].concat();
    assert_refused(read_pickle(&deep), ErrorKind::Weights, &["a tuple, not a dictionary"]);
    // Each tuple holds the one before twice: 2^1000 items for whoever looks at all.
    let doubled: Vec<u8> = (0..1000u32)
        .flat_map(|n| [&b"\x86r"[..], &n.to_le_bytes(), b"j", &n.to_le_bytes()].concat())
        .collect();
    let doubling = [&b"\x80\x02))"[..], &doubled, b"."].concat();
    assert_refused(read_pickle(&doubling), ErrorKind::Weights, &["a tuple, not a dictionary"]);
    for broken in [
        &b""[..],
        b".",
        b"\x80\x02",
        b"\x80\x02r\xff\xff\xff\xff.",
        b"\x80\x02Nr\xff\xff\xff\xff.",
        b"\x80\x02j\xff\xff\xff\xff.",
        b"\x80\x02X\xff\xff\xff\xff.",
        b"\x80\x02\x8a\xff",
        b"\x80\x02\x8a\x09\0\0\0\0\0\0\0\0\0.",
        b"\x80\x02t.",
        b"\x80\x02}(Nu.",
        b"\x80\x02}(}(}u.",
        b"\x80\x02N(QsR.",
        b"\x80\x02cos",
        b"\x80\x02X\x01\0\0\0\xff.",
    ] {
        assert_refused(read_pickle(broken), ErrorKind::Weights, &[BIN, "data.pkl"]);
    }
    let long = [&b"\x80\x02"[..], &[b'N'; 1 << 20], b"."].concat();
    assert_refused(read_pickle(&long), ErrorKind::Weights, &["data.pkl has", "bytes"]);
}

/// The archive of one good tensor with bytes written over others: at the first place of `at`, `skip` bytes on.
fn overwritten(at: &[u8], skip: usize, bytes: &[u8]) -> ranklet::Result<Weights> {
    let mut file = archive(&[
        ("data.pkl", &dictionary(&[("m", GOOD.bytes())])),
        ("data/0", &storage()),
        ("byteorder", b"little"),
    ]);
    let place = file.windows(at.len()).position(|window| window == at).unwrap() + skip;
    file[place..place + bytes.len()].copy_from_slice(bytes);
    read(BIN, &file)
}

#[test]
fn an_archive_is_as_its_directory_says() {
    let (entry, end) = (b"PK\x01\x02", b"PK\x05\x06");
    assert!(overwritten(entry, 0, entry).is_ok());
    let compressed = overwritten(entry, 10, &[8, 0]);
    assert_refused(compressed, ErrorKind::Unsupported, &[BIN, "compressed"]);
    assert_refused(overwritten(entry, 8, &[1, 0]), ErrorKind::Unsupported, &[BIN, "encrypted"]);
    assert_refused(overwritten(b"little", 0, b"big\0\0\0"), ErrorKind::Unsupported, &[BIN, "big-endian"]);
    for (what, broken) in [
        ("two sizes", overwritten(entry, 20, &[1, 0, 0, 0])),
        ("outside", overwritten(entry, 20, &[0xf0, 0xff, 0xff, 0x7f, 0xf0, 0xff, 0xff, 0x7f])),
        ("outside", overwritten(entry, 42, &[0xff, 0xff, 0xff, 0x7f])),
        ("not where", overwritten(entry, 42, &[1, 0, 0, 0])),
        ("not where", overwritten(b"PK\x03\x04", 26, &[0xff, 0xff])),
        ("ends too early", overwritten(end, 10, &[0xff, 0xff])),
        ("goes on", overwritten(end, 10, &[2, 0])),
        ("directory", overwritten(end, 12, &[0xff, 0xff, 0xff, 0xff])),
        ("directory", overwritten(end, 16, &[0, 0, 0, 0])),
        ("zip archive", overwritten(end, 20, &[1, 0])),
        ("zip archive", overwritten(end, 0, b"XX")),
        ("not the archive", overwritten(b"PK\x03\x04", 0, b"XX")),
        ("something else", overwritten(entry, 0, b"XX")),
    ] {
        assert_refused(broken, ErrorKind::Weights, &[BIN, what]);
    }
    let storage = storage();
    let pickle = dictionary(&[("m", GOOD.bytes())]);
    let twice = archive(&[("data.pkl", &pickle), ("data/0", &storage), ("data/0", &storage)]);
    assert_refused(read(BIN, &twice), ErrorKind::Weights, &["data/0", "twice"]);
    assert_refused(read(BIN, &archive(&[("data/0", &storage)])), ErrorKind::Weights, &["data.pkl"]);
}

#[test]
fn any_one_byte_may_be_wrong() {
    let storage = storage();
    let file = archive(&[
        ("data.pkl", &dictionary(&[("m", GOOD.bytes())])),
        ("byteorder", b"little"),
        ("data/0", &storage),
    ]);
    for place in 0..file.len() {
        for value in [0, 1, 2, 0x28, 0x7f, 0x80, 0xff] {
            let mut broken = file.clone();
            broken[place] = value;
            let expected = [ErrorKind::Weights, ErrorKind::Unsupported];
            let is_expected = |error: Error| expected.contains(&error.kind());
            assert!(read(BIN, &broken).err().is_none_or(is_expected), "{value} at {place}");
        }
    }
}
