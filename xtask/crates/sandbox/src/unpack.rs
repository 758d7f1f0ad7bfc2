//! One layer's tar stream to a folder that overlayfs can use as a lower directory.
//!
//! Whiteouts become what overlayfs understands: a character device 0:0, which anybody may make since Linux 5.8, and the
//! `user.overlay.opaque` attribute. Nothing is written outside of the folder, whatever the archive says.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions, Permissions},
    io::{self, BufWriter, Read, Write},
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, lchown, symlink},
};

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags, mknodat, setxattr, utimensat};
use tar::EntryType;

use crate::record::{Meta, Record};

/// Bytes read and written at once.
pub(crate) const BUFFER: usize = 256 * 1024;

/// The entry that could not be unpacked, and why.
pub(crate) struct Problem {
    pub(crate) entry: String,
    pub(crate) problem: String,
}

/// Unpacks `archive` into the empty folder `root` and fills `record`. With `owned`, files get their true owners, which
/// only root can do; without, they belong to the caller, set-id bits are left out, and folders stay open to the caller.
pub(crate) fn unpack(archive: impl Read, root: &Utf8Path, owned: bool, record: &mut Record) -> Result<(), Problem> {
    let mut target = Target { root, owned, record, folders: BTreeMap::new() };
    target.folders.insert(Utf8PathBuf::new(), 0);
    target.record.implied.insert(Utf8PathBuf::new());
    let mut archive = tar::Archive::new(archive);
    let unreadable = |error: io::Error| Problem { entry: "(next)".to_owned(), problem: error.to_string() };
    for entry in archive.entries().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        target.add(&mut entry).map_err(|error| Problem { entry: name, problem: error.to_string() })?;
    }
    target.finish().map_err(|error| Problem { entry: "(folders)".to_owned(), problem: error.to_string() })
}

/// The folder that is being filled.
struct Target<'a> {
    root: &'a Utf8Path,
    owned: bool,
    record: &'a mut Record,
    /// The real folders of this layer, with their mtime in seconds. Their attributes are set at the end, since every
    /// file that is added changes the time, and since a mode may forbid adding.
    folders: BTreeMap<Utf8PathBuf, i64>,
}

fn invalid(text: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text.into())
}

