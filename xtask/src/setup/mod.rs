//! The user's own file of registries: what is to stand there, how it is written, and what the machine makes of it.

pub(crate) mod ask;
mod file;
mod netrc;
mod preview;
mod wish;

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
};

use anyhow::{Context as _, Result};
use camino::{Utf8Path, Utf8PathBuf};

pub(crate) use preview::Preview;
pub(crate) use wish::Wish;

/// A file, and what it is to hold.
pub(crate) struct Change {
    /// Where it lies; a symbolic link was followed.
    pub(crate) path: Utf8PathBuf,
    /// What stands there now.
    pub(crate) old: String,
    pub(crate) new: String,
    mode: u32,
}

/// What is to be written.
pub(crate) struct Changes {
    pub(crate) registries: Change,
    /// The file of credentials, if an address had some.
    pub(crate) netrc: Option<Change>,
}

/// For the user alone.
const PRIVATE: u32 = 0o600;
/// For whoever may look.
const PUBLIC: u32 = 0o644;

impl Changes {
    /// What a wish makes of the files of this machine's user.
    ///
    /// # Errors
    /// One of the files cannot be read or understood, or holds other credentials for a host.
    pub(crate) fn of(machine: &registries::Machine, wish: &Wish) -> Result<Self> {
        let path = machine.user_registries().context("there is no home folder: set HOME, or XDG_CONFIG_HOME")?;
        let path = followed(path);
        let old = read(&path)?;
        let new = file::edit(&old, wish).with_context(|| format!("editing {path}"))?;
        let mode = mode_of(&path).unwrap_or(PUBLIC);
        // An address that was there before may hold a password.
        let mode = if new.lines().any(has_credentials) { PRIVATE } else { mode };
        let registries = Change { path, old, new, mode };
        let netrc = match wish.logins.is_empty() {
            true => None,
            false => {
                let path = followed(machine.netrc().context("there is no home folder for .netrc: set HOME, or NETRC")?);
                let old = read(&path)?;
                let new = netrc::add(&old, &wish.logins).with_context(|| format!("editing {path}"))?;
                Some(Change { path, old, new, mode: PRIVATE })
            }
        };
        Ok(Self { registries, netrc })
    }
}

impl Change {
    /// Whether anything would be another.
    pub(crate) fn is_one(&self) -> bool {
        self.old != self.new || mode_of(&self.path).is_some_and(|mode| mode != self.mode)
    }

    /// Writes the file.
    ///
    /// # Errors
    /// It cannot be written; the old one is then still there.
    pub(crate) fn write(&self) -> Result<()> {
        let folder = self.path.parent().unwrap_or(Utf8Path::new("."));
        let write = || {
            fs::create_dir_all(folder)?;
            let mut pending = blob::Pending::new_in(folder)?;
            pending.write_all(self.new.as_bytes())?;
            pending.commit(&self.path, self.mode)
        };
        write().with_context(|| format!("writing {}", self.path))?;
        Ok(())
    }
}

/// Where a file really lies: dotfiles are often links into a repository.
fn followed(path: Utf8PathBuf) -> Utf8PathBuf {
    path.canonicalize_utf8().unwrap_or(path)
}

fn read(path: &Utf8Path) -> Result<String> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error).with_context(|| format!("reading {path}")),
    }
}

fn mode_of(path: &Utf8Path) -> Option<u32> {
    fs::metadata(path).ok().map(|meta| meta.permissions().mode() & 0o777)
}

/// Whether a line has an address with something before its host.
fn has_credentials(line: &str) -> bool {
    line.split("://").skip(1).any(|rest| {
        let end = rest.find(['/', '"', '\'', '?', '#']).unwrap_or(rest.len());
        rest[..end].contains('@')
    })
}
