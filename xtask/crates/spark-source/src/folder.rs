//! A folder that appears whole or not at all, and in which every file, folder and link is made by this module.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink},
};

use camino::{Utf8Path, Utf8PathBuf};
use tempfile::TempDir;

use crate::Error;

/// A folder that is being filled and has no final name yet. Dropped, it is gone. It holds no link until the end, so no
/// file is ever written through one.
pub(crate) struct Pending {
    temporary: TempDir,
    root: Utf8PathBuf,
    dest: Utf8PathBuf,
    folders: BTreeSet<String>,
    links: Vec<(String, String)>,
}

impl Pending {
    /// Starts the folder `dest`, beside which it lies until it is whole.
    pub(crate) fn new(dest: &Utf8Path) -> Result<Self, Error> {
        if fs::symlink_metadata(dest).is_ok() {
            return Err(Error::Exists(dest.to_owned()));
        }
        let parent = dest.parent().filter(|parent| !parent.as_str().is_empty()).unwrap_or(Utf8Path::new("."));
        fs::create_dir_all(parent).map_err(Error::io("making", parent))?;
        let made = tempfile::Builder::new().prefix(".pending-").tempdir_in(parent);
        let temporary = made.map_err(Error::io("making a folder in", parent))?;
        let root = Utf8PathBuf::try_from(temporary.path().to_owned())
            .map_err(|error| Error::Name(error.into_path_buf().display().to_string()))?;
        Ok(Self { temporary, root, dest: dest.to_owned(), folders: BTreeSet::new(), links: Vec::new() })
    }

    /// Makes a folder and those above it. `path` has been checked by the caller: it is below the root.
    pub(crate) fn folder(&mut self, path: &str) -> io::Result<()> {
        if path.is_empty() || self.folders.contains(path) {
            return Ok(());
        }
        self.folder(path.rsplit_once('/').map_or("", |(above, _)| above))?;
        fs::create_dir(self.root.join(path))?;
        fs::set_permissions(self.root.join(path), Permissions::from_mode(0o755))?;
        self.folders.insert(path.to_owned());
        Ok(())
    }

    /// Makes an empty file, and the folders above it. The umask does not count.
    pub(crate) fn file(&mut self, path: &str, executable: bool) -> io::Result<File> {
        self.folder(path.rsplit_once('/').map_or("", |(above, _)| above))?;
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.root.join(path))?;
        file.set_permissions(Permissions::from_mode(if executable { 0o755 } else { 0o644 }))?;
        Ok(file)
    }

    /// Remembers a link, which is made at the end.
    pub(crate) fn link(&mut self, path: &str, target: &str) {
        self.links.push((path.to_owned(), target.to_owned()));
    }

    /// As [`Pending::commit`], with all of it on disk before it gets a name that outlives a crash of the machine.
    pub(crate) fn commit_synced(mut self) -> Result<(), Error> {
        self.make_links()?;
        // One sync for thousands of files.
        let sync = || rustix::fs::syncfs(File::open(&self.root)?).map_err(io::Error::from);
        sync().map_err(Error::io("syncing", &self.root))?;
        self.commit()
    }

    /// Makes the links and gives the folder its final name.
    pub(crate) fn commit(mut self) -> Result<(), Error> {
        self.make_links()?;
        let root = &self.root;
        fs::set_permissions(root, Permissions::from_mode(0o755)).map_err(Error::io("making", root))?;
        // An empty folder would be replaced: another process may have made one since.
        fs::rename(root, &self.dest).map_err(Error::io("making", &self.dest))?;
        // Its name is gone, so there is nothing to remove.
        let _ = self.temporary.keep();
        Ok(())
    }

    fn make_links(&mut self) -> Result<(), Error> {
        for (path, target) in std::mem::take(&mut self.links) {
            let at = self.root.join(&path);
            self.folder(path.rsplit_once('/').map_or("", |(above, _)| above)).map_err(Error::io("making", &at))?;
            symlink(target, &at).map_err(Error::io("making", &at))?;
        }
        Ok(())
    }
}
