//! pytorch_model.bin: supported and rejected files.

use super::weights_folder::*;
use crate::common::load;
use crate::torch::{Pickled, archive, dictionary, text};
use ranklet::internals::Weights;
use ranklet::{Error, ErrorKind};

#[test]
fn files_from_before_torch_1_6_are_rejected_with_advice() {
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

/// A tensor of two rows and three columns in a storage of eight numbers.
const GOOD: Pickled<'static> =
    Pickled { class: "FloatStorage", key: "0", elements: 8, offset: 1, shape: &[2, 3], strides: &[3, 1] };

/// Returns eight numbers.
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
fn a_handmade_archive_is_read() {
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
fn tensors_outside_their_storage_are_rejected() {
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

/// A small file must not expand to gigabytes of numbers.
#[test]
fn the_size_of_tensors_that_share_a_storage_is_limited() {
    let huge = Pickled { shape: &[1 << 20, 1 << 20], strides: &[0, 0], ..GOOD };
    assert_refused(read_tensor(&huge), ErrorKind::Weights, &[BIN, "times the size of the file"]);
    let storage = vec![0; 1 << 20];
    let tensor = Pickled { elements: 1 << 18, offset: 0, shape: &[1 << 18], strides: &[1], ..GOOD };
    let shared = |count: usize| {
        let names: Vec<String> = (0..count).map(|number| number.to_string()).collect();
        let items: Vec<_> = names.iter().map(|name| (name.as_str(), tensor.bytes())).collect();
        read(BIN, &archive(&[("data.pkl", &dictionary(&items)), ("data/0", &storage)]))
    };
    assert!(shared(4).is_ok());
    assert_refused(shared(5), ErrorKind::Weights, &[BIN, "times the size of the file"]);
}

#[test]
fn functions_that_a_pickle_names_are_not_called() {
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
    // Protocol 4 names a function with two strings.
    let stacked = [&b"\x80\x02"[..], &text("os"), &text("system"), b"\x93."].concat();
    assert_refused(read_pickle(&stacked), ErrorKind::Weights, &[BIN, "\\u{93}"]);
    // Known instructions with the wrong arguments.
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
fn a_pickle_without_a_dictionary_of_tensors_is_rejected() {
    let value = |value: &[u8]| read_pickle(&dictionary(&[("epoch", value.to_vec())]));
    assert_refused(value(b"K\x03"), ErrorKind::Weights, &["epoch is a number"]);
    assert_refused(value(b"}"), ErrorKind::Weights, &["epoch is a dictionary", "state_dict()"]);
    assert_refused(value(b"N"), ErrorKind::Weights, &["epoch is None"]);
    assert_refused(value(b")"), ErrorKind::Weights, &["epoch is a tuple"]);
    assert_refused(read_pickle(b"\x80\x02N."), ErrorKind::Weights, &["None, not a dictionary"]);
    assert_refused(read_pickle(b"\x80\x02}(K\x01K\x01u."), ErrorKind::Weights, &["a number as a name"]);
    let twice = dictionary(&[("a.gamma", GOOD.bytes()), ("a.weight", GOOD.bytes())]);
    assert_refused(read_pickle(&twice), ErrorKind::Weights, &["a.weight occurs twice"]);
    assert_refused(read_pickle(b"\x80\x04}."), ErrorKind::Unsupported, &["protocol 4"]);
}

/// Each of these files is small. A naive machine would need unbounded memory, stack or time for it.
#[test]
fn pickle_bombs_are_rejected() {
    let deep = [&b"\x80\x02)"[..], &[0x85; 1 << 19], b"."].concat();
    assert_refused(read_pickle(&deep), ErrorKind::Weights, &["a tuple, not a dictionary"]);
    // Each tuple has the previous one twice. A reader that visits all items would visit 2^1000.
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

/// Reads the archive of a valid tensor after overwriting bytes, `skip` bytes after the first occurrence of `at`.
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
fn an_archive_that_contradicts_its_directory_is_rejected() {
    let (entry, end) = (b"PK\x01\x02", b"PK\x05\x06");
    assert!(overwritten(entry, 0, entry).is_ok());
    let compressed = overwritten(entry, 10, &[8, 0]);
    assert_refused(compressed, ErrorKind::Unsupported, &[BIN, "compressed"]);
    assert_refused(overwritten(entry, 8, &[1, 0]), ErrorKind::Unsupported, &[BIN, "encrypted"]);
    assert_refused(overwritten(b"little", 0, b"big\0\0\0"), ErrorKind::Unsupported, &[BIN, "big-endian"]);
    for (what, broken) in [
        ("two different sizes", overwritten(entry, 20, &[1, 0, 0, 0])),
        ("outside", overwritten(entry, 20, &[0xf0, 0xff, 0xff, 0x7f, 0xf0, 0xff, 0xff, 0x7f])),
        ("outside", overwritten(entry, 42, &[0xff, 0xff, 0xff, 0x7f])),
        ("not where", overwritten(entry, 42, &[1, 0, 0, 0])),
        ("not where", overwritten(b"PK\x03\x04", 26, &[0xff, 0xff])),
        ("ends too early", overwritten(end, 10, &[0xff, 0xff])),
        ("bytes after its last entry", overwritten(end, 10, &[2, 0])),
        ("directory", overwritten(end, 12, &[0xff, 0xff, 0xff, 0xff])),
        ("directory", overwritten(end, 16, &[0, 0, 0, 0])),
        ("zip archive", overwritten(end, 20, &[1, 0])),
        ("zip archive", overwritten(end, 0, b"XX")),
        ("not the archive", overwritten(b"PK\x03\x04", 0, b"XX")),
        ("an invalid entry", overwritten(entry, 0, b"XX")),
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
fn a_wrong_byte_anywhere_causes_no_panic() {
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
