//! Writes a change so that it is there whole or not at all, whatever ends the run.
//!
//! The journal says which file becomes which of the draft; once it is there, the change is decided. An error while files
//! are written puts back what was there; a run that was killed is completed by the next one.

use std::{collections::BTreeMap, fs, io};

use anyhow::{Context as _, Result, bail};
use blob::Digest;
use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::{
    Change, Changes, Content, draft,
    draft::{content, is_absent},
};

#[derive(Serialize, Deserialize)]
struct Journal {
    /// The name of the change.
    what: String,
    files: BTreeMap<Utf8PathBuf, Step>,
}

/// Digests of what a file was and will be.
#[derive(Serialize, Deserialize)]
struct Step {
    before: Option<Digest>,
    after: Option<Digest>,
}

fn place(folder: &Utf8Path) -> Utf8PathBuf {
    folder.join("journal.json")
}

/// Whether a change was begun and not ended.
pub(super) fn is_open(folder: &Utf8Path) -> bool {
    place(folder).exists()
}

/// Writes down what is about to happen.
pub(super) fn write(folder: &Utf8Path, what: &str, changes: &Changes) -> Result<()> {
    let step = |change: &Change| Step { before: digest(&change.before), after: digest(&change.after) };
    let files = changes.0.iter().map(|(path, change)| (path.clone(), step(change))).collect();
    let journal = serde_json::to_vec(&Journal { what: what.to_owned(), files })?;
    blob::write(&place(folder), &journal).with_context(|| format!("writing {}", place(folder)))?;
    Ok(())
}

pub(super) fn apply(folder: &Utf8Path, root: &Utf8Path, what: &str, changes: &Changes) -> Result<()> {
    for (path, change) in &changes.0 {
        if content(&root.join(path))? != change.before {
            bail!("{path} was changed while the change was prepared; nothing was written\nrun the command again");
        }
    }
    write(folder, what, changes)?;
    let mut done = Vec::new();
    for (path, change) in &changes.0 {
        done.push((path, &change.before));
        if let Err(error) = put(root, path, &change.after) {
            let error = error.context(format!("writing {path}"));
            for (path, before) in done.into_iter().rev() {
                put(root, path, before).with_context(|| {
                    format!("putting {path} back after an error ({error:#})\nrun the command again: it writes the rest")
                })?;
            }
            close(folder)?;
            return Err(error.context("nothing was changed"));
        }
    }
    close(folder)
}

/// Completes a change that an earlier run began; its name.
pub(super) fn complete(folder: &Utf8Path, root: &Utf8Path) -> Result<Option<String>> {
    let place = place(folder);
    let bytes = match fs::read(&place) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("reading {place}")),
    };
    let journal: Journal = serde_json::from_slice(&bytes).with_context(|| format!("reading {place}"))?;
    let Journal { what, files } = journal;
    let mut open = Vec::new();
    for (path, step) in &files {
        let found = digest(&content(&root.join(path))?);
        let after = content(&folder.join("tree").join(path))?;
        if found == step.after {
            continue;
        }
        if found != step.before || digest(&after) != step.after {
            bail!(
                "an earlier `{what}` was cut off while it wrote, and {path} was changed since\n\
                 put it back as it was, or give up the rest of that change: rm -r {folder}"
            );
        }
        open.push((path, after));
    }
    for (path, after) in open {
        put(root, path, &after).with_context(|| format!("completing an earlier `{what}`: writing {path}"))?;
    }
    close(folder)?;
    Ok(Some(what))
}

fn close(folder: &Utf8Path) -> Result<()> {
    fs::remove_file(place(folder)).with_context(|| format!("removing {}", place(folder)))
}

/// The digest of a file, its executable bit included.
fn digest(content: &Option<Content>) -> Option<Digest> {
    let content = content.as_ref()?;
    let mut bytes = vec![u8::from(content.executable)];
    bytes.extend(&content.bytes);
    Some(Digest::of(&bytes))
}

/// Makes a file what it shall be. Folders come and go with the files in them.
fn put(root: &Utf8Path, path: &Utf8Path, wanted: &Option<Content>) -> Result<()> {
    let full = root.join(path);
    let Some(content) = wanted else {
        match fs::remove_file(&full) {
            Err(error) if !is_absent(&error) => return Err(error.into()),
            _ => {}
        }
        // Ends at the first folder that holds anything else.
        for folder in path.ancestors().skip(1).filter(|folder| !folder.as_str().is_empty()) {
            if fs::remove_dir(root.join(folder)).is_err() {
                break;
            }
        }
        return Ok(());
    };
    draft::write(&full, content)
}
