//! A jar that is read: its central directory, and its small texts.

use std::{
    fs::File,
    io::{BufReader, Read, Seek as _, SeekFrom},
};

use blob::Digest;
use camino::{Utf8Path, Utf8PathBuf};
use zip::{ZipArchive, result::ZipError};

use crate::Error;

/// Texts in a jar that are of interest here are not larger than this, in bytes.
pub(crate) const MAX_TEXT: u64 = 1 << 20;

/// An open jar.
pub(crate) struct Archive {
    pub(crate) path: Utf8PathBuf,
    pub(crate) zip: ZipArchive<BufReader<File>>,
}

impl Archive {
    /// Reads the central directory of a jar.
    pub(crate) fn open(path: &Utf8Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::reading(path))?;
        let zip = ZipArchive::new(BufReader::new(file)).map_err(|source| Error::Jar {
            path: path.to_owned(),
            what: "the directory".to_owned(),
            source,
        })?;
        Ok(Self { path: path.to_owned(), zip })
    }

    /// The names of the entries, in the order of the directory.
    pub(crate) fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.zip.file_names().map(str::as_bytes)
    }

    /// Whether the directory has more entries than there are names. What the `zip` crate reads has each name once, so the
    /// number at the end of the file is compared; where that is not the plain record without a comment, nothing is known.
    pub(crate) fn has_duplicate_names(&self) -> Result<bool, Error> {
        // "End of central directory record" in PKWARE's APPNOTE.TXT, 4.3.16. The number is 0xffff where ZIP64 holds it.
        let mut record = [0; 22];
        let mut file = File::open(&self.path).map_err(Error::reading(&self.path))?;
        file.seek(SeekFrom::End(-22)).and_then(|_| file.read_exact(&mut record)).map_err(Error::reading(&self.path))?;
        let number = usize::from(u16::from_le_bytes([record[10], record[11]]));
        Ok(record.starts_with(b"PK\x05\x06") && number != 0xffff && number > self.zip.len())
    }

    /// Whether the jar is signed: a change would break the signature.
    pub(crate) fn is_signed(&self) -> bool {
        self.names().any(|name| {
            let name = name.to_ascii_uppercase();
            name.strip_prefix(b"META-INF/").is_some_and(|name| name.ends_with(b".SF") && !name.contains(&b'/'))
        })
    }

    /// A text of at most [`MAX_TEXT`] bytes; nothing where it is larger or no UTF-8.
    pub(crate) fn text(&mut self, index: usize) -> Result<Option<String>, Error> {
        let path = self.path.clone();
        let failed = |what: String, source| Error::Jar { path, what, source };
        let entry = match self.zip.by_index(index) {
            Ok(entry) => entry,
            Err(source) => return Err(failed(format!("entry {index}"), source)),
        };
        if entry.size() > MAX_TEXT {
            return Ok(None);
        }
        let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
        let mut bytes = Vec::new();
        // The size in the directory is a claim; what is read is bounded by our own limit.
        match entry.take(MAX_TEXT + 1).read_to_end(&mut bytes) {
            Ok(_) if bytes.len() as u64 > MAX_TEXT => Ok(None),
            Ok(_) => Ok(String::from_utf8(bytes).ok()),
            Err(source) => Err(failed(format!("`{name}`"), ZipError::Io(source))),
        }
    }
}

/// The digest of a file, and its size in bytes.
pub(crate) fn digest(path: &Utf8Path) -> Result<(Digest, u64), Error> {
    File::open(path).and_then(blob::hash_reader).map_err(Error::reading(path))
}