impl Target<'_> {
    fn add(&mut self, entry: &mut tar::Entry<'_, impl Read>) -> io::Result<()> {
        let kind = entry.header().entry_type();
        if kind == EntryType::XGlobalHeader {
            return Ok(());
        }
        let path = inside(&entry.path_bytes())?;
        if let Some(name) = path.file_name().and_then(|name| name.strip_prefix(".wh.")) {
            return self.whiteout(&path, name);
        }
        let meta = meta_of(entry)?;
        let mtime = i64::try_from(entry.header().mtime()?).map_err(|_| invalid("its time is out of range"))?;
        self.imply(path.parent().unwrap_or(Utf8Path::new("")))?;
        if kind == EntryType::Directory {
            return self.folder(path, meta, mtime);
        }
        self.make_way(&path)?;
        let at = self.root.join(&path);
        match kind {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let file = OpenOptions::new().write(true).create_new(true).open(&at)?;
                let mut file = BufWriter::with_capacity(BUFFER, file);
                io::copy(entry, &mut file)?;
                file.flush()?;
            }
            EntryType::Symlink => symlink(link_name(entry)?, &at)?,
            EntryType::Link => return self.hard_link(entry, &path),
            EntryType::Fifo => mknodat(CWD, at.as_std_path(), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?,
            // The box has a /dev of its own; elsewhere in an image a device is nothing that a container may use.
            EntryType::Char | EntryType::Block if path.starts_with("dev") => return Ok(()),
            EntryType::Char | EntryType::Block => return Err(invalid("a device outside of /dev cannot be unpacked")),
            other => return Err(invalid(format!("entries of type {other:?} are not known"))),
        }
        self.finish_entry(&path, meta, mtime, kind == EntryType::Symlink)
    }

    /// Sets owner, mode and time of what was just made, in this order: a change of owner clears the set-id bits.
    fn finish_entry(&mut self, path: &Utf8Path, meta: Meta, mtime: i64, is_link: bool) -> io::Result<()> {
        let at = self.root.join(path);
        let mut on_disk = meta.mode;
        if self.owned {
            lchown(&at, Some(meta.uid), Some(meta.gid))?;
        } else {
            // A set-id program of the image would belong to the caller and lend his rights to everybody.
            on_disk &= 0o1777;
        }
        if !is_link {
            if at.symlink_metadata()?.is_dir() && !self.owned {
                on_disk |= 0o700;
            }
            fs::set_permissions(&at, Permissions::from_mode(on_disk))?;
        }
        let time = Timespec { tv_sec: mtime, tv_nsec: 0 };
        let times = Timestamps { last_access: time, last_modification: time };
        utimensat(CWD, at.as_std_path(), &times, AtFlags::SYMLINK_NOFOLLOW)?;
        self.record.note(path, meta, on_disk);
        Ok(())
    }

    fn folder(&mut self, path: Utf8PathBuf, meta: Meta, mtime: i64) -> io::Result<()> {
        if !self.folders.contains_key(&path) {
            let hid_lower = self.root.join(&path).symlink_metadata().is_ok_and(|found| is_whiteout(&found));
            self.make_way(&path)?;
            fs::create_dir(self.root.join(&path))?;
            if hid_lower {
                self.opaque(&path)?;
            }
        }
        self.record.implied.remove(&path);
        // No mode on disk is this one: what the layer says is kept until the end, when the folder gets it.
        self.record.note(&path, meta, u32::MAX);
        self.folders.insert(path, mtime);
        Ok(())
    }

    /// Makes the folders on the way to an entry that the archive does not list.
    fn imply(&mut self, path: &Utf8Path) -> io::Result<()> {
        if self.folders.contains_key(path) {
            return Ok(());
        }
        self.imply(path.parent().unwrap_or(Utf8Path::new("")))?;
        let at = self.root.join(path);
        match at.symlink_metadata() {
            Err(_) => fs::create_dir(&at)?,
            Ok(found) if is_whiteout(&found) => {
                fs::remove_file(&at)?;
                fs::create_dir(&at)?;
                self.opaque(path)?;
            }
            Ok(_) => return Err(invalid(format!("`{path}` is no folder in this layer"))),
        }
        self.folders.insert(path.to_owned(), 0);
        self.record.implied.insert(path.to_owned());
        Ok(())
    }

    /// Removes what an earlier entry of the same name left.
    fn make_way(&mut self, path: &Utf8Path) -> io::Result<()> {
        let at = self.root.join(path);
        let Ok(found) = at.symlink_metadata() else { return Ok(()) };
        if path.as_str().is_empty() {
            return Err(invalid("the root of a layer must be a folder"));
        }
        self.record.forget(path);
        if found.is_dir() {
            self.folders.retain(|other, _| !other.starts_with(path));
            return fs::remove_dir_all(at);
        }
        fs::remove_file(at)
    }

    fn hard_link(&mut self, entry: &tar::Entry<'_, impl Read>, path: &Utf8Path) -> io::Result<()> {
        let original = inside(link_name(entry)?.as_str().as_bytes())?;
        let folder = original.parent().unwrap_or(Utf8Path::new(""));
        if !self.folders.contains_key(folder) {
            return Err(invalid(format!("it is a hard link to `{original}`, which this layer does not have")));
        }
        fs::hard_link(self.root.join(&original), self.root.join(path))
            .map_err(|error| invalid(format!("making a hard link to `{original}`: {error}")))?;
        if let Some(meta) = self.record.entries.get(&original).copied() {
            self.record.entries.insert(path.to_owned(), meta);
        }
        Ok(())
    }

    /// Handles `.wh.NAME`. What is in the same layer stays: whiteouts are about the layers below.
    fn whiteout(&mut self, path: &Utf8Path, name: &str) -> io::Result<()> {
        let folder = path.parent().unwrap_or(Utf8Path::new(""));
        self.imply(folder)?;
        if name == ".wh..opq" {
            return self.opaque(folder);
        }
        if name.is_empty() || name.starts_with(".wh.") {
            return Err(invalid("it is no whiteout that the OCI image specification knows"));
        }
        let hidden = folder.join(name);
        if self.folders.contains_key(&hidden) {
            return self.opaque(&hidden);
        }
        let at = self.root.join(&hidden);
        if at.symlink_metadata().is_err() {
            mknodat(CWD, at.as_std_path(), FileType::CharacterDevice, Mode::empty(), 0)?;
        }
        Ok(())
    }

    fn opaque(&self, folder: &Utf8Path) -> io::Result<()> {
        let at = self.root.join(folder);
        Ok(setxattr(at.as_std_path(), OPAQUE, b"y", XattrFlags::empty())?)
    }

    /// Sets the attributes of all folders, the deepest first.
    fn finish(mut self) -> io::Result<()> {
        for (path, mtime) in std::mem::take(&mut self.folders).into_iter().rev() {
            let listed = self.record.entries.get(&path).copied();
            let meta = listed.unwrap_or(Meta { uid: 0, gid: 0, mode: 0o755 });
            self.finish_entry(&path, meta, mtime, false)?;
        }
        Ok(())
    }
}

