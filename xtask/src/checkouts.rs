//! Which checkouts use a store. Each notes itself there, so that what one of them needs is no garbage to another.

use std::fs;

use anyhow::{Context as _, Result};
use blob::Digest;
use camino::Utf8PathBuf;
use checkout::Checkout;
use serde::{Deserialize, Serialize};
use store::Store;

/// The folder of the store that holds a file for each.
pub(crate) const CHECKOUTS: &str = "checkouts";

/// A checkout, as it was when it used the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Noted {
    /// Its folder.
    pub(crate) root: Utf8PathBuf,
    /// The folders of `--images`.
    pub(crate) images: Vec<Utf8PathBuf>,
    /// Where its images lie.
    pub(crate) layout: Utf8PathBuf,
}

impl Noted {
    /// How a checkout is noted.
    pub(crate) fn of(checkout: &Checkout) -> Self {
        Self {
            root: checkout.root.clone(),
            images: checkout.outside().map(ToOwned::to_owned).collect(),
            layout: checkout.layout(),
        }
    }

    /// The name of its file.
    fn file_name(&self) -> Result<String> {
        Ok(format!("{}.json", Digest::of(&serde_json::to_vec(self)?).hex()))
    }

    /// Whether it is still there.
    pub(crate) fn is_there(&self) -> bool {
        self.root.join("docker/versions.toml").is_file()
    }
}

/// Notes that this checkout uses the store. A store that cannot be written to is cleaned up by nobody who could not read
/// this either.
///
/// # Errors
/// It cannot be written.
pub(crate) fn note(checkout: &Checkout, store: &Store) -> Result<()> {
    if store.is_read_only() {
        return Ok(());
    }
    let noted = Noted::of(checkout);
    let path = store.root().join(CHECKOUTS).join(noted.file_name()?);
    if !path.exists() {
        blob::write(&path, &serde_json::to_vec(&noted)?).with_context(|| format!("writing {path}"))?;
    }
    Ok(())
}

/// All that are noted, each with its file.
///
/// # Errors
/// A file cannot be read: then it is not known what is needed.
pub(crate) fn noted(store: &Store) -> Result<Vec<(Utf8PathBuf, Noted)>> {
    let folder = store.root().join(CHECKOUTS);
    let Ok(entries) = folder.read_dir_utf8() else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("reading {folder}"))?.into_path();
        if path.extension() != Some("json") {
            continue;
        }
        let again = || format!("reading {path}\nto forget that checkout until it is used again: rm {path}");
        let noted = serde_json::from_slice(&fs::read(&path).with_context(again)?).with_context(again)?;
        all.push((path, noted));
    }
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(all)
}
