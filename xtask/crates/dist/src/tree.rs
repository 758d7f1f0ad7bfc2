//! The files of a folder, in the order of their paths.

use std::{fs, os::unix::fs::PermissionsExt};

use camino::{Utf8Path, Utf8PathBuf};

use crate::Error;

/// What lies at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    File {
        /// In bytes.
        size: u64,
        executable: bool,
    },
    Folder,
    Link {
        target: Utf8PathBuf,
    },
    Other,
}

/// Something below a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Relative to the folder.
    pub(crate) path: Utf8PathBuf,
    pub(crate) kind: Kind,
}

/// Everything below `folder`, sorted by path. Links are not followed.
pub(crate) fn read(folder: &Utf8Path) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::new();
    let mut folders = vec![Utf8PathBuf::new()];
    while let Some(below) = folders.pop() {
        let here = folder.join(&below);
        for entry in fs::read_dir(&here).map_err(Error::reading(&here))? {
            let entry = entry.map_err(Error::reading(&here))?;
            let name = entry
                .file_name()
                .into_string()
                .map_err(|name| Error::Name { folder: here.clone(), name: name.to_string_lossy().into_owned() })?;
            let path = below.join(name);
            let kind = kind(&folder.join(&path))?;
            if kind == Kind::Folder {
                folders.push(path.clone());
            }
            entries.push(Entry { path, kind });
        }
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

fn kind(path: &Utf8Path) -> Result<Kind, Error> {
    let metadata = path.symlink_metadata().map_err(Error::reading(path))?;
    if metadata.is_symlink() {
        let target = path.read_link_utf8().map_err(Error::reading(path))?;
        return Ok(Kind::Link { target });
    }
    Ok(if metadata.is_dir() {
        Kind::Folder
    } else if metadata.is_file() {
        Kind::File { size: metadata.len(), executable: metadata.permissions().mode() & 0o111 == 0o111 }
    } else {
        Kind::Other
    })
}

/// The jars among them: relative path and size.
pub(crate) fn jars(entries: &[Entry]) -> Vec<(&Utf8Path, u64)> {
    entries
        .iter()
        .filter_map(|entry| match entry.kind {
            Kind::File { size, .. } if entry.path.extension() == Some("jar") => Some((entry.path.as_path(), size)),
            _ => None,
        })
        .collect()
}
