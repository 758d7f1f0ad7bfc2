//! COPY: from one tree into another, with BuildKit's rules for what ends up where.
//!
//! The rules are those of `solver/llbsolver/file` and `tonistiigi/fsutil/copy`: a folder's contents are copied, not the
//! folder; folders that exist keep what they are, unless they lie inside of what is copied; missing folders are made;
//! links in the way are followed, links in what is copied are copied. Two things that BuildKit lets pass are errors, since
//! files would be missing silently: a pattern that fits nothing, and several files that would replace each other.

use std::{collections::HashMap, sync::Arc};

use blob::Digest;

use super::{Refused, edit::Edit, owner::Owner};
use crate::{
    glob::Glob,
    layer::tree::{AtRoot, Body, FileBody, Node, Tree, Unresolved},
    layout::Layout,
    path::{self, join, parent, relative},
    source::{Content, Source},
};

/// One COPY or ADD that is being run.
pub(super) struct Copying<'c, 't> {
    pub(super) from: &'c Tree,
    pub(super) at_root: AtRoot,
    pub(super) edit: &'c mut Edit<'t>,
    pub(super) owner: Option<Owner>,
    pub(super) mode: Option<u32>,
    /// Absolute; a slash at its end means a folder.
    pub(super) target: &'c str,
    /// Whether a file was copied to the target itself, rather than into it.
    pub(super) renamed: bool,
}

impl Copying<'_, '_> {
    /// Copies what a source or a pattern names. With `archives` tar archives are unpacked instead.
    pub(super) fn source(&mut self, source: &str, archives: Option<&Layout>) -> Result<(), Refused> {
        if source.contains("://") {
            return Err(format!("`{source}` is remote; put it into the context and COPY it"));
        }
        let clean = relative(source).map_err(|_| match self.at_root {
            AtRoot::Refuse => format!("`{source}` leaves the context; put what it names into the context"),
            AtRoot::Stay => format!("`{source}` leads above the root"),
        })?;
        let sources = if clean.contains(['*', '?', '[', '\\']) { self.expand(source, &clean)? } else { vec![clean] };
        for path in sources {
            let real = self.resolve(&path)?;
            if !self.from.is_dir(&real) && self.from.get(&real).is_none() {
                let reason = self.missing(source);
                let dangles = real != path || self.from.get(&path).is_some();
                return Err(if dangles { format!("{reason}: `{path}` is a link to `/{real}`") } else { reason });
            }
            let unpacked = match archives {
                Some(layout) => self.unpack(layout, &real)?,
                None => false,
            };
            if !unpacked {
                self.copy(&path, &real)?;
            }
        }
        Ok(())
    }

    /// Copies a file that is written out in the Dockerfile.
    pub(super) fn heredoc(&mut self, name: &str, content: &str) -> Result<(), Refused> {
        let (size, digest) = (content.len() as u64, Digest::of(content.as_bytes()));
        let content = Content::Source(Source::Bytes(content.as_bytes().into()));
        let body = Body::File(FileBody { size, digest, content });
        self.file(name, &Arc::new(Node { body, mode: 0o644, ..Node::dir(self.edit.epoch) }))
    }

    fn copy(&mut self, path: &str, real: &str) -> Result<(), Refused> {
        if !self.from.is_dir(real) {
            let node = self.from.node(real).cloned().ok_or_else(|| self.missing(path))?;
            return self.file(path, &node);
        }
        let target = self.prepare()?;
        if !self.edit.tree.is_dir(&target) {
            self.edit.make_dirs(&target, self.owner, self.mode.unwrap_or(0o755))?;
        }
        let skip = if real.is_empty() { 0 } else { real.len() + 1 };
        let mut names: HashMap<*const Node, Arc<Node>> = HashMap::new();
        for (path, node) in self.from.below(real) {
            let to = join(&target, &path[skip..]);
            match self.edit.tree.get(&to) {
                Some(there) if node.is_dir() && !there.is_dir() => {
                    return Err(format!("the folder `{path}` cannot be copied to `/{to}`, which is no folder"));
                }
                Some(there) if !node.is_dir() && there.is_dir() => {
                    return Err(format!("`{path}` cannot replace the folder `/{to}`"));
                }
                _ => {}
            }
            // Files with several names keep them, as long as they are copied together.
            let copied = names.entry(Arc::as_ptr(node)).or_insert_with(|| self.changed(node)).clone();
            self.edit.put(&to, copied)?;
        }
        Ok(())
    }

