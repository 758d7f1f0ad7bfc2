//! Who names what is legacy: files that git tracks, line by line, and links.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use git::Git;

use super::{
    kept::{path as path_of, records},
    line::{File, Search, resolved, targets},
    plain, shown,
    tree::Tree,
};

/// Something that is gone, or will be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Gone {
    /// A file or folder, relative to the checkout. `targets` are those of a Makefile.
    Path { path: PathBuf, targets: Vec<String> },
    /// `repository:tag`
    Image(String),
}

/// A line that names something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Naming {
    /// Relative to the checkout.
    pub(crate) file: PathBuf,
    /// Counted from 1; nothing for a link, which points there.
    pub(crate) line: Option<usize>,
    /// The line, or the link's target.
    pub(crate) text: String,
    /// What is named, by its place in the list.
    pub(crate) what: BTreeSet<usize>,
}

/// All tracked files that name something of `gone`, but for those that are gone themselves or for which `skip` says so.
///
/// # Errors
/// git cannot tell.
pub(crate) fn naming(git: &Git, tree: &Tree, gone: &[Gone], skip: &dyn Fn(&Path) -> bool) -> Result<Vec<Naming>> {
    let search = Search::new(gone);
    let mut found = links(git, tree, &search, skip)?;
    if search.words.is_empty() {
        return Ok(found);
    }
    let mut words: Vec<OsString> =
        ["grep", "-I", "-n", "-z", "-F", "--no-color", "--no-textconv"].map(OsString::from).into();
    for word in &search.words {
        words.extend(["-e".into(), OsString::from(word)]);
    }
    words.extend(["--".into(), ".".into()]);
    let printed = git.find(words)?;
    let mut files: BTreeMap<PathBuf, File> = BTreeMap::new();
    let mut printed = printed.as_slice();
    while let Some(line) = Matched::take(&mut printed) {
        if skip(line.file) || search.covers(line.file) {
            continue;
        }
        let of = files.entry(line.file.to_owned()).or_insert_with(|| File::read(tree, line.file));
        let text = String::from_utf8_lossy(line.text);
        let what = search.named(&text, of);
        if !what.is_empty() {
            found.push(Naming { file: line.file.to_owned(), line: line.number, text: plain(&text), what });
        }
    }
    found.sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
    Ok(found)
}

/// What `git grep -z` prints of one line: `file NUL number NUL text LF`.
struct Matched<'p> {
    file: &'p Path,
    number: Option<usize>,
    text: &'p [u8],
}

impl<'p> Matched<'p> {
    fn take(printed: &mut &'p [u8]) -> Option<Self> {
        let mut until = |end: u8| {
            let at = printed.iter().position(|byte| *byte == end)?;
            let part = &printed[..at];
            *printed = &printed[at + 1..];
            Some(part)
        };
        let (file, number, text) = (until(0)?, until(0)?, until(b'\n')?);
        Some(Self { file: path_of(file), number: std::str::from_utf8(number).ok()?.parse().ok(), text })
    }
}

/// Tracked links that point at or into something that is gone.
fn links(git: &Git, tree: &Tree, search: &Search<'_>, skip: &dyn Fn(&Path) -> bool) -> Result<Vec<Naming>> {
    let mut found = Vec::new();
    for record in records(&git.ask(["ls-files", "-z", "--stage"])?) {
        let Some(tab) = record.iter().position(|byte| *byte == b'\t').filter(|_| record.starts_with(b"120000 ")) else {
            continue;
        };
        let file = path_of(&record[tab + 1..]);
        if skip(file) || search.covers(file) {
            continue;
        }
        let (Some(folder), Some(name)) = (file.parent(), file.file_name()) else { continue };
        let Ok(target) = tree.folder(folder).and_then(|folder| rustix::fs::readlinkat(folder, name, Vec::new())) else {
            continue;
        };
        let target = path_of(target.as_bytes());
        let what = resolved(folder, target).map(|path| search.at(&path)).unwrap_or_default();
        if !what.is_empty() {
            let text = shown(target);
            found.push(Naming { file: file.to_owned(), line: None, text, what });
        }
    }
    Ok(found)
}

/// Legacy paths that the last commit has and the checkout does not: what earlier runs have removed.
///
/// # Errors
/// git cannot tell.
pub(crate) fn already_gone(git: &Git, tree: &Tree, legacy: &catalog::Legacy) -> Result<Vec<Gone>> {
    if !git.has_commit()? {
        return Ok(Vec::new());
    }
    let mut gone = BTreeSet::new();
    for record in records(&git.ask(["ls-tree", "-r", "-z", "--name-only", "HEAD"])?) {
        let file = path_of(record);
        let names: Vec<String> = file.iter().map(|name| name.to_string_lossy().into_owned()).collect();
        for rule in &legacy.paths {
            let folder = matches!(rule.what, catalog::LegacyFiles::Folder(_));
            let matches =
                |pattern: &&catalog::PathPattern| (folder || names.len() == pattern.depth()) && pattern.covers(&names);
            let Some(pattern) = rule.patterns().iter().find(matches) else { continue };
            let path: PathBuf = file.iter().take(pattern.depth()).collect();
            if tree.has(&path) {
                continue;
            }
            let text = match folder {
                true => String::new(),
                false => {
                    let object = [b"HEAD:./", file.as_os_str().as_bytes()].concat();
                    let bytes = git.ask([std::ffi::OsStr::new("show"), path_of(&object).as_os_str()]);
                    String::from_utf8_lossy(&bytes.context("reading what is gone")?).into_owned()
                }
            };
            if folder || rule.not_meant(&text).is_none() {
                gone.insert(Gone::of(path, &text));
            }
        }
    }
    Ok(gone.into_iter().collect())
}

impl Gone {
    /// A path, and what stood in it if it was a file.
    pub(crate) fn of(path: PathBuf, text: &str) -> Self {
        let makefile = path.file_name().is_some_and(|name| name == "Makefile");
        let targets = if makefile { targets(text) } else { Vec::new() };
        Self::Path { path, targets }
    }
}
