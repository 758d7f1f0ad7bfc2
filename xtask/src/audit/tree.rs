//! The files of a tree that makes images, read for an audit. No link is followed.

use std::{
    fs::{self, File},
    io::{Read as _, Seek as _},
};

use anyhow::{Context as _, Result, bail};
use audit::{
    Exceptions, Finding,
    tree::{self, Content, TreeExpect},
};
use camino::Utf8Path;
use catalog::Catalog;

use super::images::spark_of;
use crate::{interrupt, workspace::Workspace};

/// Folders that hold nothing that somebody wrote.
const SKIPPED: [&str; 5] = [".git", "target", "node_modules", ".venv", "__pycache__"];

/// Judges the tree in the folder `root` by the table of the checkout.
///
/// # Errors
/// It is no folder, or something in it cannot be read.
pub(crate) fn judge(
    workspace: &Workspace,
    catalog: &Catalog,
    root: &Utf8Path,
    exceptions: &Exceptions,
) -> Result<Vec<Finding>> {
    if !root.is_dir() {
        bail!("--root {root} is no folder");
    }
    let mut files = Vec::new();
    read(root, root, &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let lock = workspace.lock()?;
    let legacy = catalog.table.legacy.images.iter();
    let expect = TreeExpect {
        sparks: catalog.table.sparks.values().filter_map(|spark| spark_of(catalog, spark)).collect(),
        known: lock.artifacts.values().map(|artifact| artifact.sha256).collect(),
        tags: legacy.flat_map(|image| image.names.iter().map(|name| (name.clone(), image.reason.clone()))).collect(),
    };
    Ok(tree::judge(&files, &expect, exceptions))
}

fn read(root: &Utf8Path, folder: &Utf8Path, files: &mut Vec<tree::File>) -> Result<()> {
    let reading = || format!("reading {folder}");
    for entry in fs::read_dir(folder).with_context(reading)? {
        if interrupt::is_set() {
            bail!("interrupted");
        }
        let entry = entry.with_context(reading)?;
        let kind = entry.file_type().with_context(reading)?;
        // A name that is not UTF-8 is nobody's Dockerfile.
        let Some(path) = Utf8Path::from_path(&entry.path()).map(Utf8Path::to_owned) else { continue };
        if kind.is_dir() {
            if !SKIPPED.contains(&path.file_name().unwrap_or_default()) {
                read(root, &path, files)?;
            }
        } else if kind.is_file() {
            let content = content(&path).with_context(|| format!("reading {path}"))?;
            let path = path.strip_prefix(root)?.to_string();
            files.extend(content.map(|content| tree::File { path, content }));
        }
    }
    Ok(())
}

/// What a file holds, if rules look at it.
fn content(path: &Utf8Path) -> Result<Option<Content>> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    if path.extension() == Some("jar") {
        let (digest, _) = blob::hash_reader(&mut file)?;
        file.rewind()?;
        return Ok(Some(Content::Jar(digest, Box::new(tree::read_jar(file, size)))));
    }
    if size > tree::MAX_TEXT {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.take(tree::MAX_TEXT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8(bytes).ok().map(Content::Text))
}
