//! Reading tar archives member by member: ustar, with pax and GNU extensions.
//!
//! The `tar` crate reads headers here but not archives: it takes a pax value for ended at the first newline, and the
//! value of `security.capability` is bytes, among which 10 is as good as any.

use std::{
    collections::BTreeMap,
    io::{self, Read},
};

use blob::Hasher;
use tar::{EntryType, Header};

use crate::{
    layer::entry::{Entry, Kind, Xattrs},
    path::relative,
};

const BLOCK: usize = 512;
/// Names and attributes are not larger than this.
const MAX_EXTENSION: u64 = 16 << 20;

/// Reads the members of an archive, in their order.
pub(super) struct Members<R> {
    plain: R,
    /// How many bytes were read.
    position: u64,
    buffer: Vec<u8>,
}

/// What the headers before a member's own said about it.
#[derive(Default)]
struct Extensions {
    pax: BTreeMap<String, Vec<u8>>,
    path: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
}

impl<R: Read> Members<R> {
    pub(super) fn new(plain: R) -> Self {
        Self { plain, position: 0, buffer: vec![0; 256 * 1024] }
    }

    /// The next member; nothing at the end of the archive.
    pub(super) fn next(&mut self) -> io::Result<Option<Entry>> {
        let mut extensions = Extensions::default();
        while let Some(header) = self.header()? {
            let size = match extensions.pax.get("size") {
                Some(size) => number(size)?,
                None => header.entry_size()?,
            };
            match header.entry_type() {
                EntryType::XGlobalHeader => drop(self.extension(size)?),
                EntryType::XHeader => extensions.pax = records(&self.extension(size)?)?,
                EntryType::GNULongName => extensions.path = Some(text_of(self.extension(size)?)),
                EntryType::GNULongLink => extensions.target = Some(text_of(self.extension(size)?)),
                _ => return self.entry(&header, size, extensions).map(Some),
            }
        }
        Ok(None)
    }

    fn header(&mut self) -> io::Result<Option<Header>> {
        let mut header = Header::new_old();
        match self.plain.read(&mut header.as_mut_bytes()[..1])? {
            // An archive should end in empty blocks, but some just end.
            0 => return Ok(None),
            _ => self.plain.read_exact(&mut header.as_mut_bytes()[1..])?,
        }
        self.position += BLOCK as u64;
        if header.as_bytes().iter().all(|&byte| byte == 0) {
            return Ok(None);
        }
        if is_header(header.as_bytes()) { Ok(Some(header)) } else { Err(wrong("a header has a wrong checksum")) }
    }

    fn entry(&mut self, header: &Header, size: u64, extensions: Extensions) -> io::Result<Entry> {
        let Extensions { pax, path, target } = extensions;
        let path = text(pax.get("path").cloned().or(path).unwrap_or_else(|| header.path_bytes().into_owned()))?;
        let refuse = |reason: String| wrong(format!("`{path}` {reason}"));
        if pax.keys().any(|key| key.starts_with("GNU.sparse.")) || header.entry_type() == EntryType::GNUSparse {
            return Err(refuse("is stored as a sparse file; pack it without --sparse".to_owned()));
        }
        let target = || -> io::Result<String> {
            let target = pax.get("linkpath").cloned().or(target);
            match target.or_else(|| header.link_name_bytes().map(|target| target.into_owned())) {
                Some(target) => text(target),
                None => Err(refuse("is a link to nothing".to_owned())),
            }
        };
        let owner = |key, field: io::Result<u64>| {
            let id = pax.get(key).map_or(field, |value| number(value))?;
            u32::try_from(id).map_err(|_| refuse(format!("has the impossible {key} {id}")))
        };
        let kind = match header.entry_type() {
            EntryType::Directory => Kind::Dir,
            EntryType::Symlink => Kind::Symlink { target: target()? },
            EntryType::Link => Kind::Hardlink { target: relative(&target()?).map_err(wrong)? },
            EntryType::Fifo => Kind::Fifo,
            kind @ (EntryType::Char | EntryType::Block) => Kind::Device {
                block: kind == EntryType::Block,
                major: header.device_major()?.unwrap_or_default(),
                minor: header.device_minor()?.unwrap_or_default(),
            },
            // The oldest archives mark a folder by a slash only.
            EntryType::Regular if path.ends_with('/') => Kind::Dir,
            EntryType::Regular | EntryType::Continuous => {
                let offset = self.position;
                Kind::File { size, digest: self.content(size)?, offset }
            }
            other => return Err(refuse(format!("is of an unknown kind: {other:?}"))),
        };
        let mut xattrs = Xattrs::default();
        for (key, value) in &pax {
            if let Some(name) = key.strip_prefix("SCHILY.xattr.") {
                xattrs.insert(name.to_owned(), value.clone());
            }
        }
        // Fractions of a second are cut off, as they are in everything that is written here.
        let mtime = match pax.get("mtime") {
            Some(value) => number(value.split(|&byte| byte == b'.').next().unwrap_or_default())?,
            None => header.mtime()?,
        };
        Ok(Entry {
            path: relative(&path).map_err(wrong)?,
            kind,
            mode: header.mode()? & 0o7777,
            uid: owner("uid", header.uid())?,
            gid: owner("gid", header.gid())?,
            mtime: mtime.cast_signed(),
            xattrs,
        })
    }

