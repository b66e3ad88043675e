//! The weights file of a checkpoint, still unread.

use std::borrow::Cow;

use super::files::{INDEX, ModelFiles, PICKLE, WEIGHTS};
use crate::error::{Result, unsupported, weights};

/// Where the bytes of `model.safetensors` are.
#[derive(Debug)]
pub(crate) enum WeightsFile {
    /// In memory.
    Bytes(Cow<'static, [u8]>),
    /// On a disk.
    #[cfg(not(target_arch = "wasm32"))]
    Disk(on_disk::OnDisk),
}

impl WeightsFile {
    /// Takes the weights out of a checkpoint's files.
    ///
    /// # Errors
    /// `weights` when they are missing, `unsupported` when they are there in another form.
    pub(crate) fn take(files: &mut ModelFiles) -> Result<Self> {
        files.take(WEIGHTS).map(Self::Bytes).ok_or_else(|| missing(|name| files.get(name).is_some()))
    }

    /// Bytes of the file.
    pub(crate) fn length(&self) -> u64 {
        match self {
            WeightsFile::Bytes(bytes) => bytes.len() as u64,
            #[cfg(not(target_arch = "wasm32"))]
            WeightsFile::Disk(file) => file.length(),
        }
    }

    /// Hands the file on piece by piece, from the beginning.
    ///
    /// # Errors
    /// `input` when it cannot be read, and those of `push`.
    pub(crate) fn read(self, mut push: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        match self {
            WeightsFile::Bytes(bytes) => push(&bytes),
            #[cfg(not(target_arch = "wasm32"))]
            WeightsFile::Disk(file) => file.read(push),
        }
    }
}

/// What is wrong with a checkpoint that has no weights file but others.
fn missing(has: impl Fn(&str) -> bool) -> crate::Error {
    for other in [INDEX, PICKLE] {
        if has(other) {
            return unsupported(format!("weights in {other}: save the model as one {WEIGHTS}"));
        }
    }
    weights(format!("{WEIGHTS} is missing"))
}

#[cfg(not(target_arch = "wasm32"))]
mod on_disk {
    use std::fs::File;
    use std::io::Read;
    use std::path::{Path, PathBuf};

    use super::{Result, WEIGHTS, WeightsFile, missing};
    use crate::error::input;

    /// How much is read at a time.
    const PIECE: usize = 1 << 20;

    /// An open file.
    #[derive(Debug)]
    pub(crate) struct OnDisk {
        path: PathBuf,
        file: File,
        length: u64,
    }

    impl WeightsFile {
        /// Opens the weights in the folder of a checkpoint.
        ///
        /// # Errors
        /// `input` when the file cannot be opened, else as [`take`](Self::take).
        pub(crate) fn open(folder: &Path) -> Result<Self> {
            let path = folder.join(WEIGHTS);
            let failed = |error| input(format!("{}: {error}", path.display()));
            let file = match File::open(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    return Err(missing(|name| folder.join(name).exists()));
                }
                opened => opened.map_err(failed)?,
            };
            let length = file.metadata().map_err(failed)?.len();
            Ok(Self::Disk(OnDisk { path, file, length }))
        }
    }

    impl OnDisk {
        pub(super) fn length(&self) -> u64 {
            self.length
        }

        pub(super) fn read(mut self, mut push: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
            let mut piece = vec![0; PIECE];
            loop {
                match self.file.read(&mut piece) {
                    Ok(0) => return Ok(()),
                    Ok(count) => push(&piece[..count])?,
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(input(format!("{}: {error}", self.path.display()))),
                }
            }
        }
    }
}
