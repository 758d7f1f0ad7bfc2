//! Takes things away. No link is followed, whatever stands in the way at that moment: every folder is opened from its own
//! folder. A folder first gets a name that nobody trusts, so that a run that is killed leaves nothing half removed.

use std::{
    collections::BTreeSet,
    ffi::{CStr, CString},
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use camino::Utf8Path;
use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, RawMode, Stat, chmodat, open, openat, renameat, statat, unlinkat},
    io::Errno,
};

use super::{
    Item, Left,
    disk::BLOCK,
    find::{PENDING, not_yours},
};

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// What was taken away.
#[derive(Debug, Default)]
pub(crate) struct Removed {
    /// Bytes that the file system gave back.
    pub(crate) freed: u64,
    /// Bytes that it did not, because their files have other names.
    pub(crate) linked: u64,
    /// Things that are gone.
    pub(crate) items: usize,
    /// What could not be removed.
    pub(crate) left: Vec<Left>,
    /// Files whose other names are counted already.
    seen: BTreeSet<(u64, u64)>,
}

impl Removed {
    /// Takes a thing away, or notes why not. What is gone already is no matter.
    pub(crate) fn remove(&mut self, item: &Item) {
        match self.try_remove(&item.base, &item.path) {
            Ok(()) => self.items += 1,
            Err(Errno::NOENT) => {}
            Err(error) => {
                let path = item.full_path();
                let why = match error {
                    Errno::PERM | Errno::ACCESS => not_yours(&path),
                    error => io::Error::from(error).to_string(),
                };
                self.left.push(Left { path, why });
            }
        }
    }