/// The attribute by which overlayfs, mounted with `userxattr`, hides what lower layers have in a folder.
pub(crate) const OPAQUE: &str = "user.overlay.opaque";

/// Whether overlayfs takes the file for a whiteout.
pub(crate) fn is_whiteout(metadata: &fs::Metadata) -> bool {
    metadata.file_type().is_char_device() && metadata.rdev() == 0
}

/// The path of an entry, relative to the root; the root itself is the empty path.
fn inside(name: &[u8]) -> io::Result<Utf8PathBuf> {
    let name = std::str::from_utf8(name).map_err(|_| invalid("its name is not UTF-8"))?;
    let mut path = Utf8PathBuf::new();
    for component in Utf8Path::new(name).components() {
        match component {
            Utf8Component::Normal(part) => path.push(part),
            Utf8Component::CurDir | Utf8Component::RootDir => {}
            _ => return Err(invalid("its name leaves the root")),
        }
    }
    Ok(path)
}

fn link_name(entry: &tar::Entry<'_, impl Read>) -> io::Result<Utf8PathBuf> {
    let name = entry.link_name_bytes().ok_or_else(|| invalid("it is a link to nothing"))?;
    let name = std::str::from_utf8(&name).map_err(|_| invalid("the name that it links to is not UTF-8"))?;
    Ok(name.into())
}

/// Owner and mode of an entry. Numbers too large for the header stand in a PAX record.
fn meta_of(entry: &mut tar::Entry<'_, impl Read>) -> io::Result<Meta> {
    let number = |value: u64| u32::try_from(value).map_err(|_| invalid("its owner is out of range"));
    let (mut uid, mut gid) = (number(entry.header().uid()?)?, number(entry.header().gid()?)?);
    let mode = entry.header().mode()? & 0o7777;
    for extension in entry.pax_extensions()?.into_iter().flatten() {
        let extension = extension?;
        let value = || extension.value().ok().and_then(|text| text.parse().ok());
        match extension.key() {
            Ok("uid") => uid = value().ok_or_else(|| invalid("its owner is no number"))?,
            Ok("gid") => gid = value().ok_or_else(|| invalid("its group is no number"))?,
            _ => {}
        }
    }
    Ok(Meta { uid, gid, mode })
}
