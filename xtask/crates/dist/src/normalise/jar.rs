//! A jar written a second time: sorted, with one time, and compressed by one compressor.
//!
//! Entries are compressed anew, so that the result does not depend on the zlib of the JDK that compiled. They are
//! streamed: memory is bounded, whatever sizes a jar claims.

use std::{
    fs::File,
    io::{self, BufWriter, Read, Seek, Write},
};

use blob::Pending;
use camino::Utf8Path;
use zip::{
    CompressionMethod, DateTime, ZipWriter,
    result::{ZipError, ZipResult},
    write::SimpleFileOptions,
};

use super::text;
use crate::{Error, jar::Archive};

/// In bytes; part of what decides the result.
const CHUNK: usize = 1 << 18;

/// What became of a jar.
pub(super) enum Outcome {
    /// It has something that cannot be kept.
    Unusual(String),
    /// It was written to a temporary file; the texts that were changed.
    Written(Box<Pending>, Vec<(String, Vec<String>)>),
}

/// An entry that will be written.
struct Entry {
    index: usize,
    name: String,
    folder: bool,
    stored: bool,
    large: bool,
}

/// The time of a zip entry.
pub(super) fn time(epoch: u64) -> Result<DateTime, Error> {
    let (year, month, day, hour, minute, second) = text::civil(epoch);
    let error = || Error::Time { epoch };
    let year = u16::try_from(year).map_err(|_| error())?;
    DateTime::from_date_and_time(year, month, day, hour, minute, second).map_err(|_| error())
}

/// Writes the archive anew beside itself.
pub(super) fn rewrite(archive: &mut Archive, time: DateTime, epoch: u64) -> Result<Outcome, Error> {
    let mut entries = match entries(archive)? {
        Ok(entries) => entries,
        Err(why) => return Ok(Outcome::Unusual(why)),
    };
    // `java.util.jar.JarInputStream` looks for the manifest in the first entries only.
    entries.sort_by(|a, b| (rank(&a.name), &a.name).cmp(&(rank(&b.name), &b.name)));
    let path = archive.path.clone();
    let folder = path.parent().unwrap_or(Utf8Path::new("."));
    let spool = tempfile::tempfile_in(folder).map_err(Error::writing(&path))?;
    let mut writer = ZipWriter::new(BufWriter::with_capacity(1 << 18, spool));
    let mut changes = Vec::new();
    for entry in &entries {
        let failed = |source| Error::Jar { path: path.clone(), what: format!("`{}`", entry.name), source };
        let new = match text::concerns(&entry.name) {
            true => archive.text(entry.index)?.and_then(|old| text::normalised(&entry.name, &old, epoch)),
            false => None,
        };
        copy(archive, &mut writer, entry, new.as_ref().map(|(text, _)| text.as_str()), time).map_err(failed)?;
        changes.extend(new.map(|(_, changed)| (entry.name.clone(), changed)));
    }
    let finished = writer.finish().and_then(|buffered| buffered.into_inner().map_err(|e| ZipError::Io(e.into_error())));
    let spool =
        finished.map_err(|source| Error::Jar { path: path.clone(), what: "the new directory".to_owned(), source })?;
    let pending = pending(spool, folder).map_err(Error::writing(&path))?;
    Ok(Outcome::Written(Box::new(pending), changes))
}

fn pending(mut spool: File, folder: &Utf8Path) -> io::Result<Pending> {
    spool.rewind()?;
    let mut pending = Pending::new_in(folder)?;
    io::copy(&mut spool, &mut pending)?;
    Ok(pending)
}

/// The manifest is first, after its folder.
fn rank(name: &str) -> u8 {
    match name {
        "META-INF/" => 0,
        "META-INF/MANIFEST.MF" => 1,
        _ => 2,
    }
}

/// The entries, or why they cannot be written a second time.
fn entries(archive: &mut Archive) -> Result<Result<Vec<Entry>, String>, Error> {
    if archive.has_duplicate_names()? {
        return Ok(Err("it has two entries of one name".to_owned()));
    }
    let mut entries = Vec::with_capacity(archive.zip.len());
    for index in 0..archive.zip.len() {
        let path = archive.path.clone();
        let failed = |source| Error::Jar { path, what: format!("entry {index}"), source };
        let entry = archive.zip.by_index_raw(index).map_err(failed)?;
        // Java reads all names as UTF-8, whatever their flags say.
        let Ok(name) = String::from_utf8(entry.name_raw().to_vec()) else {
            return Ok(Err(format!("the name of entry {index} is no UTF-8")));
        };
        if entry.encrypted() {
            return Ok(Err(format!("`{name}` is encrypted")));
        }
        if entry.is_symlink() {
            return Ok(Err(format!("`{name}` is a link")));
        }
        let stored = match entry.compression() {
            CompressionMethod::Stored => true,
            CompressionMethod::Deflated => false,
            other => return Ok(Err(format!("expected `{name}` stored or deflated, found {other}"))),
        };
        let (folder, large) = (name.ends_with('/'), entry.size().max(entry.compressed_size()) >= u64::from(u32::MAX));
        entries.push(Entry { index, name, folder, stored, large });
    }
    Ok(Ok(entries))
}

fn copy<W: Write + Seek>(
    archive: &mut Archive,
    writer: &mut ZipWriter<W>,
    entry: &Entry,
    new: Option<&str>,
    time: DateTime,
) -> ZipResult<()> {
    let options = SimpleFileOptions::default().last_modified_time(time).large_file(entry.large);
    if entry.folder {
        return writer.add_directory(
            &*entry.name,
            options.compression_method(CompressionMethod::Stored).unix_permissions(0o755),
        );
    }
    let method = if entry.stored { CompressionMethod::Stored } else { CompressionMethod::Deflated };
    let options = options.compression_method(method).unix_permissions(0o644);
    let options = if entry.stored { options } else { options.compression_level(Some(6)) };
    writer.start_file(&*entry.name, options)?;
    match new {
        Some(text) => writer.write_all(text.as_bytes())?,
        None => in_chunks(&mut archive.zip.by_index(entry.index)?, writer)?,
    }
    Ok(())
}

/// Copies in chunks that are always full: what zlib-rs makes of the same bytes depends on how they are cut, and a reader
/// that inflates cuts them as their compressed form lies in the file.
fn in_chunks(reader: &mut impl Read, writer: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let mut filled = 0;
        while filled < CHUNK {
            match reader.read(&mut buffer[filled..])? {
                0 => break,
                n => filled += n,
            }
        }
        writer.write_all(&buffer[..filled])?;
        if filled < CHUNK {
            return Ok(());
        }
    }
}
