//! A part of a tree as real files, for mounts.

use std::{
    collections::HashMap,
    fs::{self, File, Permissions},
    io::{self, BufWriter, Read, Write},
    os::unix::fs::{PermissionsExt, lchown, symlink},
};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, mknodat, utimensat};

use crate::{
    error::{Error, Result},
    layer::tree::{Body, Node, Tree},
    source::{Reader, Sink},
};

/// Writes what lies at `from` in the tree to `to`, which must not exist: a folder with all that is in it, or a file. With
/// `owned` everything gets its owner, which only root can do. Devices are left out, since no mount may bring any.
pub(super) fn spread(tree: &Tree, from: &str, to: &Utf8Path, owned: bool) -> Result<()> {
    let mut reader = Reader::default();
    let mut first: HashMap<*const Node, Utf8PathBuf> = HashMap::new();
    let mut folders = Vec::new();
    let root = Node::dir(0);
    let top = tree.get(from).unwrap_or(&root);
    let skip = if from.is_empty() { 0 } else { from.len() + 1 };
    let below = tree.below(from).map(|(path, node)| (to.join(&path[skip..]), &**node));
    for (path, node) in std::iter::once((to.to_owned(), top)).chain(below) {
        let failed = |error: io::Error| Error::io("writing", &path)(error);
        if let Some(other) = first.get(&std::ptr::from_ref(node)).filter(|_| matches!(node.body, Body::File(_))) {
            fs::hard_link(other, &path).map_err(failed)?;
            continue;
        }
        match &node.body {
            Body::Dir => fs::create_dir(&path).map_err(failed)?,
            Body::File(file) => {
                let mut target = To(BufWriter::new(File::create_new(&path).map_err(failed)?), vec![0; 256 * 1024]);
                reader.read(path.as_str(), &file.content, file.promise(), &mut target)?;
                target.0.into_inner().map_err(|error| failed(error.into_error()))?;
                first.insert(std::ptr::from_ref(node), path.clone());
            }
            Body::Symlink { target } => symlink(target, &path).map_err(failed)?,
            Body::Fifo => mknodat(CWD, path.as_std_path(), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
                .map_err(|error| failed(error.into()))?,
            Body::Device { .. } => continue,
        }
        match node.body {
            // What is put into a folder changes its time, and its mode may forbid it.
            Body::Dir => folders.push((path, node)),
            _ => finish(&path, node, owned).map_err(failed)?,
        }
    }
    for (path, node) in folders.into_iter().rev() {
        finish(&path, node, owned).map_err(Error::io("setting the mode and time of", &path))?;
    }
    Ok(())
}

/// Sets owner, mode and time, in this order: a change of owner clears set-id bits.
fn finish(path: &Utf8Path, node: &Node, owned: bool) -> io::Result<()> {
    if owned {
        lchown(path, Some(node.uid), Some(node.gid))?;
    }
    if !matches!(node.body, Body::Symlink { .. }) {
        // A set-id program would belong to who builds. Folders stay open to him, and files readable.
        let open = if node.is_dir() { 0o700 } else { 0o400 };
        let mode = if owned { node.mode } else { node.mode & 0o1777 | open };
        fs::set_permissions(path, Permissions::from_mode(mode))?;
    }
    let time = Timespec { tv_sec: node.mtime, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    Ok(utimensat(CWD, path.as_std_path(), &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

struct To(BufWriter<File>, Vec<u8>);

impl Sink for To {
    fn take(&mut self, reader: &mut dyn Read, limit: usize) -> io::Result<&[u8]> {
        let limit = limit.min(self.1.len());
        let count = reader.read(&mut self.1[..limit])?;
        self.0.write_all(&self.1[..count])?;
        Ok(&self.1[..count])
    }
}
