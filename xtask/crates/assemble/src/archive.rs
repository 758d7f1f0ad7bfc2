//! Tar archives as lists of entries: archives that ADD unpacks, and layers.
//!
//! An archive is read once to learn its entries and the digests of its files. The bytes of a file are read from the
//! archive again when they are written; a compressed archive is unpacked into a temporary file for that, so that files
//! can be read in any order and memory stays bounded.

mod members;

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    sync::OnceLock,
};

use camino::Utf8PathBuf;
use flate2::read::MultiGzDecoder;
use liblzma::read::XzDecoder;

use crate::{
    error::{Error, Result},
    layer::entry::Entry,
    layout::{Layout, Verified},
    source::{Content, Promise, Reader, Sink, Source},
};

use members::{Members, is_header};

const BLOCK: usize = 512;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compression {
    None,
    Gzip,
    Xz,
}

/// A tar archive, perhaps compressed.
#[derive(Debug)]
pub(crate) struct Archive {
    name: String,
    content: Content,
    promise: Promise,
    compression: Compression,
    /// Where temporary files are made, and entries remembered.
    layout: Layout,
    /// The uncompressed archive, once somebody has asked for it.
    plain: OnceLock<Result<File, String>>,
}

impl Archive {
    /// The archive that these bytes are, or nothing if they are none.
    ///
    /// `name` is for errors. What is compressed in a way that is not understood here is refused, since it might be an
    /// archive that other builders would unpack.
    pub(crate) fn detect(layout: &Layout, name: &str, content: &Content, promise: Promise) -> Result<Option<Self>> {
        let (archive, mut raw, head) = Self::begin(layout, name, content, promise)?;
        let is_tar = match archive.compression {
            Compression::None => is_header(&head),
            compression => {
                raw.seek(SeekFrom::Start(0)).map_err(Error::io("reading", name))?;
                let head = head_of(decompress(compression, raw));
                is_header(&head.map_err(|error| archive.unreadable(error))?)
            }
        };
        Ok(is_tar.then_some(archive))
    }

    /// A layer, which is an archive even if it is empty.
    pub(crate) fn layer(layout: &Layout, name: &str, content: &Content, promise: Promise) -> Result<Self> {
        Ok(Self::begin(layout, name, content, promise)?.0)
    }

    /// The archive, its file, and the bytes at its beginning.
    fn begin(layout: &Layout, name: &str, content: &Content, promise: Promise) -> Result<(Self, File, Vec<u8>)> {
        let mut archive = Self {
            name: name.to_owned(),
            content: content.clone(),
            promise,
            compression: Compression::None,
            layout: layout.clone(),
            plain: OnceLock::new(),
        };
        let mut raw = archive.raw()?;
        let head = head_of(&mut raw).map_err(Error::io("reading", name))?;
        archive.compression = match &head[..] {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Compression::Xz,
            [b'B', b'Z', b'h', ..] => return Err(archive.wrong("is compressed with bzip2; use gzip, xz or none")),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => {
                return Err(archive.wrong("is compressed with zstd; use gzip, xz or none"));
            }
            _ => Compression::None,
        };
        Ok((archive, raw, head))
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The uncompressed archive.
    pub(crate) fn plain(&self) -> Result<&File> {
        let opened = self.plain.get_or_init(|| self.open().map_err(|error| chain(&error)));
        opened.as_ref().map_err(|reason| self.wrong(reason.clone()))
    }

    /// The entries, in the order of the archive. They are remembered in the layout under the archive's digest.
    pub(crate) fn entries(&self) -> Result<Vec<Entry>> {
        let memory = self.layout.memory("entries", &self.promise.digest);
        if let Some(entries) = self.layout.recall(&memory) {
            return Ok(entries);
        }
        let mut plain = self.plain()?;
        plain.seek(SeekFrom::Start(0)).map_err(Error::io("reading", &self.name))?;
        let mut entries = Vec::new();
        if self.compression == Compression::None {
            let mut whole = self.verified(plain);
            self.read_entries(&mut whole, &mut entries)?;
            io::copy(&mut whole, &mut io::sink()).map_err(Error::io("reading", &self.name))?;
        } else {
            self.read_entries(plain, &mut entries)?;
        }
        // A layout that can only be read can be read all the same.
        let _ = self.layout.remember(&memory, &entries);
        Ok(entries)
    }

    fn wrong(&self, reason: impl Into<String>) -> Error {
        Error::Archive { name: self.name.clone(), reason: reason.into() }
    }

    fn verified<R: Read>(&self, inner: R) -> Verified<R> {
        Verified::new(inner, Utf8PathBuf::from(&self.name), self.promise.digest, self.promise.size)
    }

    /// The archive as it is, at its beginning.
    fn raw(&self) -> Result<File> {
        if let Content::Source(Source::Path(path)) = &self.content {
            return File::open(path).map_err(Error::io("reading", path));
        }
        struct Spool(File, Vec<u8>);
        impl Sink for Spool {
            fn take(&mut self, reader: &mut dyn Read, limit: usize) -> io::Result<&[u8]> {
                let limit = limit.min(self.1.len());
                let count = reader.read(&mut self.1[..limit])?;
                self.0.write_all(&self.1[..count])?;
                Ok(&self.1[..count])
            }
        }
        let mut spool = Spool(self.temporary()?, vec![0; 256 * 1024]);
        Reader::default().read(&self.name, &self.content, self.promise, &mut spool)?;
        spool.0.seek(SeekFrom::Start(0)).map_err(Error::io("reading", &self.name))?;
        Ok(spool.0)
    }

    fn open(&self) -> Result<File> {
        let raw = self.raw()?;
        if self.compression == Compression::None {
            return Ok(raw);
        }
        let mut plain = self.temporary()?;
        let mut whole = self.verified(raw);
        let mut unpacked = decompress(self.compression, &mut whole);
        io::copy(&mut unpacked, &mut plain).map_err(|error| self.unreadable(error))?;
        drop(unpacked);
        io::copy(&mut whole, &mut io::sink()).map_err(Error::io("reading", &self.name))?;
        Ok(plain)
    }

    /// A file without a name in the layout's file system, where there is room for layers.
    fn temporary(&self) -> Result<File> {
        let folder = self.layout.private()?;
        tempfile::tempfile_in(&folder).map_err(Error::io("making a file in", folder))
    }

    fn read_entries(&self, plain: impl Read, entries: &mut Vec<Entry>) -> Result<()> {
        let mut members = Members::new(plain);
        while let Some(entry) = members.next().map_err(|error| self.unreadable(error))? {
            entries.push(entry);
        }
        Ok(())
    }

    /// What is wrong with the archive, if it is the archive and not the disk.
    fn unreadable(&self, error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.wrong("ends in the middle; make it again"),
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => self.wrong(error.to_string()),
            _ => Error::io("reading", &self.name)(error),
        }
    }
}

fn decompress<'r>(compression: Compression, raw: impl Read + 'r) -> Box<dyn Read + 'r> {
    match compression {
        Compression::None => Box::new(raw),
        Compression::Gzip => Box::new(MultiGzDecoder::new(raw)),
        Compression::Xz => Box::new(XzDecoder::new_multi_decoder(raw)),
    }
}

fn head_of(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(BLOCK);
    reader.take(BLOCK as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// An error with its causes, for where only text can be kept.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
