//! How two distributions of one input differ.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    Error,
    jar::{self, Archive},
    parallel,
    tree::{self, Kind},
};

/// One difference. Its `Display` is one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// Only the first has it.
    OnlyInFirst(Utf8PathBuf),
    /// Only the second has it.
    OnlyInSecond(Utf8PathBuf),
    /// One is a file and the other a folder, or links lead elsewhere, or one is executable.
    Kind {
        /// Its path.
        path: Utf8PathBuf,
        /// What it is in the first.
        first: String,
        /// What it is in the second.
        second: String,
    },
    /// Two files with different bytes that are no jars.
    Bytes(Utf8PathBuf),
    /// Two jars with different bytes.
    Jar {
        /// Their path.
        path: Utf8PathBuf,
        /// Entries only in the first.
        only_in_first: Vec<String>,
        /// Entries only in the second.
        only_in_second: Vec<String>,
        /// Entries with different content. If all three are empty, they differ in order, times, modes or compression.
        differ: Vec<String>,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnlyInFirst(path) => write!(f, "{path}: only in the first"),
            Self::OnlyInSecond(path) => write!(f, "{path}: only in the second"),
            Self::Kind { path, first, second } => write!(f, "{path}: {first} in the first, {second} in the second"),
            Self::Bytes(path) => write!(f, "{path}: different bytes"),
            Self::Jar { path, only_in_first, only_in_second, differ } => {
                let parts: Vec<String> = [
                    ("different content", differ),
                    ("only in the first", only_in_first),
                    ("only in the second", only_in_second),
                ]
                .into_iter()
                .filter(|(_, names)| !names.is_empty())
                .map(|(what, names)| format!("{what}: {}", some_of(names)))
                .collect();
                if parts.is_empty() {
                    return write!(
                        f,
                        "{path}: equal content in another order, or with other times, modes or compression"
                    );
                }
                write!(f, "{path}: {}", parts.join("; "))
            }
        }
    }
}

fn some_of(names: &[String]) -> String {
    let more = names.len().saturating_sub(3);
    let shown = names[..names.len() - more].join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

/// Everything in which `first` and `second` differ, sorted by path. What lies in a folder that only one has is listed.
///
/// # Errors
/// A file cannot be read.
pub fn compare(first: &Utf8Path, second: &Utf8Path) -> Result<Vec<Difference>, Error> {
    let of = |folder| -> Result<BTreeMap<Utf8PathBuf, Kind>, Error> {
        Ok(tree::read(folder)?.into_iter().map(|entry| (entry.path, entry.kind)).collect())
    };
    let (left, right) = (of(first)?, of(second)?);
    let paths: Vec<&Utf8PathBuf> = left.keys().chain(right.keys()).collect::<BTreeSet<_>>().into_iter().collect();
    let found = parallel::map(&paths, |path| match (left.get(*path), right.get(*path)) {
        (Some(_), None) => Ok(Some(Difference::OnlyInFirst((*path).clone()))),
        (None, _) => Ok(Some(Difference::OnlyInSecond((*path).clone()))),
        (Some(a), Some(b)) => both(first, second, path, a, b),
    })?;
    Ok(found.into_iter().flatten().collect())
}

fn both(first: &Utf8Path, second: &Utf8Path, path: &Utf8Path, a: &Kind, b: &Kind) -> Result<Option<Difference>, Error> {
    let (word_a, word_b) = (word(a), word(b));
    if word_a != word_b {
        return Ok(Some(Difference::Kind { path: path.to_owned(), first: word_a, second: word_b }));
    }
    if !matches!(a, Kind::File { .. }) {
        return Ok(None);
    }
    let (whole_a, whole_b) = (first.join(path), second.join(path));
    if jar::digest(&whole_a)?.0 == jar::digest(&whole_b)?.0 {
        return Ok(None);
    }
    if matches!(path.extension(), Some("jar" | "zip"))
        && let (Ok(archive_a), Ok(archive_b)) = (Archive::open(&whole_a), Archive::open(&whole_b))
    {
        return archives(path, archive_a, archive_b).map(Some);
    }
    Ok(Some(Difference::Bytes(path.to_owned())))
}

fn word(kind: &Kind) -> String {
    match kind {
        Kind::File { executable: true, .. } => "an executable file".to_owned(),
        Kind::File { .. } => "a file".to_owned(),
        Kind::Folder => "a folder".to_owned(),
        Kind::Link { target } => format!("a link to {target}"),
        Kind::Other => "a device, socket or pipe".to_owned(),
    }
}

/// Compares the directories: the content of an entry is its CRC-32 and its size.
fn archives(path: &Utf8Path, mut a: Archive, mut b: Archive) -> Result<Difference, Error> {
    let (a, b) = (contents(&mut a)?, contents(&mut b)?);
    let lacking = |of: &BTreeMap<String, _>, other: &BTreeMap<String, _>| {
        of.keys().filter(|name| !other.contains_key(*name)).cloned().collect()
    };
    Ok(Difference::Jar {
        path: path.to_owned(),
        only_in_first: lacking(&a, &b),
        only_in_second: lacking(&b, &a),
        differ: a
            .iter()
            .filter(|(name, a)| b.get(*name).is_some_and(|b| b != *a))
            .map(|(name, _)| name.clone())
            .collect(),
    })
}

fn contents(archive: &mut Archive) -> Result<BTreeMap<String, (u32, u64)>, Error> {
    let mut contents = BTreeMap::new();
    for index in 0..archive.zip.len() {
        let path = archive.path.clone();
        let failed = |source| Error::Jar { path, what: format!("entry {index}"), source };
        let entry = archive.zip.by_index_raw(index).map_err(failed)?;
        contents.insert(String::from_utf8_lossy(entry.name_raw()).into_owned(), (entry.crc32(), entry.size()));
    }
    Ok(contents)
}
