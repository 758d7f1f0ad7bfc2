//! What differs from compile to compile is taken out of the jars, so that one source gives equal bytes.

mod jar;
mod text;

use blob::Digest;
use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    Error, Repository,
    jar::{Archive, digest},
    parallel,
    tree::{self, Kind},
};

/// How to normalise.
pub struct Options<'a> {
    /// The one time of all entries, in seconds since 1970. Zip files hold even seconds from 1980 on.
    pub epoch: u64,
    /// The local Maven repository of the compile: a jar that lies there with equal bytes was fetched, not made.
    pub repository: Option<&'a Repository>,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Normalised {
    /// Files that were written anew, sorted by path.
    pub rewritten: Vec<Rewritten>,
    /// Files that had that form already.
    pub unchanged: Vec<Utf8PathBuf>,
    /// Files that were left alone, and why; sorted by path.
    pub kept: Vec<(Utf8PathBuf, Kept)>,
}

/// A jar that was written anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewritten {
    /// Its path in the distribution.
    pub path: Utf8PathBuf,
    /// What it was.
    pub before: Digest,
    /// What it is now.
    pub after: Digest,
    /// The texts in it that were changed, and what was taken out or replaced, such as `date=` or `Built-By`. Order,
    /// times, modes, extra fields and compression of entries change in every file and are not listed.
    pub texts: Vec<(String, Vec<String>)>,
}

/// Why a jar was left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// It is in the local Maven repository: somebody else's.
    Fetched(String),
    /// It is signed.
    Signed,
    /// It has something that a second writing could not keep, in words.
    Unusual(String),
}

/// Rewrites the jars, and the zip files under `python/` and `R/`, that the build itself has made. Each appears under its name when
/// it is whole.
///
/// # Errors
/// A file cannot be read or written, or a jar is damaged. Jars before it may have been rewritten.
pub fn normalise(folder: &Utf8Path, options: &Options<'_>) -> Result<Normalised, Error> {
    let time = jar::time(options.epoch)?;
    let entries = tree::read(folder)?;
    let archives: Vec<(&Utf8Path, u64)> = entries
        .iter()
        .filter_map(|entry| match entry.kind {
            Kind::File { size, .. } if is_archive(&entry.path) => Some((entry.path.as_path(), size)),
            _ => None,
        })
        .collect();
    let done = parallel::map(&archives, |&(path, size)| one(folder, path, size, time, options))?;
    let mut normalised = Normalised::default();
    for ((path, _), done) in archives.into_iter().zip(done) {
        match done {
            Done::Kept(why) => normalised.kept.push((path.to_owned(), why)),
            Done::Unchanged => normalised.unchanged.push(path.to_owned()),
            Done::Rewritten(rewritten) => normalised.rewritten.push(rewritten),
        }
    }
    Ok(normalised)
}

enum Done {
    Kept(Kept),
    Unchanged,
    Rewritten(Rewritten),
}

/// Py4J's zip lies in the source of Spark and is no product of the compile.
fn is_archive(path: &Utf8Path) -> bool {
    match path.extension() {
        Some("jar") => true,
        Some("zip") => {
            let made = path.starts_with("python") || path.starts_with("R");
            made && !path.file_name().is_some_and(|name| name.starts_with("py4j-"))
        }
        _ => false,
    }
}

fn one(
    folder: &Utf8Path,
    path: &Utf8Path,
    size: u64,
    time: zip::DateTime,
    options: &Options<'_>,
) -> Result<Done, Error> {
    let whole = folder.join(path);
    let mut archive = Archive::open(&whole)?;
    if archive.is_signed() {
        return Ok(Done::Kept(Kept::Signed));
    }
    let before = digest(&whole)?.0;
    if let Some(repository) = options.repository {
        let name = path.file_name().unwrap_or_default();
        if let Some(maven) = repository.find(name, size, || Ok(before))? {
            return Ok(Done::Kept(Kept::Fetched(maven.to_string())));
        }
    }
    match jar::rewrite(&mut archive, time, options.epoch)? {
        jar::Outcome::Unusual(why) => Ok(Done::Kept(Kept::Unusual(why))),
        jar::Outcome::Written(pending, texts) => {
            let after = pending.written().0;
            if after == before {
                return Ok(Done::Unchanged);
            }
            pending.commit(&whole, 0o644).map_err(Error::writing(&whole))?;
            Ok(Done::Rewritten(Rewritten { path: path.to_owned(), before, after, texts }))
        }
    }
}
