//! Where the bytes of a file lie.
//!
//! Bytes are read from there when a layer is written, never copied first. What is read is compared with the size and the
//! digest that the file was announced with.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufReader, Read},
    sync::Arc,
};

use blob::{Digest, Hasher};
use camino::{Utf8Path, Utf8PathBuf};
use zip::ZipArchive;

use crate::{
    archive::Archive,
    error::{Error, Result, sized},
};

/// Where the bytes of a file lie.
#[derive(Debug, Clone)]
pub enum Source {
    /// They are a file.
    Path(Utf8PathBuf),
    /// They are in memory.
    Bytes(Arc<[u8]>),
    /// They are an entry of a zip archive, a wheel or a jar for instance. They are inflated while they are read.
    Zip {
        /// The archive.
        archive: Utf8PathBuf,
        /// The entry's full name in it.
        entry: String,
    },
}

/// Where the bytes of a file in a tree lie: where its maker said, or in an archive that may have to be decompressed.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Source(Source),
    Member { archive: Arc<Archive>, offset: u64 },
}

impl std::fmt::Display for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Source(Source::Path(path)) => write!(f, "{path}"),
            Self::Source(Source::Bytes(_)) => write!(f, "memory"),
            Self::Source(Source::Zip { archive, entry }) => write!(f, "{entry} in {archive}"),
            Self::Member { archive, .. } => write!(f, "archive {}", archive.name()),
        }
    }
}

/// The size and digest that a file was announced with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Promise {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
}

/// Reads contents one after the other, keeping archives open between them.
#[derive(Default)]
pub(crate) struct Reader {
    zips: HashMap<Utf8PathBuf, ZipArchive<BufReader<File>>>,
}

/// Takes the bytes of a content, piece by piece, and puts them where they belong.
pub(crate) trait Sink {
    /// Reads once from `reader`, at most `limit` bytes, and says what was read.
    fn take(&mut self, reader: &mut dyn Read, limit: usize) -> io::Result<&[u8]>;
}

/// Memory, for files that are known to be small.
impl Sink for Vec<u8> {
    fn take(&mut self, reader: &mut dyn Read, limit: usize) -> io::Result<&[u8]> {
        let before = self.len();
        reader.take(limit as u64).read_to_end(self)?;
        Ok(&self[before..])
    }
}

impl Reader {
    /// Hands exactly the promised bytes to `sink`. `name` is for errors.
    pub(crate) fn read(&mut self, name: &str, content: &Content, promise: Promise, sink: &mut dyn Sink) -> Result<()> {
        match content {
            Content::Source(Source::Path(path)) => {
                let mut file = File::open(path).map_err(Error::io("reading", path))?;
                copy(name, content, promise, &mut file, path, sink)
            }
            Content::Source(Source::Bytes(bytes)) => {
                copy(name, content, promise, &mut &bytes[..], Utf8Path::new(name), sink)
            }
            Content::Source(Source::Zip { archive, entry }) => {
                let wrong = |error: zip::result::ZipError| Error::Archive {
                    name: archive.to_string(),
                    reason: format!("`{entry}` cannot be read: {error}"),
                };
                let zip = match self.zips.entry(archive.clone()) {
                    std::collections::hash_map::Entry::Occupied(open) => open.into_mut(),
                    std::collections::hash_map::Entry::Vacant(place) => {
                        let file = File::open(archive).map_err(Error::io("reading", archive))?;
                        place.insert(ZipArchive::new(BufReader::new(file)).map_err(wrong)?)
                    }
                };
                let mut inflated = zip.by_name(entry).map_err(wrong)?;
                copy(name, content, promise, &mut inflated, archive, sink)
            }
            Content::Member { archive, offset } => {
                // Several layers may read one archive at once, so that the file's own position cannot be used.
                let mut member = At { file: archive.plain()?, position: *offset }.take(promise.size);
                copy(name, content, promise, &mut member, Utf8Path::new(archive.name()), sink)
            }
        }
    }
}

/// A file read at a position of its own.
struct At<'f> {
    file: &'f File,
    position: u64,
}

impl Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = std::os::unix::fs::FileExt::read_at(self.file, buffer, self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}

fn copy(
    name: &str,
    content: &Content,
    promise: Promise,
    reader: &mut dyn Read,
    path: &Utf8Path,
    sink: &mut dyn Sink,
) -> Result<()> {
    let mut hasher = Hasher::new();
    let mut left = promise.size;
    while left > 0 {
        let limit = usize::try_from(left).unwrap_or(usize::MAX);
        let read = sink.take(reader, limit).map_err(Error::io("reading", path))?;
        if read.is_empty() {
            break;
        }
        hasher.update(read);
        left -= read.len() as u64;
    }
    let mut found = hasher.finish();
    // One byte more shows that the file is longer than promised; how much longer does not matter.
    let longer = left == 0 && reader.read(&mut [0]).map_err(Error::io("reading", path))? > 0;
    found.1 += u64::from(longer);
    let expected = (promise.digest, promise.size);
    if found != expected {
        let found = if longer { format!("more than {} bytes", promise.size) } else { sized(found) };
        return Err(Error::Mismatch { file: format!("{name} (from {content})"), expected: sized(expected), found });
    }
    Ok(())
}
