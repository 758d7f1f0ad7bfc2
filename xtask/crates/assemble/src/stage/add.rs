//! ADD: tar archives are unpacked, with their owners, modes, links and attributes.
//!
//! The rules are those of `moby/go-archive`: what is there is replaced, except that a folder is merged with a folder.

use std::sync::Arc;

use super::{Refused, copy::Copying, owner::Owner};
use crate::{
    archive::Archive,
    error::Error,
    layer::{
        entry::{Entry, Kind},
        tree::{AtRoot, Body, Node},
    },
    layout::Layout,
    path::{join, name, parent},
};

impl Copying<'_, '_> {
    /// Unpacks what lies at `path`, if it is an archive, and says whether it was.
    pub(super) fn unpack(&mut self, layout: &Layout, path: &str) -> Result<bool, Refused> {
        let Some(Body::File(file)) = self.from.get(path).map(|node| &node.body) else { return Ok(false) };
        let words = |error: Error| match std::error::Error::source(&error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        };
        let Some(archive) = Archive::detect(layout, path, &file.content, file.promise()).map_err(words)? else {
            return Ok(false);
        };
        let archive = Arc::new(archive);
        let entries = archive.entries().map_err(words)?;
        let root = self.follow(self.target)?;
        self.edit.make_dirs(&root, self.owner, 0o755)?;
        // Files lie beside each other in archives: their folder is looked up once, until a link may have changed the way.
        let mut last = None;
        for entry in entries {
            let folder = parent(&entry.path);
            let real = match last.take() {
                Some((known, real)) if known == folder => real,
                _ => self.folder(&join(&root, folder))?,
            };
            if matches!(entry.kind, Kind::File { .. }) {
                last = Some((folder.to_owned(), real.clone()));
            }
            self.unpack_entry(&archive, &root, &real, entry)?;
        }
        Ok(true)
    }

    /// The folder of an archive's entry, made if it is missing.
    fn folder(&mut self, path: &str) -> Result<String, Refused> {
        let folder = self.follow(path)?;
        self.edit.make_dirs(&folder, Some(Owner::default()), 0o755)?;
        Ok(folder)
    }

    fn unpack_entry(&mut self, archive: &Arc<Archive>, root: &str, folder: &str, entry: Entry) -> Result<(), Refused> {
        if entry.path.is_empty() {
            return Ok(());
        }
        let path = join(folder, name(&entry.path));
        let Owner { uid, gid } = self.owner.unwrap_or(Owner { uid: entry.uid, gid: entry.gid });
        // Nothing in an image is newer than its epoch.
        let mtime = entry.mtime.clamp(0, self.edit.epoch.max(0));
        let body = match Body::of(entry.kind, archive) {
            Ok(body) => body,
            Err(target) => {
                let full = join(&self.follow(&join(root, parent(&target)))?, name(&target));
                let node = self.edit.tree.node(&full).filter(|node| !node.is_dir()).cloned();
                let node = node.ok_or_else(|| format!("`{path}` is a hard link to `{target}`, which is not there"))?;
                // What the entry of the link says holds for the file, under all of its names.
                let mode = if matches!(node.body, Body::Symlink { .. }) { node.mode } else { entry.mode };
                if (node.mode, node.uid, node.gid, node.mtime) == (mode, uid, gid, mtime) {
                    return self.edit.put(&path, node);
                }
                let changed = Arc::new(Node { mode, uid, gid, mtime, ..Node::clone(&node) });
                self.edit.put(&path, changed.clone())?;
                return self.edit.replace(&full, &node, &changed);
            }
        };
        let mode = if matches!(body, Body::Symlink { .. }) { 0o777 } else { entry.mode };
        let node = Node { body, mode, uid, gid, mtime, xattrs: entry.xattrs };
        self.edit.put(&path, Arc::new(node))
    }

    fn follow(&self, path: &str) -> Result<String, Refused> {
        let circle = |_| format!("`{path}` cannot be followed: its links lead in a circle");
        self.edit.tree.resolve(path, true, AtRoot::Stay).map_err(circle)
    }
}
