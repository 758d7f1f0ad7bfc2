//! What lies in a jar, by its directory alone.

use std::{
    cell::Cell,
    fs::File,
    io::{self, BufReader, Read, Seek},
};

use anyhow::{Context as _, Result};
use catalog::{Artifact, Maven};
use python::range::RangeReader;
use zip::{ZipArchive, result::ZipResult};

use crate::machine::Machine;

/// The names of all that lies in a jar; nothing where no registry has it, or gives parts of it. Of a jar that the store does
/// not have only the directory is fetched.
///
/// # Errors
/// A registry does not answer; what it has is no jar.
pub(crate) fn names(machine: &Machine, maven: &Maven, locked: Option<&Artifact>) -> Result<Option<Vec<String>>> {
    let looking = || format!("looking into {maven}\nto go on without the registries: --offline");
    if let Some(path) = locked.and_then(|locked| machine.store.get(&locked.sha256, Some(locked.size))) {
        let jar = BufReader::new(File::open(&path).with_context(looking)?);
        return directory(jar).map(Some).with_context(looking);
    }
    for place in machine.maven(maven) {
        let Some(size) = machine.http.head(&place).with_context(looking)?.and_then(|head| head.size) else {
            continue;
        };
        let whole = Cell::new(false);
        let get = |range| {
            let part = machine.http.get_range(&place, range).map_err(io::Error::other)?;
            whole.set(part.is_none());
            part.ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))
        };
        let names = directory(RangeReader::new(size, get));
        if !whole.get() {
            return names.map(Some).with_context(looking);
        }
    }
    Ok(None)
}

fn directory(jar: impl Read + Seek) -> ZipResult<Vec<String>> {
    Ok(ZipArchive::new(jar)?.file_names().map(str::to_owned).collect())
}
