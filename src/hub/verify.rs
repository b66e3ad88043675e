//! The SHA-256 of downloaded files.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use ring::digest::{Context, SHA256};

const BUFFER_BYTES: usize = 1 << 20;

/// Checks a file that was downloaded into the cache of HF's own programs. There, the file that `path` links to is named
/// by the ETag, which is the SHA-256 of a large file. A file with another one is removed.
///
/// # Errors
/// `integrity` for a file with another SHA-256; `network` for one that cannot be read.
pub(super) fn check_hash(path: &Path) -> Result<()> {
    let unreadable = |error: std::io::Error| {
        Error::new(ErrorKind::Network, format!("{} cannot be read: {error}", path.display()))
    };
    let blob = path.canonicalize().map_err(unreadable)?;
    let Some(expected) = blob.file_name().and_then(OsStr::to_str).filter(|name| is_sha256(name)) else {
        return Ok(());
    };
    let found = sha256(&blob).map_err(unreadable)?;
    if found == expected {
        return Ok(());
    }
    // If this fails, the message says where the files are.
    let _ = std::fs::remove_file(path).and_then(|()| std::fs::remove_file(&blob));
    let message = format!(
        "{} has the SHA-256 {found} where {expected} was expected: it is damaged, or another file; try again",
        path.display()
    );
    Err(Error::new(ErrorKind::Integrity, message))
}

fn is_sha256(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn sha256(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        context.update(&buffer[..read]);
    }
    Ok(context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
}
