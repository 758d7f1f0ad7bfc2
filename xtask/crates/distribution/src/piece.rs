//! A part of a file on its way to a registry.

use std::{
    fs::File,
    io::{self, Read, Seek as _, SeekFrom},
    ops::Range,
};

use store::{Http, Progress};

use crate::{
    error::{Error, Result},
    repository::Blob,
};

/// Some bytes of a blob.
#[derive(Clone)]
pub(crate) struct Piece<'a> {
    pub(crate) blob: &'a Blob,
    pub(crate) range: Range<u64>,
    pub(crate) told: &'a dyn Progress,
}

/// Reads a piece, tells of it, and stops when the run is interrupted.
pub(crate) struct Reader<'a> {
    file: io::Take<File>,
    blob: &'a Blob,
    told: &'a dyn Progress,
    id: String,
    http: &'a Http,
}

impl<'a> Piece<'a> {
    pub(crate) fn length(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// Opens the file at the piece's first byte.
    pub(crate) fn open(&self, http: &'a Http) -> Result<Reader<'a>> {
        let path = &self.blob.path;
        let open = || {
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(self.range.start))?;
            Ok(file.take(self.length()))
        };
        let file = open().map_err(Error::io("reading", path))?;
        let id = self.blob.digest.to_string();
        self.told.positioned(&id, self.range.start);
        Ok(Reader { file, blob: self.blob, told: self.told, id, http })
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.http.is_interrupted() {
            return Err(io::Error::other("interrupted"));
        }
        let read = self.file.read(buffer)?;
        if read == 0 && !buffer.is_empty() && self.file.limit() > 0 {
            let path = &self.blob.path;
            return Err(io::Error::other(format!("{path} is shorter than its {} bytes", self.blob.size)));
        }
        self.told.advanced(&self.id, read as u64);
        Ok(read)
    }
}