    fn try_remove(&mut self, base: &Utf8Path, path: &Utf8Path) -> Result<(), Errno> {
        let mut folder = open(base.as_std_path(), OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let mut names = path.components().map(|part| CString::new(part.as_str()).map_err(|_| Errno::INVAL));
        let name = names.next_back().ok_or(Errno::INVAL)??;
        for part in names {
            folder = openat(&folder, part?, FOLDER, Mode::empty())?;
        }
        let stat = statat(&folder, &name, AtFlags::SYMLINK_NOFOLLOW)?;
        if !is_folder(&stat) {
            return self.file(folder.as_fd(), &name, &stat);
        }
        let text = name.to_string_lossy();
        if text.starts_with(PENDING) {
            return self.tree(folder.as_fd(), &name, &stat);
        }
        let pending = CString::new(format!("{PENDING}gc-{text}")).map_err(|_| Errno::INVAL)?;
        match renameat(&folder, &name, &folder, &pending) {
            Ok(()) => {}
            // A run that was killed had begun with another folder of this name.
            Err(Errno::NOTEMPTY | Errno::EXIST) => {
                let stat = statat(&folder, &pending, AtFlags::SYMLINK_NOFOLLOW)?;
                self.tree(folder.as_fd(), &pending, &stat)?;
                renameat(&folder, &name, &folder, &pending)?;
            }
            Err(error) => return Err(error),
        }
        self.tree(folder.as_fd(), &pending, &stat)
    }

    /// Removes a file, and counts what its removal gives back.
    fn file(&mut self, folder: BorrowedFd<'_>, name: &CStr, stat: &Stat) -> Result<(), Errno> {
        unlinkat(folder, name, AtFlags::empty())?;
        let bytes = stat.st_blocks as u64 * BLOCK;
        // The count is that of this moment: the last of several names gives the blocks back.
        if stat.st_nlink == 1 {
            self.freed += bytes;
            if self.seen.remove(&(stat.st_dev, stat.st_ino)) {
                self.linked -= bytes;
            }
        } else if self.seen.insert((stat.st_dev, stat.st_ino)) {
            self.linked += bytes;
        }
        Ok(())
    }

    /// Removes a folder and all below it.
    fn tree(&mut self, folder: BorrowedFd<'_>, name: &CStr, stat: &Stat) -> Result<(), Errno> {
        let inner = enter(folder, name)?;
        for entry in Dir::read_from(&inner)? {
            let entry = entry?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            let stat = statat(&inner, name, AtFlags::SYMLINK_NOFOLLOW)?;
            match is_folder(&stat) {
                true => self.tree(inner.as_fd(), name, &stat)?,
                false => self.file(inner.as_fd(), name, &stat)?,
            }
        }
        unlinkat(folder, name, AtFlags::REMOVEDIR)?;
        self.freed += stat.st_blocks as u64 * BLOCK;
        Ok(())
    }
}

/// Opens a folder to empty it. Its owner may be forbidden to: the work folder of an overlay has mode 000.
fn enter(folder: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    const OWNERS: RawMode = 0o700;
    let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if is_folder(&stat) && stat.st_mode & OWNERS != OWNERS {
        // Whose it is not may still be allowed to by its group.
        let _ = chmodat(folder, name, Mode::RWXU, AtFlags::empty());
    }
    openat(folder, name, FOLDER, Mode::empty())
}

fn is_folder(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt as _, symlink},
        path::Path,
    };

    use camino::Utf8PathBuf;

    use super::*;
    use crate::gc::{Kind, Of, disk::Disk};

    fn item(base: &Path, path: &str) -> Item {
        let base = Utf8PathBuf::try_from(base.to_owned()).unwrap();
        let disk = Disk::of(base.join(path).as_std_path()).unwrap_or_default();
        Item { kind: Kind::Leftover, path: path.into(), of: Of::Nothing, disk, base }
    }

    #[test]
    fn what_is_counted_before_is_what_is_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("a/b/c")).unwrap();
        fs::write(path("a/b/one"), [1; 9000]).unwrap();
        fs::hard_link(path("a/b/one"), path("a/two")).unwrap();
        fs::write(path("a/outside"), [1; 5000]).unwrap();
        fs::hard_link(path("a/outside"), path("kept")).unwrap();
        symlink(path("kept"), path("a/link")).unwrap();
        symlink(folder.path(), path("a/loop")).unwrap();
        fs::set_permissions(path("a/b/c"), fs::Permissions::from_mode(0o000)).unwrap();
        fs::set_permissions(path("a/b"), fs::Permissions::from_mode(0o500)).unwrap();
        let item = Item { disk: Disk::of(&path("a")).unwrap_or_default(), ..item(folder.path(), "a") };
        let (freed, stays) = Disk::freed([&item.disk]);
        let mut removed = Removed::default();
        removed.remove(&item);
        assert_eq!(removed.left, []);
        assert!(!path("a").exists() && path("kept").exists());
        // Who is not root cannot look into every folder before.
        if rustix::process::geteuid().is_root() {
            assert_eq!((removed.freed, removed.linked), (freed, stays));
        }
        assert_eq!(removed.items, 1);
        removed.remove(&item);
        assert_eq!((removed.items, removed.left.len()), (1, 0));
    }

    #[test]
    fn a_link_in_the_way_leads_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("precious/homes")).unwrap();
        fs::write(path("precious/homes/file"), "mine").unwrap();
        fs::create_dir(path("store")).unwrap();
        symlink(path("precious/homes"), path("store/homes")).unwrap();
        symlink(path("precious"), path("store/other")).unwrap();
        let mut removed = Removed::default();
        for name in ["homes/file", "other/homes", "other/homes/file"] {
            removed.remove(&item(&path("store"), name));
        }
        assert_eq!((removed.items, removed.left.len()), (0, 3), "{removed:?}");
        // A link itself is a file like others.
        removed.remove(&item(&path("store"), "homes"));
        assert_eq!(fs::read_to_string(path("precious/homes/file")).unwrap(), "mine");
    }

    #[test]
    fn what_a_killed_removal_left_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("a/b")).unwrap();
        fs::create_dir_all(path(".pending-gc-a/b")).unwrap();
        let mut removed = Removed::default();
        removed.remove(&item(folder.path(), "a"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{removed:?}");
    }
}
