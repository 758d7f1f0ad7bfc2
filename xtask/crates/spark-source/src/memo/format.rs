//! The bytes of a memo: a name and a version, a digest of the rest, and the rest as numbers of 8 bytes, little endian,
//! and texts with their length before them. It is read at every build, so it is not a text format.

use blob::Digest;

use super::{Memo, Seen};
use crate::{
    Identity,
    identity::{Entry, Kind, Stat},
};

const NAME: &[u8] = b"spark-source memo 1\n";

impl Memo {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer(Vec::with_capacity(64 * 1024));
        writer.text(&self.of);
        writer.number(self.begun as u64);
        writer.0.extend(self.identity.digest.as_bytes());
        writer.number(self.identity.files);
        writer.number(self.identity.bytes);
        for list in [&self.folders, &self.watched] {
            writer.number(list.len() as u64);
            list.iter().for_each(|seen| writer.seen(&seen.path, &seen.stat));
        }
        writer.number(self.files.len() as u64);
        for entry in &self.files {
            writer.seen(&entry.path, &entry.stat);
            writer.0.extend(entry.digest.as_bytes());
        }
        [NAME, Digest::of(&writer.0).as_bytes(), &writer.0].concat()
    }

    /// None for bytes that are no memo, are damaged, or were written by another version of this program.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (digest, rest) = bytes.strip_prefix(NAME)?.split_at_checked(32)?;
        if Digest::of(rest).as_bytes() != digest {
            return None;
        }
        let mut reader = Reader(rest);
        let of = reader.text()?;
        let begun = reader.number()? as i64;
        let digest = reader.digest()?;
        let identity = Identity { digest, files: reader.number()?, bytes: reader.number()? };
        let folders = reader.list(|reader| Some(Seen { path: reader.text()?, stat: reader.stat()? }))?;
        let watched = reader.list(|reader| Some(Seen { path: reader.text()?, stat: reader.stat()? }))?;
        let files = reader
            .list(|reader| Some(Entry { path: reader.text()?, stat: reader.stat()?, digest: reader.digest()? }))?;
        reader.0.is_empty().then_some(Self { of, begun, identity, folders, watched, files })
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, number: u64) {
        self.0.extend(number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend(text.as_bytes());
    }

    fn seen(&mut self, path: &str, stat: &Stat) {
        self.text(path);
        self.number(stat.kind as u64);
        self.number(stat.size);
        self.number(stat.modified as u64);
        self.number(stat.changed as u64);
        self.number(stat.inode);
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<String> {
        let length = self.number()?;
        Some(std::str::from_utf8(self.take(usize::try_from(length).ok()?)?).ok()?.to_owned())
    }

    fn digest(&mut self) -> Option<Digest> {
        Some(Digest::from_bytes(self.take(32)?.try_into().ok()?))
    }

    fn stat(&mut self) -> Option<Stat> {
        let kind = match self.number()? {
            0 => Kind::Absent,
            1 => Kind::Folder,
            2 => Kind::File,
            3 => Kind::Executable,
            4 => Kind::Link,
            5 => Kind::Special,
            _ => return None,
        };
        let (size, modified, changed) = (self.number()?, self.number()? as i64, self.number()? as i64);
        Some(Stat { kind, size, modified, changed, inode: self.number()? })
    }

    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let length = self.number()?;
        (0..length).map(|_| item(self)).collect()
    }
}