    /// Copies one file, whose last name is that of `path`.
    fn file(&mut self, path: &str, node: &Arc<Node>) -> Result<(), Refused> {
        let mut target = self.prepare()?;
        if self.edit.tree.is_dir(&target) {
            target = join(&target, path::name(path));
        } else if std::mem::replace(&mut self.renamed, true) {
            // BuildKit lets the last file win.
            return Err(format!(
                "several files cannot all become `{}`; write `{}/` for a folder",
                self.target, self.target
            ));
        }
        if self.edit.tree.is_dir(&target) {
            return Err(format!("the file `{path}` cannot replace the folder `/{target}`"));
        }
        self.edit.make_dirs(parent(&target), self.owner, self.mode.unwrap_or(0o755))?;
        let copied = self.changed(node);
        self.edit.put(&target, copied)
    }

    /// Makes the folders that the target needs, and says where it is.
    fn prepare(&mut self) -> Result<String, Refused> {
        let folder = match self.target.rsplit_once('/') {
            Some((folder, name)) if !matches!(name, "" | ".") => folder,
            _ => self.target,
        };
        let follow = |tree: &Tree, path| tree.resolve(path, true, AtRoot::Stay).map_err(|_| self.circle(path));
        let folder = follow(self.edit.tree, folder)?;
        let target = self.target;
        self.edit.make_dirs(&folder, self.owner, self.mode.unwrap_or(0o755))?;
        self.edit.tree.resolve(target, true, AtRoot::Stay).map_err(|_| self.circle(target))
    }

    /// The node with the owner and mode that the instruction gives.
    fn changed(&self, node: &Node) -> Arc<Node> {
        let mut node = node.clone();
        if let Some(Owner { uid, gid }) = self.owner {
            (node.uid, node.gid) = (uid, gid);
        }
        if let (Some(mode), false) = (self.mode, matches!(node.body, Body::Symlink { .. })) {
            node.mode = mode;
        }
        Arc::new(node)
    }

    /// What a pattern fits, sorted. All of it lies equally deep, since no wildcard fits a slash.
    fn expand(&self, source: &str, pattern: &str) -> Result<Vec<String>, Refused> {
        // Links are followed in the part before the first wildcard only.
        let parts: Vec<&str> = pattern.split('/').collect();
        let plain = parts.iter().take_while(|part| !part.contains(['*', '?', '[', '\\'])).count();
        let base = self.resolve(&parts[..plain].join("/"))?;
        let glob = Glob::copy(&parts[plain..].join("/"))?;
        let skip = if base.is_empty() { 0 } else { base.len() + 1 };
        let fits = |(path, _): (&String, _)| glob.matches(&path[skip..]).then(|| path.clone());
        let found: Vec<String> = self.from.below(&base).filter_map(fits).collect();
        if found.is_empty() { Err(self.missing(source)) } else { Ok(found) }
    }

    fn resolve(&self, path: &str) -> Result<String, Refused> {
        self.from.resolve(path, true, self.at_root).map_err(|unresolved| match unresolved {
            Unresolved::Loop => self.circle(path),
            Unresolved::Escape => format!("`{path}` leads out of the context by a link; put what it names into it"),
        })
    }

    fn circle(&self, path: &str) -> Refused {
        format!("`{path}` cannot be followed: its links lead in a circle")
    }

    fn missing(&self, source: &str) -> Refused {
        match self.at_root {
            AtRoot::Refuse => format!("`{source}` is not in the context; add it, or look for what hides it"),
            AtRoot::Stay => format!("`{source}` is not in the stage or image that it is copied from"),
        }
    }
}
