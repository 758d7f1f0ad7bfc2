//! A wheel as a zip file: its entries, checked for names that would leave the folder, and the bytes of the small ones.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek},
};

use blob::Digest;
use camino::{Utf8Path, Utf8PathBuf};
use zip::{CompressionMethod, ZipArchive, read::ZipFile, result::ZipError};

/// An open wheel.
pub struct Archive<R> {
    filename: String,
    zip: ZipArchive<R>,
}

/// A file in a wheel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path in the wheel: relative, with `/` between parts, none of which is empty, `.` or `..`.
    pub name: String,
    /// Its size in bytes, inflated.
    pub size: u64,
    /// Whether it is a regular file with an executable bit.
    pub executable: bool,
}

/// A wheel that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file cannot be opened or read.
    #[error("reading {path}, the wheel {filename}")]
    Read {
        /// The wheel.
        filename: String,
        /// Where it was looked for.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is no readable zip file, or an entry is damaged.
    #[error("reading {what} in {filename}")]
    Zip {
        /// The wheel.
        filename: String,
        /// The entry, or what else was being read.
        what: String,
        /// Why.
        source: ZipError,
    },
    /// What the format asks for is not there or wrong.
    #[error("{filename} is no sound wheel: {why}")]
    Unsound {
        /// The wheel.
        filename: String,
        /// What was expected and what was found.
        why: String,
    },
}

impl Archive<BufReader<File>> {
    /// Opens the wheel at `path`; `filename` is its name on the index, which the store does not keep.
    ///
    /// # Errors
    /// The file cannot be read or is no zip file.
    pub fn open(filename: &str, path: &Utf8Path) -> Result<Self, ArchiveError> {
        let file = File::open(path).map_err(|source| ArchiveError::Read {
            filename: filename.to_owned(),
            path: path.to_owned(),
            source,
        })?;
        Self::new(filename, BufReader::new(file))
    }
}

impl<R: Read + Seek> Archive<R> {
    /// Reads the directory of a wheel.
    ///
    /// # Errors
    /// The bytes are no zip file.
    pub fn new(filename: &str, reader: R) -> Result<Self, ArchiveError> {
        let zip = ZipArchive::new(reader).map_err(|source| ArchiveError::Zip {
            filename: filename.to_owned(),
            what: "the zip directory".to_owned(),
            source,
        })?;
        Ok(Self { filename: filename.to_owned(), zip })
    }

    /// The wheel's file name.
    pub fn filename(&self) -> &str {
        &self.filename
    }

    /// The files, in the order of the zip directory. Folders are left out: files imply them.
    ///
    /// # Errors
    /// A name that is absolute or climbs out of its folder, an encrypted entry, a compression other than deflate.
    pub fn entries(&mut self) -> Result<Vec<Entry>, ArchiveError> {
        let mut entries = Vec::with_capacity(self.zip.len());
        for index in 0..self.zip.len() {
            let entry = match self.zip.by_index_raw(index) {
                Ok(file) => entry_of(&file),
                Err(source) => {
                    let (filename, what) = (self.filename.clone(), format!("entry {index}"));
                    return Err(ArchiveError::Zip { filename, what, source });
                }
            };
            entries.extend(entry.map_err(|why| self.unsound(why))?);
        }
        Ok(entries)
    }

    /// Whether there is an entry of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.zip.index_for_name(name).is_some()
    }

    /// The bytes of one entry.
    ///
    /// # Errors
    /// There is no such entry, or its bytes are damaged.
    pub fn read(&mut self, name: &str) -> Result<Vec<u8>, ArchiveError> {
        let mut bytes = Vec::new();
        self.stream(name, |file| file.read_to_end(&mut bytes).map(drop))?;
        Ok(bytes)
    }

    /// Whether an entry begins with these bytes; no more than those are inflated.
    ///
    /// # Errors
    /// There is no such entry, or its bytes are damaged.
    pub fn starts_with(&mut self, name: &str, start: &[u8]) -> Result<bool, ArchiveError> {
        let mut bytes = Vec::new();
        self.stream(name, |file| file.take(start.len() as u64).read_to_end(&mut bytes))?;
        Ok(bytes == start)
    }

    /// The digest and the size of one entry, found by reading it.
    ///
    /// # Errors
    /// There is no such entry, or its bytes are damaged.
    pub fn digest(&mut self, name: &str) -> Result<(Digest, u64), ArchiveError> {
        self.stream(name, |file| blob::hash_reader(file))
    }

    fn stream<T>(&mut self, name: &str, take: impl FnOnce(&mut dyn Read) -> io::Result<T>) -> Result<T, ArchiveError> {
        let error = |source| ArchiveError::Zip { filename: self.filename.clone(), what: format!("`{name}`"), source };
        let mut file = self.zip.by_name(name).map_err(error)?;
        take(&mut file).map_err(|source| error(ZipError::Io(source)))
    }

    /// The one `.dist-info` folder that a wheel has.
    ///
    /// # Errors
    /// There is none, or more than one.
    pub fn dist_info(&self) -> Result<String, ArchiveError> {
        let mut found: Vec<String> = self
            .zip
            .file_names()
            .filter_map(|name| Some(name.split_once('/')?.0.to_owned()))
            .filter(|top| top.ends_with(".dist-info"))
            .collect();
        found.sort_unstable();
        found.dedup();
        match found.as_slice() {
            [one] => Ok(one.clone()),
            found => Err(self.unsound(format!(
                "expected one .dist-info folder, found {}: {}",
                found.len(),
                found.join(", ")
            ))),
        }
    }

    pub(crate) fn unsound(&self, why: String) -> ArchiveError {
        ArchiveError::Unsound { filename: self.filename.clone(), why }
    }
}

/// The entry as it will be used, `None` for a folder.
fn entry_of<R: Read>(file: &ZipFile<'_, R>) -> Result<Option<Entry>, String> {
    let name = file.name();
    // So the crate stands in for what is no UTF-8, though the entry says that it is.
    if name.contains(char::REPLACEMENT_CHARACTER) {
        return Err(format!("expected names in UTF-8 or cp437, found `{name}`"));
    }
    if !is_safe(name) {
        return Err(format!("the entry `{}` would land outside of its folder", name.escape_debug()));
    }
    if file.is_dir() {
        return Ok(None);
    }
    let compression = file.compression();
    if file.encrypted() {
        return Err(format!("the entry `{name}` is encrypted"));
    }
    if !matches!(compression, CompressionMethod::Stored | CompressionMethod::Deflated) {
        return Err(format!("expected `{name}` stored or deflated, found {compression}"));
    }
    // pip's rule: the upper half of the external attributes is a Unix mode, whatever system is named.
    let mode = file.unix_mode().unwrap_or(0);
    let executable = mode & 0o170_000 == 0o100_000 && mode & 0o111 != 0;
    Ok(Some(Entry { name: name.to_owned(), size: file.size(), executable }))
}

/// Whether a path stays inside the folder that it is joined to, on any system.
fn is_safe(name: &str) -> bool {
    let name = name.strip_suffix('/').unwrap_or(name);
    !name.contains(['\\', '\0']) && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// The bytes of a wheel's `METADATA`, from any reader: a file, or one that fetches ranges (see
/// [`RangeReader`](crate::range::RangeReader)).
///
/// # Errors
/// The bytes are no wheel.
pub fn read_metadata(filename: &str, reader: impl Read + Seek) -> Result<Vec<u8>, ArchiveError> {
    let mut archive = Archive::new(filename, reader)?;
    let name = format!("{}/METADATA", archive.dist_info()?);
    archive.read(&name)
}
