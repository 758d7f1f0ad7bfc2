//! What files take on the disk, and what removing them would give back.
//!
//! A file has its blocks once, however many names it has: they are given back with its last name. Blocks that the file
//! system shares between files (reflinks, snapshots) cannot be told from others, and count as if they were alone.

use std::{
    collections::BTreeMap,
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt as _,
    path::Path,
};

/// Bytes of a block in `st_blocks`, whatever the file system's own are: <https://man7.org/linux/man-pages/man3/stat.3type.html>.
pub(super) const BLOCK: u64 = 512;

/// What a file, or a folder with all below it, takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Disk {
    /// Bytes that are allocated for it, each file of it once.
    pub(crate) bytes: u64,
    /// Bytes of what has no name but the one in here.
    alone: u64,
    /// Files with several names, by device and inode.
    linked: BTreeMap<(u64, u64), Linked>,
    /// When it was last read or written, in seconds since 1970. Of files alone: to look at a folder is to use it.
    pub(crate) used: Option<i64>,
    /// The user that it belongs to.
    pub(crate) owner: u32,
}

/// A file with several names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Linked {
    bytes: u64,
    /// How many names it has.
    names: u64,
    /// How many of them are in here.
    here: u64,
}

impl Disk {
    /// Looks at a file or folder; no link is followed.
    ///
    /// # Errors
    /// Something of it cannot be looked at.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let meta = fs::symlink_metadata(path)?;
        let mut disk = Self { owner: meta.uid(), ..Self::default() };
        disk.add(path, &meta)?;
        Ok(disk)
    }

    fn add(&mut self, path: &Path, meta: &Metadata) -> io::Result<()> {
        self.add_file(meta);
        if meta.is_dir() {
            for entry in fs::read_dir(path)? {
                let entry = entry?;
                self.add(&entry.path(), &entry.metadata()?)?;
            }
        }
        Ok(())
    }

    /// Counts one file or folder.
    pub(crate) fn add_file(&mut self, meta: &Metadata) {
        let bytes = meta.blocks() * BLOCK;
        if meta.is_file() {
            self.used = self.used.max(Some(meta.mtime().max(meta.atime())));
        }
        // The names of a folder are those that its own folders have for it.
        if meta.is_dir() || meta.nlink() == 1 {
            self.bytes += bytes;
            self.alone += bytes;
            return;
        }
        let linked =
            self.linked.entry((meta.dev(), meta.ino())).or_insert(Linked { bytes, names: meta.nlink(), here: 0 });
        if linked.here == 0 {
            self.bytes += bytes;
        }
        linked.here += 1;
    }

    /// What removing all of these gives back, and what of their bytes stays because of names elsewhere.
    pub(crate) fn freed<'a>(all: impl IntoIterator<Item = &'a Self>) -> (u64, u64) {
        let (mut freed, mut stays) = (0, 0);
        let mut linked: BTreeMap<(u64, u64), Linked> = BTreeMap::new();
        for disk in all {
            freed += disk.alone;
            for (file, found) in &disk.linked {
                linked.entry(*file).and_modify(|known| known.here += found.here).or_insert(*found);
            }
        }
        for Linked { bytes, names, here } in linked.into_values() {
            *(if here >= names { &mut freed } else { &mut stays }) += bytes;
        }
        (freed, stays)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_given_back_with_its_last_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("a/b")).unwrap();
        fs::create_dir(path("c")).unwrap();
        fs::write(path("a/b/file"), [1; 5000]).unwrap();
        fs::write(path("a/one"), [1; 9000]).unwrap();
        fs::hard_link(path("a/one"), path("a/two")).unwrap();
        let of = |name: &str| Disk::of(&path(name)).unwrap();
        let (file, one) = (of("a/b/file").bytes, of("a/one").bytes);
        assert!(file >= 5000 && one >= 9000, "{file} {one}");
        let folders = of("c").bytes * 2;
        assert_eq!(of("a").bytes, folders + file + one);
        assert_eq!(Disk::freed([&of("a")]), (folders + file + one, 0));
        assert_eq!(Disk::freed([&of("a/one")]), (0, one));
        assert_eq!(Disk::freed([&of("a/one"), &of("a/two")]), (one, 0));
        fs::hard_link(path("a/one"), path("c/three")).unwrap();
        assert_eq!(Disk::freed([&of("a")]), (folders + file, one));
    }

    #[test]
    fn holes_are_not_counted_and_links_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let sparse = fs::File::create(path("sparse")).unwrap();
        sparse.set_len(1 << 30).unwrap();
        assert!(Disk::of(&path("sparse")).unwrap().bytes < 1 << 20);
        std::os::unix::fs::symlink("/usr", path("link")).unwrap();
        assert!(Disk::of(&path("link")).unwrap().bytes < 10_000);
    }
}
