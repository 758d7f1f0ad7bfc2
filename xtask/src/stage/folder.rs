//! Folders of this repository, as they enter a context: files with one of two modes, links, nothing else.

use std::{
    fs,
    os::unix::fs::{FileTypeExt as _, PermissionsExt as _},
    sync::Arc,
};

use anyhow::{Context as _, Result, bail};
use assemble::context::Entry;
use blob::Digest;
use camino::{Utf8Path, Utf8PathBuf};

use crate::workspace::Workspace;

/// A file or link in a folder.
pub(crate) struct FolderFile {
    /// Path below the folder.
    pub(crate) relative: String,
    path: Utf8PathBuf,
}

/// The files and links below a folder, sorted. A folder without any is empty to git as well and does not count.
pub(crate) fn files(workspace: &Workspace, folder: &str) -> Result<Vec<FolderFile>> {
    let root = workspace.path(folder);
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
    /// The context's entry. Git keeps one bit of a mode, whether a file is executable, and so do we.
    pub(crate) fn entry(&self) -> Result<Entry> {
        let meta = fs::symlink_metadata(&self.path).with_context(|| format!("reading {}", self.path))?;
        if meta.is_symlink() {
            let target = self.path.read_link_utf8().with_context(|| format!("reading {}", self.path))?;
            return Ok(Entry::Symlink { target: target.into_string() });
        }
        let bytes: Arc<[u8]> = fs::read(&self.path).with_context(|| format!("reading {}", self.path))?.into();
        Ok(Entry::bytes(meta.permissions().mode() & 0o100 != 0, bytes))
    }

    /// What identifies the entry.
    pub(crate) fn identity(&self) -> Result<String> {
        Ok(match self.entry()? {
            Entry::Symlink { target } => format!("-> {target}"),
            Entry::File(file) if file.executable => format!("{} executable", file.digest),
            Entry::File(file) => file.digest.to_string(),
            Entry::Dir => Digest::of(&[]).to_string(),
        })
    }
}
