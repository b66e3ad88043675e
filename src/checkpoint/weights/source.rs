//! The weights files of a checkpoint, before they are read.

use std::borrow::Cow;

#[cfg(feature = "candle")]
use super::ExpectedTensors;
use super::Weights;
use super::index::Index;
use super::reader::WeightsReader;
use crate::checkpoint::ModelFiles;
#[cfg(not(target_arch = "wasm32"))]
use crate::checkpoint::model_layout::layout;
use crate::checkpoint::model_layout::missing_shard;
use crate::checkpoint::weights_choice::WeightsChoice;
use crate::error::{Result, weights};

/// The files of a checkpoint's weights, in the preferred form that exists.
#[derive(Debug)]
pub(crate) struct WeightsSource {
    /// The index of sharded weights. The reader takes it.
    pub(crate) index: Option<Index>,
    files: Vec<(String, FileContent)>,
    /// The folder that they are in, for files that only an ONNX file names.
    #[cfg(not(target_arch = "wasm32"))]
    folder: Option<std::path::PathBuf>,
}

/// The content of a file.
#[derive(Debug)]
enum FileContent {
    /// In memory.
    Bytes(Cow<'static, [u8]>),
    /// On a disk.
    #[cfg(not(target_arch = "wasm32"))]
    Disk(disk::DiskFile),
}

impl WeightsSource {
    /// Removes the weights from a checkpoint's files.
    ///
    /// # Errors
    /// `weights` if they do not exist, their index is malformed, or a shard is missing.
    pub(crate) fn take_from(files: &mut ModelFiles) -> Result<Self> {
        let choice = files.weights_choice()?;
        let found = Self::find(&choice, |name| Ok(files.take(name).map(FileContent::Bytes)))?;
        let names = || files.iter().map(|(name, _)| name).collect::<Vec<_>>();
        found.ok_or_else(|| choice.missing(&names()))
    }

    fn new(index: Option<Index>, files: Vec<(String, FileContent)>) -> Self {
        Self {
            index,
            files,
            #[cfg(not(target_arch = "wasm32"))]
            folder: None,
        }
    }

    /// Returns the weights in the first form that exists.
    fn find(
        choice: &WeightsChoice,
        mut get: impl FnMut(&str) -> Result<Option<FileContent>>,
    ) -> Result<Option<Self>> {
        for form in choice.forms() {
            let Some(content) = get(&form.name)? else { continue };
            if form.shard_suffix.is_none() {
                let mut files = vec![(form.name.clone(), content)];
                for name in form.data_files() {
                    files.extend(get(&name)?.map(|content| (name, content)));
                }
                return Ok(Some(Self::new(None, files)));
            }
            let index = Index::parse(form, &content.into_index_bytes(&form.name)?)?;
            let mut shard = |name: &str| match get(name)? {
                Some(content) => Ok((name.to_owned(), content)),
                None => Err(missing_shard(name, form)),
            };
            let files = index.files().map(&mut shard).collect::<Result<_>>()?;
            return Ok(Some(Self::new(Some(index), files)));
        }
        Ok(None)
    }

    /// Returns the total size of the weights in bytes. The index does not count.
    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|(_, content)| content.length()).sum()
    }

    /// Returns the name of the file that is read first.
    pub(crate) fn first_file(&self) -> Option<&str> {
        self.files.first().map(|(name, _)| name.as_str())
    }

    /// Pushes all files into `reader`.
    ///
    /// # Errors
    /// `weights` if a file cannot be read, and the errors of the reader.
    pub(crate) fn read(self, reader: &mut WeightsReader) -> Result<()> {
        for (name, content) in self.files {
            content.read(&name, reader)?;
        }
        #[cfg(not(target_arch = "wasm32"))]
        if let Some(folder) = self.folder {
            for name in reader.missing_files() {
                if let Some(content) = disk::open_in(&folder, &name)? {
                    content.read(&name, reader)?;
                }
            }
        }
        Ok(())
    }

    /// Reads all tensors without quantizing any; of an ONNX file, those that are `expected`.
    ///
    /// # Errors
    /// The errors of [`read`](Self::read) and [`WeightsReader::finish`].
    #[cfg(feature = "candle")]
    pub(crate) fn parse(mut self, expected: ExpectedTensors) -> Result<Weights> {
        let mut reader = WeightsReader::new(self.index.take(), expected);
        self.read(&mut reader)?;
        reader.finish()
    }
}

impl Weights {
    /// Parses a complete `model.safetensors`.
    ///
    /// # Errors
    /// See [`WeightsReader::push`].
    pub fn parse(file: &[u8]) -> Result<Self> {
        Self::parse_file("model.safetensors", file)
    }

    /// Parses a complete file. Its name determines the format.
    ///
    /// # Errors
    /// See [`WeightsReader::push`].
    pub(crate) fn parse_file(name: &str, file: &[u8]) -> Result<Self> {
        let mut reader = WeightsReader::default();
        read_bytes(name, file, &mut reader)?;
        reader.finish()
    }
}

