//! A copy of what counts of a tree, for a build to write into.

use std::{
    fs,
    io::Write as _,
    sync::atomic::{AtomicBool, Ordering},
};

use blob::{Digest, Hasher};
use camino::Utf8Path;

use crate::{
    Error, Identity,
    folder::Pending,
    identity::{self, Entry, Kind, Stat},
    links, listing,
};

const DOING: &str = "copying";

pub(crate) fn copy(
    root: &Utf8Path,
    dest: &Utf8Path,
    cancel: &AtomicBool,
    progress: &dyn Fn(u64),
) -> Result<Identity, Error> {
    let files = listing::list(root)?.files;
    let mut copy = Copy { root, pending: Pending::new(dest)?, cancel, progress, buffer: vec![0; 256 * 1024] };
    let mut entries = Vec::with_capacity(files.len());
    for path in files {
        entries.push(copy.entry(path)?);
    }
    copy.pending.commit()?;
    Ok(Identity::of(&entries))
}

struct Copy<'a> {
    root: &'a Utf8Path,
    pending: Pending,
    cancel: &'a AtomicBool,
    progress: &'a dyn Fn(u64),
    buffer: Vec<u8>,
}

impl Copy<'_> {
    fn entry(&mut self, below: String) -> Result<Entry, Error> {
        let path = self.root.join(&below);
        let metadata = fs::symlink_metadata(&path).map_err(Error::io(DOING, &path))?;
        let stat = Stat::of(&metadata);
        let digest = match stat.kind {
            Kind::Link => self.link(&below, &path)?,
            Kind::File | Kind::Executable => self.file(&below, &path, &metadata)?,
            // It was a file a moment ago.
            Kind::Absent | Kind::Folder | Kind::Special => return Err(Error::Changed { path }),
        };
        Ok(Entry { path: below, stat, digest })
    }

    fn link(&mut self, below: &str, path: &Utf8Path) -> Result<Digest, Error> {
        let target = path.read_link_utf8().map_err(Error::io(DOING, path))?;
        if !links::stays_inside(below, target.as_str()) {
            return Err(Error::Link { path: path.to_owned(), target: target.into() });
        }
        self.pending.link(below, target.as_str());
        Ok(Digest::of(target.as_str().as_bytes()))
    }

    fn file(&mut self, below: &str, path: &Utf8Path, metadata: &fs::Metadata) -> Result<Digest, Error> {
        let executable = Stat::of(metadata).kind == Kind::Executable;
        let mut file = self.pending.file(below, executable).map_err(Error::io(DOING, path))?;
        let mut hasher = Hasher::new();
        let (cancel, progress) = (self.cancel, self.progress);
        let unchanged = identity::read_file(path, metadata, &mut self.buffer, |bytes| {
            if cancel.load(Ordering::Relaxed) {
                return Err(Error::Cancelled { doing: DOING, path: path.to_owned() });
            }
            hasher.update(bytes);
            file.write_all(bytes).map_err(Error::io(DOING, path))?;
            progress(bytes.len() as u64);
            Ok(())
        })?;
        let (digest, size) = hasher.finish();
        if !unchanged || size != metadata.len() {
            return Err(Error::Changed { path: path.to_owned() });
        }
        Ok(digest)
    }
}