    /// Reads a member's content, and gives its digest.
    fn content(&mut self, size: u64) -> io::Result<blob::Digest> {
        let mut hasher = Hasher::new();
        let mut left = size;
        while left > 0 {
            let limit = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
            match self.plain.read(&mut self.buffer[..limit])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => {
                    hasher.update(&self.buffer[..count]);
                    left -= count as u64;
                }
            }
        }
        self.position += size;
        self.skip_padding(size)?;
        Ok(hasher.finish().0)
    }

    /// Reads the content of a header that describes the next one.
    fn extension(&mut self, size: u64) -> io::Result<Vec<u8>> {
        if size > MAX_EXTENSION {
            return Err(wrong(format!("an extended header is too large: {size} bytes")));
        }
        let mut content = vec![0; size as usize];
        self.plain.read_exact(&mut content)?;
        self.position += size;
        self.skip_padding(size)?;
        Ok(content)
    }

    fn skip_padding(&mut self, size: u64) -> io::Result<()> {
        let padding = (BLOCK - (size % BLOCK as u64) as usize) % BLOCK;
        self.plain.read_exact(&mut [0; BLOCK][..padding])?;
        self.position += padding as u64;
        Ok(())
    }
}

/// Whether these bytes are a tar header: its checksum is right.
pub(super) fn is_header(block: &[u8]) -> bool {
    let Ok(block) = <&[u8; BLOCK]>::try_from(block) else { return false };
    // The checksum counts its own eight bytes as spaces.
    let sum = |bytes: &[u8]| bytes.iter().map(|&byte| u32::from(byte)).sum::<u32>();
    let sum = sum(block) - sum(&block[148..156]) + 8 * u32::from(b' ');
    Header::from_byte_slice(block).cksum().is_ok_and(|written| written == sum)
}

/// Reads pax records: `length key=value\n`, where the length is that of the whole record.
fn records(mut bytes: &[u8]) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut records = BTreeMap::new();
    while !bytes.is_empty() {
        let record = (|| {
            let space = bytes.iter().position(|&byte| byte == b' ')?;
            let length = number(&bytes[..space]).ok().and_then(|length| usize::try_from(length).ok())?;
            let record = bytes.get(space + 1..length)?.strip_suffix(b"\n")?;
            let equals = record.iter().position(|&byte| byte == b'=')?;
            let key = String::from_utf8(record[..equals].to_vec()).ok()?;
            Some((length, key, record[equals + 1..].to_vec()))
        })();
        let (length, key, value) = record.ok_or_else(|| wrong("a pax header is malformed"))?;
        records.insert(key, value);
        bytes = &bytes[length..];
    }
    Ok(records)
}

fn number(text: &[u8]) -> io::Result<u64> {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| wrong(format!("`{}` is no number", String::from_utf8_lossy(text))))
}

/// A GNU extension without the zero byte that ends it.
fn text_of(mut bytes: Vec<u8>) -> Vec<u8> {
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    bytes
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes)
        .map_err(|error| wrong(format!("`{}` is not UTF-8", String::from_utf8_lossy(error.as_bytes()))))
}

fn wrong(reason: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.into())
}