impl FileContent {
    fn length(&self) -> u64 {
        match self {
            FileContent::Bytes(bytes) => bytes.len() as u64,
            #[cfg(not(target_arch = "wasm32"))]
            FileContent::Disk(file) => file.length(),
        }
    }

    fn read(self, name: &str, reader: &mut WeightsReader) -> Result<()> {
        match self {
            FileContent::Bytes(bytes) => read_bytes(name, &bytes, reader),
            #[cfg(not(target_arch = "wasm32"))]
            FileContent::Disk(file) => file.read(name, reader),
        }
    }

    /// Returns the bytes of the index `name`. Reads no more than needed to see that an index is too large.
    #[cfg_attr(target_arch = "wasm32", expect(unused_variables, reason = "there is no disk that could fail"))]
    fn into_index_bytes(self, name: &str) -> Result<Cow<'static, [u8]>> {
        match self {
            FileContent::Bytes(bytes) => Ok(bytes),
            #[cfg(not(target_arch = "wasm32"))]
            FileContent::Disk(file) => {
                file.read_prefix(name, layout().limits.max_index_bytes + 1).map(Cow::Owned)
            }
        }
    }
}

fn read_bytes(name: &str, bytes: &[u8], reader: &mut WeightsReader) -> Result<()> {
    reader.open(name, bytes.len() as u64)?;
    while let Some(wanted) = reader.wanted() {
        let piece = bytes.get(wanted.start as usize..wanted.end as usize);
        reader.push(piece.ok_or_else(|| weights(format!("{name} has no bytes at {wanted:?}")))?)?;
    }
    Ok(())
}

#[cfg(not(target_arch = "wasm32"))]
mod disk {
    use std::fs::File;
    use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
    use std::path::Path;

    use super::{FileContent, Result, WeightsChoice, WeightsReader, WeightsSource};
    use crate::checkpoint::file_content::check_content;
    use crate::checkpoint::model_folder::list_files;
    use crate::checkpoint::model_layout::unreadable;

    /// The number of bytes that tell a weights file from a page or a Git LFS pointer.
    const PREFIX_BYTES: usize = 1024;

    /// An open file.
    #[derive(Debug)]
    pub(super) struct DiskFile {
        file: File,
        length: u64,
    }

    impl WeightsSource {
        /// Opens the weights in a checkpoint's folder.
        ///
        /// # Errors
        /// `weights` if a file cannot be opened, and the errors of [`take_from`](Self::take_from).
        pub(crate) fn open(folder: &Path, choice: &WeightsChoice) -> Result<Self> {
            let found = Self::find(choice, |name| open_in(folder, name))?;
            let found = found.ok_or_else(|| choice.missing(&list_files(folder)))?;
            Ok(Self { folder: Some(folder.to_owned()), ..found })
        }

        /// Checks that no file is a Git LFS pointer or a page, from its first bytes.
        ///
        /// # Errors
        /// `weights` for a file that was replaced, or cannot be read.
        pub(crate) fn check_files(&self) -> Result<()> {
            self.files.iter().try_for_each(|(name, content)| match content {
                FileContent::Bytes(bytes) => check_content(name, bytes),
                FileContent::Disk(file) => check_content(name, &file.read_prefix(name, PREFIX_BYTES)?),
            })
        }
    }

    /// Opens a file in a folder, if it exists.
    pub(super) fn open_in(folder: &Path, name: &str) -> Result<Option<FileContent>> {
        let path = folder.join(name);
        match DiskFile::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            opened => opened
                .map(|file| Some(FileContent::Disk(file)))
                .map_err(|error| unreadable(name, error).at(path.display())),
        }
    }

    impl DiskFile {
        fn open(path: &Path) -> io::Result<Self> {
            let file = File::open(path)?;
            let length = file.metadata()?.len();
            Ok(Self { file, length })
        }

        pub(super) fn length(&self) -> u64 {
            self.length
        }

        pub(super) fn read(mut self, name: &str, reader: &mut WeightsReader) -> Result<()> {
            reader.open(name, self.length)?;
            let failed = |error| unreadable(name, error);
            self.file.rewind().map_err(failed)?;
            let mut piece = Vec::new();
            let mut at = 0;
            while let Some(wanted) = reader.wanted() {
                if wanted.start != at {
                    self.file.seek(SeekFrom::Start(wanted.start)).map_err(failed)?;
                }
                at = wanted.end;
                piece.resize((wanted.end - wanted.start) as usize, 0);
                self.file.read_exact(&mut piece).map_err(failed)?;
                reader.push(&piece)?;
            }
            Ok(())
        }

        /// Returns the first `count` bytes, or all of a shorter file.
        pub(super) fn read_prefix(&self, name: &str, count: usize) -> Result<Vec<u8>> {
            let mut bytes = Vec::new();
            let mut file = &self.file;
            let read = file.rewind().and_then(|()| file.take(count as u64).read_to_end(&mut bytes));
            read.map(|_| bytes).map_err(|error| unreadable(name, error))
        }
    }
}
