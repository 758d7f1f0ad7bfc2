//! The bytes of a memo: a name and a version, a digest of the rest, and the rest as numbers of 8 bytes, little endian,
//! and texts that end with a zero byte. It is read before every build, so what is in it can be compared with what is on
//! disk without a copy of anything: [`View`].

use std::ffi::CStr;

use blob::Digest;

use super::{Memo, Seen};
use crate::{
    Identity,
    identity::{Entry, Kind, Stat},
};

const NAME: &[u8] = b"spark-source memo 1\n";

/// A memo as it lies in a file.
pub(super) struct View<'a> {
    pub(super) of: &'a str,
    pub(super) begun: i64,
    pub(super) identity: Identity,
    pub(super) watched: Vec<(&'a CStr, Stat)>,
    pub(super) folders: Vec<Folder<'a>>,
}

/// A folder of the tree.
pub(super) struct Folder<'a> {
    /// Its path below the root; `.` for the root.
    pub(super) path: &'a CStr,
    pub(super) stat: Stat,
    files: &'a [u8],
}

impl<'a> Folder<'a> {
    /// The files in it: name, state, digest. The digest of the memo has been compared, so none is damaged.
    pub(super) fn files(&self) -> impl Iterator<Item = (&'a CStr, Stat, Digest)> {
        let mut reader = Reader(self.files);
        std::iter::from_fn(move || Some((reader.text()?, reader.stat()?, reader.digest()?)))
    }
}

impl<'a> View<'a> {
    /// None for bytes that are no memo, are damaged, or were written by another version of this program.
    pub(super) fn of(bytes: &'a [u8]) -> Option<Self> {
        let (digest, rest) = bytes.strip_prefix(NAME)?.split_at_checked(32)?;
        if Digest::of(rest).as_bytes() != digest {
            return None;
        }
        let mut reader = Reader(rest);
        let of = reader.text()?.to_str().ok()?;
        let begun = reader.number()? as i64;
        let digest = reader.digest()?;
        let identity = Identity { digest, files: reader.number()?, bytes: reader.number()? };
        let watched = reader.list(|reader| Some((reader.text()?, reader.stat()?)))?;
        let folders = reader.list(|reader| {
            let (path, stat) = (reader.text()?, reader.stat()?);
            let length = usize::try_from(reader.number()?).ok()?;
            Some(Folder { path, stat, files: reader.take(length)? })
        })?;
        Some(Self { of, begun, identity, watched, folders })
    }

    pub(super) fn to_memo(&self) -> Option<Memo> {
        let seen = |path: &CStr, stat| Some(Seen { path: path.to_str().ok()?.to_owned(), stat });
        let watched = self.watched.iter().map(|(path, stat)| seen(path, *stat)).collect::<Option<_>>()?;
        let (mut folders, mut files) = (Vec::new(), Vec::new());
        for folder in &self.folders {
            let path = Some(folder.path.to_str().ok()?).filter(|path| *path != ".").unwrap_or_default();
            folders.push(Seen { path: path.to_owned(), stat: folder.stat });
            for (name, stat, digest) in folder.files() {
                let name = name.to_str().ok()?;
                let path = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
                files.push(Entry { path, stat, digest });
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Some(Memo { of: self.of.to_owned(), begun: self.begun, identity: self.identity, folders, watched, files })
    }
}

impl Memo {
    /// Every file lies in one of the folders.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.text(&self.of);
        writer.number(self.begun as u64);
        writer.0.extend(self.identity.digest.as_bytes());
        writer.number(self.identity.files);
        writer.number(self.identity.bytes);
        writer.number(self.watched.len() as u64);
        self.watched.iter().for_each(|seen| writer.seen(&seen.path, &seen.stat));
        writer.number(self.folders.len() as u64);
        let mut files: Vec<_> =
            self.files.iter().map(|it| (it.path.rsplit_once('/').unwrap_or(("", &it.path)), it)).collect();
        files.sort_by_key(|(at, _)| *at);
        for folder in &self.folders {
            let path = folder.path.as_str();
            writer.seen(if path.is_empty() { "." } else { path }, &folder.stat);
            let begin = files.partition_point(|((above, _), _)| *above < path);
            let mut inner = Writer::default();
            for ((_, name), entry) in files[begin..].iter().take_while(|((above, _), _)| *above == path) {
                inner.seen(name, &entry.stat);
                inner.0.extend(entry.digest.as_bytes());
            }
            writer.number(inner.0.len() as u64);
            writer.0.append(&mut inner.0);
        }
        [NAME, Digest::of(&writer.0).as_bytes(), &writer.0].concat()
    }
}

#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, number: u64) {
        self.0.extend(number.to_le_bytes());
    }

    /// No path and no variable of the environment holds a zero byte.
    fn text(&mut self, text: &str) {
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    fn seen(&mut self, path: &str, stat: &Stat) {
        self.text(path);
        self.0.push(stat.kind as u8);
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

    fn text(&mut self) -> Option<&'a CStr> {
        let text = CStr::from_bytes_until_nul(self.0).ok()?;
        self.take(text.count_bytes() + 1)?;
        Some(text)
    }

    fn digest(&mut self) -> Option<Digest> {
        Some(Digest::from_bytes(self.take(32)?.try_into().ok()?))
    }

    fn stat(&mut self) -> Option<Stat> {
        let kind = match self.take(1)?[0] {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn memo() -> Memo {
        let stat = Stat { kind: Kind::Executable, size: 3, modified: -1, changed: i64::MAX, inode: u64::MAX };
        let seen = |path: &str| Seen { path: path.to_owned(), stat };
        let file = |path: &str| Entry { path: path.to_owned(), stat, digest: Digest::of(path.as_bytes()) };
        Memo {
            of: "a\nb".into(),
            begun: 7,
            identity: Identity { digest: Digest::of(b"x"), files: 3, bytes: 9 },
            folders: ["", "b", "b-c", "b/é"].map(seen).into(),
            watched: ["/x", "/y"].map(seen).into(),
            files: ["a", "b-c/d", "b/c", "b/é/f"].map(file).into(),
        }
    }

    #[test]
    fn a_memo_is_read_as_it_was_written_or_not_at_all() {
        let bytes = memo().to_bytes();
        assert_eq!(View::of(&bytes).and_then(|view| view.to_memo()), Some(memo()));
        for end in 0..bytes.len() {
            assert!(View::of(&bytes[..end]).is_none());
            let mut damaged = bytes.clone();
            damaged[end] ^= 1;
            assert!(View::of(&damaged).is_none());
        }
    }
}
