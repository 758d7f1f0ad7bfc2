//! Folders of the checkout as they enter a context: files with one of two modes, links, nothing else.

use std::{
    fs,
    os::unix::fs::{FileTypeExt as _, PermissionsExt as _},
};

use anyhow::{Context as _, Result, bail};
use blob::Digest;
use camino::{Utf8Path, Utf8PathBuf};

use crate::Checkout;

/// A file or link in a folder.
#[derive(Debug)]
pub struct FolderFile {
    /// Path below the folder.
    pub relative: String,
    path: Utf8PathBuf,
}

/// What a [`FolderFile`] holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// A link, which is not followed.
    Link(String),
    /// A file. Git keeps one bit of a mode, whether a file is executable, and so do we.
    File {
        /// Whether it is executable.
        executable: bool,
        /// Its bytes.
        bytes: Vec<u8>,
    },
}

/// The files and links below a folder of the checkout, sorted. A folder without any is empty to git as well and does not
/// count.
///
/// # Errors
/// There is no such folder, it cannot be read, or it holds something that is neither file, link nor folder.
pub fn folder_files(checkout: &Checkout, folder: &str) -> Result<Vec<FolderFile>> {
    let root = checkout.path(folder);
    if !root.is_dir() {
        bail!("{folder} is no folder, and an image file names it");
    }
    let mut files = Vec::new();
    walk(&root, &root, &mut files)?;
    files.sort_by(|a, b| a.relative.cmp(&b.relative));
    Ok(files)
}

fn walk(root: &Utf8Path, folder: &Utf8Path, files: &mut Vec<FolderFile>) -> Result<()> {
    for entry in folder.read_dir_utf8().with_context(|| format!("reading {folder}"))? {
        let entry = entry.with_context(|| format!("reading {folder}"))?;
        let kind = entry.file_type().with_context(|| format!("reading {}", entry.path()))?;
        if kind.is_dir() {
            walk(root, entry.path(), files)?;
        } else if kind.is_fifo() || kind.is_socket() || kind.is_block_device() || kind.is_char_device() {
            bail!("{} is neither a file nor a link", entry.path());
        } else {
            let relative = entry.path().strip_prefix(root)?.to_string();
            files.push(FolderFile { relative, path: entry.path().to_owned() });
        }
    }
    Ok(())
}

impl FolderFile {
    /// What it holds.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self) -> Result<Held> {
        let doing = || format!("reading {}", self.path);
        let meta = fs::symlink_metadata(&self.path).with_context(doing)?;
        if meta.is_symlink() {
            return Ok(Held::Link(self.path.read_link_utf8().with_context(doing)?.into_string()));
        }
        let executable = meta.permissions().mode() & 0o100 != 0;
        Ok(Held::File { executable, bytes: fs::read(&self.path).with_context(doing)? })
    }

    /// What identifies it.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn identity(&self) -> Result<String> {
        Ok(match self.read()? {
            Held::Link(target) => format!("-> {target}"),
            Held::File { executable: true, bytes } => format!("{} executable", Digest::of(&bytes)),
            Held::File { executable: false, bytes } => Digest::of(&bytes).to_string(),
        })
    }
}
