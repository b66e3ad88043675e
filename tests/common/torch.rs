//! Builds files in the format of `torch.save`, so that tests can break them and the fuzzer can start from them.

#![allow(unreachable_pub, reason = "the fuzz targets use it from outside the crate it is in there")]

/// Returns a zip archive: local headers with some padding, then the directory. Checksums are 0, which torch can write
/// too.
pub fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in entries {
        let name = format!("model/{name}");
        let size = (content.len() as u32).to_le_bytes();
        let header = (file.len() as u32).to_le_bytes();
        let length = (name.len() as u16).to_le_bytes();
        file.extend(
            [&b"PK\x03\x04"[..], &[0; 22], &length, &[3, 0], name.as_bytes(), b"ZZZ", content].concat(),
        );
        directory.extend([&b"PK\x01\x02"[..], &[0; 16], &size, &size, &length, &[0; 12], &header].concat());
        directory.extend(name.as_bytes());
    }
    let count = (entries.len() as u16).to_le_bytes();
    let [size, start] = [directory.len(), file.len()].map(|number| (number as u32).to_le_bytes());
    file.extend([&directory[..], b"PK\x05\x06", &[0; 4], &count, &count, &size, &start, &[0; 2]].concat());
    file
}

/// Returns a string in a pickle.
pub fn text(text: &str) -> Vec<u8> {
    [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
}

/// Returns an integer in a pickle.
pub fn int(number: i64) -> Vec<u8> {
    [&b"\x8a\x08"[..], &number.to_le_bytes()].concat()
}

fn ints(numbers: &[i64]) -> Vec<u8> {
    let items: Vec<u8> = numbers.iter().flat_map(|number| int(*number)).collect();
    [&b"("[..], &items, b"t"].concat()
}

/// A tensor as torch pickles it.
pub struct Pickled<'a> {
    pub class: &'a str,
    pub key: &'a str,
    pub elements: i64,
    pub offset: i64,
    pub shape: &'a [i64],
    pub strides: &'a [i64],
}

impl Pickled<'_> {
    /// Returns the pickle of the tensor by itself.
    pub fn bytes(&self) -> Vec<u8> {
        let class = format!("ctorch\n{}\n", self.class);
        let storage = [
            &b"("[..],
            &text("storage"),
            class.as_bytes(),
            &text(self.key),
            &text("cpu"),
            &int(self.elements),
        ];
        [
            &b"ctorch._utils\n_rebuild_tensor_v2\n("[..],
            &storage.concat(),
            b"tQ",
            &int(self.offset),
            &ints(self.shape),
            &ints(self.strides),
            b"\x89ccollections\nOrderedDict\n)RtR",
        ]
        .concat()
    }
}

/// Returns the pickle of a dictionary.
pub fn dictionary(items: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let items: Vec<u8> =
        items.iter().flat_map(|(name, value)| [text(name), value.clone()].concat()).collect();
    [&b"\x80\x02}("[..], &items, b"u."].concat()
}
