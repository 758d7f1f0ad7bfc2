//! Finds legacy files in a checkout.
//!
//! The checkout is opened once, and everything in it by the open folder that it lies in, so that no link is followed and
//! nothing outside is seen, whatever is renamed meanwhile. What is found remembers which file it was.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read as _},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::{OsStrExt as _, OsStringExt as _},
    },
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use camino::Utf8Path;
use catalog::{Legacy, LegacyFiles, LegacyPath, PathPattern};
use rustix::{
    fs::{Access, AtFlags, CWD, Dir, FileType, Mode, OFlags, StatxAttributes, StatxFlags, accessat, openat, statx},
    io::Errno,
};

use super::shown;

/// How much of a file is searched for the words that make it legacy: scripts and Makefiles are smaller.
const SEARCHED: u64 = 1 << 20;

/// A checkout, opened.
pub(crate) struct Tree {
    root: OwnedFd,
}

/// Which file it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    device: (u32, u32),
    inode: u64,
    pub(crate) kind: FileType,
    /// Size and times; nothing for a folder, which changes when something in it is removed.
    state: Option<(u64, i64, u32, i64, u32)>,
    mount: bool,
}

/// A file, link or folder, with all that is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) identity: Identity,
    /// Sorted. Empty for what is no folder.
    pub(crate) children: BTreeMap<OsString, Entry>,
}

/// Something legacy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Relative to the checkout.
    pub(crate) path: PathBuf,
    /// Which entry of the table calls it legacy.
    pub(crate) rule: usize,
    /// The folders above it, below the checkout.
    pub(crate) above: Vec<Identity>,
    pub(crate) entry: Entry,
}

/// What a search came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Search {
    /// In the order of the table, then of paths; none lies in another.
    pub(crate) found: Vec<Found>,
    /// What bears a legacy name and is left alone, with the reason.
    pub(crate) spared: BTreeMap<PathBuf, String>,
    /// Folders that are empty once all that was found is gone, lowest first. git knows no empty folder.
    pub(crate) emptied: Vec<PathBuf>,
}

impl Identity {
    /// Of the entry `name` of a folder, a link itself and not what it points to.
    pub(super) fn at(folder: BorrowedFd<'_>, name: &OsStr) -> Result<Self, Errno> {
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
        let found = statx(folder, name, flags, StatxFlags::BASIC_STATS)?;
        let kind = FileType::from_raw_mode(found.stx_mode.into());
        let state = (
            found.stx_size,
            found.stx_mtime.tv_sec,
            found.stx_mtime.tv_nsec,
            found.stx_ctime.tv_sec,
            found.stx_ctime.tv_nsec,
        );
        Ok(Self {
            device: (found.stx_dev_major, found.stx_dev_minor),
            inode: found.stx_ino,
            kind,
            state: (!kind.is_dir()).then_some(state),
            mount: found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
        })
    }

    /// Bytes of a regular file.
    pub(crate) fn bytes(&self) -> u64 {
        self.state.filter(|_| self.kind.is_file()).map_or(0, |(size, ..)| size)
    }
}

impl Entry {
    /// Number of files and links, and their bytes.
    pub(crate) fn size(&self) -> (usize, u64) {
        if !self.identity.kind.is_dir() {
            return (1, self.identity.bytes());
        }
        let sizes = self.children.values().map(Self::size);
        sizes.fold((0, 0), |(files, bytes), (more, size)| (files + more, bytes + size))
    }
}

