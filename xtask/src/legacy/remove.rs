//! Takes away what was found, and nothing that has taken its place since.
//!
//! Every name is looked at in its open folder right before it is removed. What is not the file that was shown stops the
//! run. What is already gone is no error: another run, or this one before it was killed, took it away.

use std::{
    ffi::OsStr,
    os::fd::{AsFd, BorrowedFd},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use rustix::{
    fs::{AtFlags, unlinkat},
    io::Errno,
};

use super::{
    shown,
    tree::{Entry, Found, Identity, Search, Tree, names, open_folder},
};

/// What was done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Removed {
    /// Files and links.
    pub(crate) files: usize,
    /// Whether everything is gone: a run that is told to stop leaves the rest to the next one.
    pub(crate) complete: bool,
}

/// Removes what was found and then the folders that are empty. Asks `stop` before each file.
///
/// # Errors
/// Something is not what was shown, or cannot be removed. What came before it is gone.
pub(crate) fn remove(tree: &Tree, search: &Search, stop: &dyn Fn() -> bool) -> Result<Removed> {
    let mut run = Run { stop, files: 0, stopped: false };
    for found in &search.found {
        run.found(tree, found)?;
    }
    for path in search.emptied.iter().filter(|_| !run.stopped) {
        emptied(tree, path)?;
    }
    Ok(Removed { files: run.files, complete: !run.stopped })
}

struct Run<'s> {
    stop: &'s dyn Fn() -> bool,
    files: usize,
    stopped: bool,
}

impl Run<'_> {
    fn found(&mut self, tree: &Tree, found: &Found) -> Result<()> {
        let mut folder = tree.folder(Path::new("")).context("opening the checkout")?;
        let mut path = PathBuf::new();
        let names: Vec<&OsStr> = found.path.iter().collect();
        let Some((last, above)) = names.split_last() else { return Ok(()) };
        for (name, shown_as) in above.iter().zip(&found.above) {
            path.push(name);
            let Some(()) = same(folder.as_fd(), name, shown_as, &path)? else { return Ok(()) };
            folder = open_folder(folder.as_fd(), name).with_context(|| changed(&path))?;
        }
        self.entry(folder.as_fd(), last, &found.entry, &found.path)
    }

    fn entry(&mut self, folder: BorrowedFd<'_>, name: &OsStr, entry: &Entry, path: &Path) -> Result<()> {
        self.stopped = self.stopped || (self.stop)();
        if self.stopped {
            return Ok(());
        }
        let Some(()) = same(folder, name, &entry.identity, path)? else { return Ok(()) };
        if !entry.identity.kind.is_dir() {
            take(folder, name, AtFlags::empty(), path)?;
            self.files += 1;
            return Ok(());
        }
        let below = open_folder(folder, name).with_context(|| changed(path))?;
        // Opened by its name once more: it must be the one that was looked at.
        let Some(()) = same(below.as_fd(), OsStr::new("."), &entry.identity, path)? else { return Ok(()) };
        let there = names(below.as_fd()).with_context(|| format!("reading {}", shown(path)))?;
        if let Some(new) = there.iter().find(|name| !entry.children.contains_key(*name)) {
            bail!(
                "{} was not there when it was shown: it was left, and so was all that follows",
                shown(&path.join(new))
            );
        }
        for (name, entry) in &entry.children {
            self.entry(below.as_fd(), name, entry, &path.join(name))?;
        }
        if self.stopped { Ok(()) } else { take(folder, name, AtFlags::REMOVEDIR, path) }
    }
}

/// A folder in which nothing should be left. If something is, somebody has put it there, and the folder stays.
fn emptied(tree: &Tree, path: &Path) -> Result<()> {
    let (Some(above), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let folder = match tree.folder(above) {
        Ok(folder) => folder,
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("opening {}", shown(above))),
    };
    match unlinkat(&folder, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT | Errno::NOTDIR | Errno::NOTEMPTY | Errno::EXIST) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("removing the empty folder {}", shown(path))),
    }
}

/// Compares what bears this name now with what was shown. Nothing, if it is gone.
fn same(folder: BorrowedFd<'_>, name: &OsStr, expected: &Identity, path: &Path) -> Result<Option<()>> {
    match Identity::at(folder, name) {
        Ok(found) if found == *expected => Ok(Some(())),
        Ok(_) => bail!(changed(path)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("looking at {}", shown(path))),
    }
}

fn changed(path: &Path) -> String {
    format!("{} is not what was shown: it was left, and so was all that follows", shown(path))
}

