//! A source archive made a folder.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    sync::atomic::{AtomicBool, Ordering},
};

use blob::{Digest, HashingReader};
use camino::Utf8Path;
use flate2::read::MultiGzDecoder;
use tar::EntryType;

use crate::{Error, folder::Pending, links};

const DOING: &str = "unpacking";

/// Unpacks the .tgz at `path`, which holds one top folder, so that this folder becomes `dest`. `dest` must not exist and
/// appears only when all of the archive was read and has the digest `sha256`. Files get the mode 0644 or 0755.
/// `progress` is told the number of bytes of the archive that were read, again and again.
///
/// # Errors
/// The archive cannot be read or is another one; it holds a path or a link that leads out of it, a hard link or a
/// device, or a second top folder; `dest` cannot be written; `cancel` was set.
pub fn unpack(
    path: &Utf8Path,
    sha256: &Digest,
    dest: &Utf8Path,
    cancel: &AtomicBool,
    progress: &dyn Fn(u64),
) -> Result<(), Error> {
    let file = File::open(path).map_err(Error::io("reading", path))?;
    let source = HashingReader::new(Source { file, cancel, progress });
    let mut archive = tar::Archive::new(MultiGzDecoder::new(BufReader::with_capacity(256 * 1024, source)));
    let mut unpacking = Unpacking { path, pending: Pending::new(dest)?, top: None };
    let unpacked = unpacking.entries(&mut archive);
    // Behind the last entry of the tar there may be more of the gzip, and behind that more of the file.
    let mut gzip = archive.into_inner();
    let drained = io::copy(&mut gzip, &mut io::sink());
    let drained_file = io::copy(gzip.get_mut(), &mut io::sink());
    if cancel.load(Ordering::Relaxed) {
        return Err(Error::Cancelled { doing: DOING, path: path.to_owned() });
    }
    drained_file.map_err(Error::io("reading", path))?;
    // An archive that is damaged is first of all not the one that was asked for.
    let (found, size) = gzip.into_inner().into_inner().finish();
    if found != *sha256 {
        return Err(Error::Digest { archive: path.to_owned(), expected: *sha256, found, size });
    }
    unpacked?;
    drained.map_err(Error::io("reading", path))?;
    if unpacking.top.is_none() {
        return Err(unpacking.unexpected("one folder with the sources", "nothing".into()));
    }
    unpacking.pending.commit_synced()
}

/// The archive's bytes, counted while they are read.
struct Source<'a> {
    file: File,
    cancel: &'a AtomicBool,
    progress: &'a dyn Fn(u64),
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancel.load(Ordering::Relaxed) {
            // Not `ErrorKind::Interrupted`, after which readers go on.
            return Err(io::Error::other("cancelled"));
        }
        let read = self.file.read(buffer)?;
        (self.progress)(read as u64);
        Ok(read)
    }
}

struct Unpacking<'a> {
    path: &'a Utf8Path,
    pending: Pending,
    top: Option<String>,
}

impl Unpacking<'_> {
    fn unexpected(&self, expected: &'static str, found: String) -> Error {
        Error::Entry { archive: self.path.to_owned(), expected, found }
    }

    fn entries(&mut self, archive: &mut tar::Archive<impl Read>) -> Result<(), Error> {
        for entry in archive.entries().map_err(Error::io("reading", self.path))? {
            let mut entry = entry.map_err(Error::io("reading", self.path))?;
            // What git adds to an archive about the archive.
            if entry.header().entry_type() != EntryType::XGlobalHeader {
                self.entry(&mut entry)?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, entry: &mut tar::Entry<'_, impl Read>) -> Result<(), Error> {
        let reading = || Error::io("reading", self.path);
        let name = text(&entry.path_bytes())?;
        let kind = entry.header().entry_type();
        let executable = entry.header().mode().map_err(reading())? & 0o100 != 0;
        let Some(below) = self.below(&name, kind)? else { return Ok(()) };
        match kind {
            EntryType::Directory => self.pending.folder(&below).map_err(Error::io("making", Utf8Path::new(&name))),
            EntryType::Regular | EntryType::Continuous => {
                let mut copy = || io::copy(entry, &mut self.pending.file(&below, executable)?);
                copy().map(drop).map_err(Error::io(DOING, Utf8Path::new(&name)))
            }
            EntryType::Symlink => {
                let target = text(&entry.link_name_bytes().unwrap_or_default())?;
                if !links::stays_inside(&below, &target) {
                    return Err(self.unexpected("links that stay in the archive", format!("{name} -> {target}")));
                }
                self.pending.link(&below, &target);
                Ok(())
            }
            other => Err(self.unexpected("files, folders and links", format!("{name}, which is a {other:?}"))),
        }
    }

    /// The path below the top folder; none for the top folder itself.
    fn below(&mut self, name: &str, kind: EntryType) -> Result<Option<String>, Error> {
        let mut parts = name.split('/').filter(|part| !matches!(*part, "" | "."));
        if name.starts_with('/') || parts.clone().any(|part| part == "..") {
            return Err(self.unexpected("paths that stay in the archive", name.to_owned()));
        }
        let Some(top) = parts.next() else { return Ok(None) };
        let below = parts.collect::<Vec<_>>().join("/");
        if self.top.get_or_insert_with(|| top.to_owned()) != top || below.is_empty() && !kind.is_dir() {
            return Err(self.unexpected("one folder at the top", name.to_owned()));
        }
        Ok((!below.is_empty()).then_some(below))
    }
}

fn text(bytes: &[u8]) -> Result<String, Error> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Error::Name(bytes.escape_ascii().to_string()))
}