/// Opens a folder of a folder, and nothing that a link points to.
pub(super) fn open_folder(above: BorrowedFd<'_>, name: &OsStr) -> Result<OwnedFd, Errno> {
    openat(above, name, OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

/// The names in a folder, sorted.
pub(super) fn names(folder: BorrowedFd<'_>) -> Result<BTreeSet<OsString>, Errno> {
    let mut names = BTreeSet::new();
    for entry in Dir::read_from(folder)? {
        let name = OsString::from_vec(entry?.file_name().to_bytes().to_vec());
        if name != "." && name != ".." {
            names.insert(name);
        }
    }
    Ok(names)
}

/// What stands at the begin of a file that no link leads to.
fn text(folder: BorrowedFd<'_>, name: &OsStr) -> io::Result<String> {
    // Never a pipe that nobody writes to: it was a file a moment ago.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut bytes = Vec::new();
    File::from(openat(folder, name, flags, Mode::empty())?).take(SEARCHED).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

impl Tree {
    /// Opens a checkout. It is the one path that may be a link: whoever names it means what it points to.
    ///
    /// # Errors
    /// It is no folder, or may not be read.
    pub(crate) fn open(path: &Utf8Path) -> Result<Self> {
        let root = openat(CWD, path.as_str(), OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        Ok(Self { root: root.with_context(|| format!("opening {path}"))? })
    }

    /// The checkout's own folder.
    pub(super) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// Opens a folder below the checkout, every folder above it as well, none of them through a link.
    ///
    /// # Errors
    /// One of them is missing, or is a link or a file.
    pub(super) fn folder(&self, path: &Path) -> Result<OwnedFd, Errno> {
        let mut folder = self
            .root
            .as_fd()
            .try_clone_to_owned()
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        for name in path {
            folder = open_folder(folder.as_fd(), name)?;
        }
        Ok(folder)
    }

    /// The names in a folder below the checkout, sorted; nothing if there is no such folder.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn list(&self, path: &Path) -> Result<Option<BTreeSet<OsString>>> {
        let list = self.folder(path).and_then(|folder| names(folder.as_fd()));
        match list {
            Ok(names) => Ok(Some(names)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("reading {}", shown(path))),
        }
    }

    /// What stands at the begin of a file; nothing where there is no such file, or it may not be read.
    pub(crate) fn text(&self, path: &Path) -> String {
        let (Some(above), Some(name)) = (path.parent(), path.file_name()) else { return String::new() };
        let text = self.folder(above).map_err(io::Error::from).and_then(|folder| text(folder.as_fd(), name));
        text.unwrap_or_default()
    }

    /// Whether something lies at this path, a link without what it points to counted.
    pub(crate) fn has(&self, path: &Path) -> bool {
        let (Some(above), Some(name)) = (path.parent(), path.file_name()) else { return false };
        self.folder(above).is_ok_and(|folder| Identity::at(folder.as_fd(), name).is_ok())
    }

    /// Looks for all that the table calls legacy, but for what lies at or below the paths of `keep`.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub(crate) fn search(&self, legacy: &Legacy, keep: &BTreeSet<PathBuf>) -> Result<Search> {
        let mut walk = Walk { found: BTreeMap::new(), spared: BTreeMap::new(), seen: BTreeSet::new() };
        for (rule, path) in legacy.paths.iter().enumerate() {
            for pattern in path.patterns() {
                walk.step(&Rule { number: rule, path, pattern }, self.root(), &Place::default())?;
            }
        }
        let Walk { mut found, mut spared, seen, .. } = walk;
        spared.retain(|path, _| !found.contains_key(path));
        let paths: Vec<PathBuf> = found.keys().cloned().collect();
        for path in paths {
            if path.ancestors().skip(1).any(|above| found.contains_key(above)) {
                found.remove(&path);
            } else if keep.iter().any(|keep| path.starts_with(keep)) {
                found.remove(&path);
                spared.insert(path, "you keep it".to_owned());
            } else if let Some(kept) = keep.iter().find(|keep| keep.starts_with(&path)) {
                bail!("--keep {}: it goes with {} or stays with it", shown(kept), shown(&path));
            }
        }
        let emptied = self.emptied(&found, seen)?;
        let mut found: Vec<Found> = found.into_values().collect();
        found.sort_by(|one, other| (one.rule, &one.path).cmp(&(other.rule, &other.path)));
        Ok(Search { found, spared, emptied })
    }

    /// Folders on the way that hold nothing but what was found. One that a killed run has left empty is one of them.
    fn emptied(&self, found: &BTreeMap<PathBuf, Found>, seen: BTreeSet<PathBuf>) -> Result<Vec<PathBuf>> {
        let mut emptied: Vec<PathBuf> = Vec::new();
        let mut seen: Vec<PathBuf> = seen.into_iter().filter(|path| !found.contains_key(path)).collect();
        seen.sort_by_key(|path| std::cmp::Reverse(path.components().count()));
        for folder in seen {
            let Some(names) = self.list(&folder)? else { continue };
            let goes = |path: PathBuf| found.contains_key(&path) || emptied.contains(&path);
            if names.iter().all(|name| goes(folder.join(name))) {
                emptied.push(folder);
            }
        }
        Ok(emptied)
    }
}

/// A pattern of the table.
struct Rule<'r> {
    number: usize,
    path: &'r LegacyPath,
    pattern: &'r PathPattern,
}

/// Where a walk is.
#[derive(Default, Clone)]
struct Place {
    path: PathBuf,
    above: Vec<Identity>,
}

struct Walk {
    found: BTreeMap<PathBuf, Found>,
    spared: BTreeMap<PathBuf, String>,
    /// Folders that patterns lead through.
    seen: BTreeSet<PathBuf>,
}

impl Walk {
    /// Looks into the open folder at `place` for the next part of a pattern.
    fn step(&mut self, rule: &Rule<'_>, folder: BorrowedFd<'_>, place: &Place) -> Result<()> {
        let number = place.above.len();
        let candidates: BTreeSet<OsString> = match rule.pattern.literal(number) {
            Some(name) => BTreeSet::from([name.into()]),
            None => names(folder).with_context(|| format!("reading {}", shown(&place.path)))?,
        };
        for name in candidates {
            if !rule.pattern.part_matches(number, &name.to_string_lossy()) {
                continue;
            }
            let path = place.path.join(&name);
            let identity = match Identity::at(folder, &name) {
                Ok(identity) => identity,
                Err(Errno::NOENT) => continue,
                Err(error) => return Err(error).with_context(|| format!("looking at {}", shown(&path))),
            };
            if number + 1 == rule.pattern.depth() {
                self.end(rule, folder, &name, identity, place)?;
            } else if identity.kind.is_symlink() {
                self.spared.insert(path, "a symbolic link, which is not followed".to_owned());
            } else if identity.mount {
                self.spared.insert(path, "another file system is mounted there".to_owned());
            } else if identity.kind.is_dir() {
                let below = open_folder(folder, &name).with_context(|| format!("opening {}", shown(&path)))?;
                let above = place.above.iter().copied().chain([identity]).collect();
                self.seen.insert(path.clone());
                self.step(rule, below.as_fd(), &Place { path, above })?;
            }
        }
        Ok(())
    }

    /// Something whose whole path matches.
    fn end(
        &mut self,
        rule: &Rule<'_>,
        folder: BorrowedFd<'_>,
        name: &OsStr,
        identity: Identity,
        place: &Place,
    ) -> Result<()> {
        let path = place.path.join(name);
        if let LegacyFiles::Files(_) = rule.path.what {
            let why_not = match identity.kind {
                FileType::RegularFile => {
                    let text = text(folder, name).with_context(|| format!("reading {}", shown(&path)))?;
                    rule.path.not_meant(&text)
                }
                FileType::Symlink => Some("a symbolic link, which is not followed".to_owned()),
                _ => return Ok(()),
            };
            if let Some(why) = why_not {
                self.spared.insert(path, why);
                return Ok(());
            }
        }
        let entry = scan(folder, name, identity, &path)?;
        if let Some(mount) = mount_in(&entry, &path) {
            let why = match mount == path {
                true => "another file system is mounted there".to_owned(),
                false => format!("another file system is mounted at {}", shown(&mount)),
            };
            self.spared.insert(path, why);
            return Ok(());
        }
        let found = Found { path: path.clone(), rule: rule.number, above: place.above.clone(), entry };
        self.found.entry(path).or_insert(found);
        Ok(())
    }
}

/// All that lies in an entry of a folder.
fn scan(folder: BorrowedFd<'_>, name: &OsStr, identity: Identity, path: &Path) -> Result<Entry> {
    let mut children = BTreeMap::new();
    // What is mounted there is another file system's, and is not looked at.
    if identity.kind.is_dir() && !identity.mount {
        let below = open_folder(folder, name).with_context(|| format!("opening {}", shown(path)))?;
        for name in names(below.as_fd()).with_context(|| format!("reading {}", shown(path)))? {
            let path = path.join(&name);
            let identity =
                Identity::at(below.as_fd(), &name).with_context(|| format!("looking at {}", shown(&path)))?;
            let entry = scan(below.as_fd(), &name, identity, &path)?;
            children.insert(name, entry);
        }
    }
    Ok(Entry { identity, children })
}

fn mount_in(entry: &Entry, path: &Path) -> Option<PathBuf> {
    if entry.identity.mount {
        return Some(path.to_owned());
    }
    entry.children.iter().find_map(|(name, entry)| mount_in(entry, &path.join(name)))
}

/// The folders that would have to be changed and may not be, relative to the checkout.
pub(crate) fn read_only(tree: &Tree, search: &Search) -> Result<Vec<PathBuf>> {
    let mut folders: BTreeSet<PathBuf> = BTreeSet::new();
    for found in &search.found {
        folders.extend(found.path.parent().map(Path::to_owned));
        inner_folders(&found.entry, &found.path, &mut folders);
    }
    folders.extend(search.emptied.iter().filter_map(|path| path.parent().map(Path::to_owned)));
    let mut closed = Vec::new();
    for path in folders {
        let folder = tree.folder(&path).with_context(|| format!("opening {}", shown(&path)))?;
        match accessat(&folder, OsStr::from_bytes(b"."), Access::WRITE_OK | Access::EXEC_OK, AtFlags::empty()) {
            Ok(()) => {}
            Err(Errno::ACCESS | Errno::ROFS | Errno::PERM) => closed.push(path),
            Err(error) => return Err(error).with_context(|| format!("looking at {}", shown(&path))),
        }
    }
    Ok(closed)
}

fn inner_folders(entry: &Entry, path: &Path, folders: &mut BTreeSet<PathBuf>) {
    if entry.identity.kind.is_dir() {
        if !entry.children.is_empty() {
            folders.insert(path.to_owned());
        }
        for (name, entry) in &entry.children {
            inner_folders(entry, &path.join(name), folders);
        }
    }
}
