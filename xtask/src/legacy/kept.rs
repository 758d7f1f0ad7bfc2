//! What git could bring back: a file that the last commit has as it is. All else is named, with the reason.

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use git::Git;

use super::{
    plain,
    tree::{Entry, Found},
};

/// A file, or a folder that is not looked into, that git could not bring back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotKept {
    pub(crate) path: PathBuf,
    pub(crate) why: &'static str,
}

/// The last commit that touched a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Commit {
    /// The begin of its hash.
    pub(crate) id: String,
    /// `2026-02-23`
    pub(crate) date: String,
    pub(crate) subject: String,
}

/// What the last commit knows of some paths.
#[derive(Default)]
pub(crate) struct Kept {
    files: BTreeSet<PathBuf>,
    submodules: BTreeSet<PathBuf>,
    /// Those whose content is another now.
    changed: BTreeSet<PathBuf>,
}

/// What lies between the NULs.
pub(super) fn records(printed: &[u8]) -> impl Iterator<Item = &[u8]> {
    printed.split(|byte| *byte == 0).filter(|record| !record.is_empty())
}

pub(super) fn path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// `words -- paths`
pub(super) fn about<'p>(words: &[&str], paths: impl IntoIterator<Item = &'p Path>) -> Vec<OsString> {
    let words = words.iter().copied().chain(["--"]).map(OsString::from);
    words.chain(paths.into_iter().map(|path| path.as_os_str().to_owned())).collect()
}

impl Kept {
    /// Asks git about what was found: every file is read and compared, whatever the index says of it. Without git, or a
    /// commit, nothing is kept.
    ///
    /// # Errors
    /// git cannot tell.
    pub(crate) fn ask(git: Option<&Git>, found: &[Found]) -> Result<Self> {
        let mut kept = Self::default();
        let Some(git) = git.filter(|_| !found.is_empty()) else { return Ok(kept) };
        if !git.has_commit()? {
            return Ok(kept);
        }
        let folder = tempfile::tempdir().context("making a folder for an index")?;
        let git = git.of_last_commit(folder.path().join("index"))?;
        let paths = || found.iter().map(|found| found.path.as_path());
        for record in records(&git.ask(about(&["ls-files", "-z", "--stage"], paths()))?) {
            // `100644 4b825dc... 0<TAB>path`
            let Some(tab) = record.iter().position(|byte| *byte == b'\t') else { continue };
            let known = if record.starts_with(b"160000 ") { &mut kept.submodules } else { &mut kept.files };
            known.insert(path(&record[tab + 1..]).to_owned());
        }
        let prefix = git.ask(["rev-parse", "--show-prefix"])?;
        let prefix = path(prefix.strip_suffix(b"\n").unwrap_or(&prefix)).to_owned();
        let words =
            ["status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=no", "--ignore-submodules=all"];
        for record in records(&git.ask(about(&words, paths()))?) {
            // `XY path`, from the top of the repository
            let whole = path(record.get(3..).context("git status printed a line without a path")?);
            kept.changed.insert(whole.strip_prefix(&prefix).unwrap_or(whole).to_owned());
        }
        Ok(kept)
    }

    /// What of this git could not bring back, in the order of paths.
    pub(crate) fn not_kept(&self, found: &Found) -> Vec<NotKept> {
        let mut missing = Vec::new();
        self.look(&found.entry, &found.path, &mut missing);
        missing
    }

    fn look(&self, entry: &Entry, path: &Path, missing: &mut Vec<NotKept>) {
        let mut add = |why| missing.push(NotKept { path: path.to_owned(), why });
        if self.submodules.contains(path) {
            add("a submodule");
        } else if entry.identity.kind.is_dir() && entry.children.contains_key(OsStr::new(".git")) {
            add("another git repository");
        } else if entry.identity.kind.is_dir() {
            for (name, entry) in &entry.children {
                self.look(entry, &path.join(name), missing);
            }
        } else if !self.files.contains(path) {
            add("not in the last commit");
        } else if self.changed.contains(path) {
            add("changed since the last commit");
        }
    }
}

/// The last commit that touched a path, if any did. There must be a commit.
///
/// # Errors
/// git cannot tell.
pub(crate) fn last_commit(git: &Git, path: &Path) -> Result<Option<Commit>> {
    let printed = git.ask(about(&["log", "-1", "--no-show-signature", "--format=%h%x00%cs%x00%s"], [path]))?;
    let text = String::from_utf8_lossy(&printed);
    let mut parts = text.trim_end().splitn(3, '\0').map(str::to_owned);
    let (id, date, subject) = (parts.next(), parts.next(), parts.next());
    Ok(id.zip(date).zip(subject).map(|((id, date), subject)| Commit { id, date, subject: plain(&subject) }))
}