fn take(folder: BorrowedFd<'_>, name: &OsStr, flags: AtFlags, path: &Path) -> Result<()> {
    match unlinkat(folder, name, flags) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("removing {}", shown(path))),
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, collections::BTreeSet, fs, os::unix::fs::symlink};

    use camino::Utf8Path;
    use catalog::{Catalog, Legacy};

    use super::*;

    /// A checkout with a legacy folder and script, beside a folder outside of it.
    struct Checkout {
        folder: tempfile::TempDir,
        tree: Tree,
        search: Search,
    }

    fn legacy() -> Legacy {
        let table = "epoch = 2026-01-31T00:00:00Z\norigin = \"release\"\nplatforms = [\"linux/amd64\"]\n[debian]\n\
                     suites = [\"a\"]\ncomponents = [\"a\"]\npython = \"3\"\nglibc = \"2\"\n[release.take]\n\
                     [spark.\"3.5.7\"]\nscala = \"2.12\"\n[[legacy.path]]\nfolder = \"docker/old\"\nreason = \"r\"\n\
                     instead = \"i\"\n[[legacy.path]]\nfiles = [\"docker/*/build.sh\"]\nreason = \"r\"\ninstead = \"i\"\n";
        let table = catalog::Source { path: "docker/versions.toml".into(), text: table.into() };
        Catalog::read(&table, &[]).unwrap().table.legacy
    }

    impl Checkout {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            for path in ["root/docker/old/a/one", "root/docker/old/b/two", "root/docker/x/build.sh", "outside/one"] {
                let path = folder.path().join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "text").unwrap();
            }
            let tree = Tree::open(&Utf8Path::from_path(folder.path()).unwrap().join("root")).unwrap();
            let search = tree.search(&legacy(), &BTreeSet::new()).unwrap();
            assert_eq!((search.found.len(), search.emptied.len()), (2, 2));
            Self { folder, tree, search }
        }

        fn path(&self, path: &str) -> PathBuf {
            self.folder.path().join(path)
        }

        /// Removes, after a change that nobody has seen. What is outside is there as before.
        fn after(&self, change: impl FnOnce(&Self)) -> Result<Removed> {
            change(self);
            let removed = remove(&self.tree, &self.search, &|| false);
            assert_eq!(fs::read_to_string(self.path("outside/one")).unwrap(), "text");
            removed
        }
    }

    #[test]
    fn what_was_found_goes_with_its_empty_folders() {
        let checkout = Checkout::new();
        assert_eq!(checkout.after(|_| {}).unwrap(), Removed { files: 3, complete: true });
        assert_eq!(fs::read_dir(checkout.path("root")).unwrap().count(), 0);
        // All of it is gone already.
        assert_eq!(checkout.after(|_| {}).unwrap(), Removed { files: 0, complete: true });
    }

    #[test]
    fn what_has_taken_its_place_is_left() {
        type Change = fn(&Checkout);
        let link: Change = |checkout| {
            fs::remove_dir_all(checkout.path("root/docker/old/a")).unwrap();
            symlink("../../../outside", checkout.path("root/docker/old/a")).unwrap();
        };
        let parent: Change = |checkout| {
            fs::rename(checkout.path("root/docker"), checkout.path("outside/docker")).unwrap();
            symlink("../outside/docker", checkout.path("root/docker")).unwrap();
        };
        let folder: Change = |checkout| {
            fs::rename(checkout.path("root/docker/old"), checkout.path("moved")).unwrap();
            fs::create_dir_all(checkout.path("root/docker/old/a")).unwrap();
            fs::write(checkout.path("root/docker/old/a/one"), "mine").unwrap();
        };
        let text: Change = |checkout| fs::write(checkout.path("root/docker/old/a/one"), "mine, and longer").unwrap();
        for (change, left) in [
            (link, "root/docker/old/a"),
            (parent, "outside/docker/old/a/one"),
            (folder, "root/docker/old/a/one"),
            (text, "root/docker/old/a/one"),
        ] {
            let checkout = Checkout::new();
            let error = checkout.after(change).unwrap_err();
            assert!(format!("{error:#}").contains("is not what was shown: it was left"), "{error:#}");
            assert!(checkout.path(left).symlink_metadata().is_ok(), "{left} is gone");
            assert!(checkout.path("root/docker/x/build.sh").exists(), "it went on");
        }
    }

    #[test]
    fn what_is_new_is_left() {
        let checkout = Checkout::new();
        let error = checkout.after(|checkout| fs::write(checkout.path("root/docker/old/b/new"), "mine").unwrap());
        let error = format!("{:#}", error.unwrap_err());
        assert!(error.starts_with("docker/old/b/new was not there when it was shown: it was left"), "{error}");
        assert!(checkout.path("root/docker/old/b/new").exists() && checkout.path("root/docker/old/b/two").exists());
        // In a folder that should be empty then, it stays with its folder.
        let checkout = Checkout::new();
        let removed = checkout.after(|checkout| fs::write(checkout.path("root/docker/x/new"), "mine").unwrap());
        assert!(removed.unwrap().complete && checkout.path("root/docker/x/new").exists());
    }

    #[test]
    fn stopped_after_any_number_of_steps_the_next_run_ends_the_same() {
        for steps in 0..8_u32 {
            let checkout = Checkout::new();
            let left = Cell::new(steps);
            let stop = || left.replace(left.get().saturating_sub(1)) == 0;
            let first = remove(&checkout.tree, &checkout.search, &stop).unwrap();
            let search = checkout.tree.search(&legacy(), &BTreeSet::new()).unwrap();
            let second = remove(&checkout.tree, &search, &|| false).unwrap();
            assert_eq!((first.files + second.files, second.complete), (3, true), "after {steps}");
            assert_eq!(fs::read_dir(checkout.path("root")).unwrap().count(), 0, "after {steps}");
        }
    }
}
