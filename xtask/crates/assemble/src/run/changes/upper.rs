//! The upper folder of an overlay, as overlayfs left it.

use std::{
    collections::BTreeMap,
    fs::{self, Metadata, Permissions},
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::io::Errno;

use crate::{
    error::{Error, Result},
    layer::entry::Xattrs,
    path::join,
};

/// Marks a folder that hides what lower layers have in it.
const OPAQUE: &str = "user.overlay.opaque";
/// Marks a file or folder that was copied up. Overlayfs does not set it on a file that has several names below.
const ORIGIN: &str = "user.overlay.origin";
/// Overlayfs' own attributes.
const PRIVATE: &str = "user.overlay.";
/// What makes a program more than its user.
const CAPABILITY: &str = "security.capability";

/// Something in the upper folder.
pub(super) struct Found {
    pub(super) at: Utf8PathBuf,
    pub(super) meta: Metadata,
    pub(super) what: What,
    /// Whether it hides what lower layers have below it.
    pub(super) opaque: bool,
    /// Whether a folder above hides what lower layers have here.
    pub(super) hidden: bool,
    /// Whether it was copied up from a lower layer.
    pub(super) copied: bool,
    /// What an image may carry.
    pub(super) xattrs: Xattrs,
}

/// Whether something is there, or is said not to be there any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Entry,
    Whiteout,
}

/// All that lies in the upper folder, by path. With `mine`, all of it belongs to who runs this, who need not be root: what
/// cannot be entered or read is opened, after its mode was noted. The inner error names what no layer can hold.
pub(super) fn walk(upper: &Utf8Path, mine: bool) -> Result<Result<BTreeMap<String, Found>, String>> {
    let mut all = BTreeMap::new();
    let mut todo = vec![(String::new(), upper.to_owned(), false)];
    while let Some((folder, at, hidden)) = todo.pop() {
        if mine {
            open(&at, 0o700)?;
        }
        for entry in fs::read_dir(&at).map_err(Error::io("reading", &at))? {
            let entry = entry.map_err(Error::io("reading", &at))?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
                let name = entry.file_name().to_string_lossy().into_owned();
                return Ok(Err(format!("it made `{name}` in `/{folder}`, whose name is not UTF-8; rename it")));
            };
            let (path, at) = (join(&folder, &name), at.join(&name));
            if name.starts_with(".wh.") {
                return Ok(Err(format!(
                    "it made `/{path}`: in a layer a name with `.wh.` means a missing file; rename it"
                )));
            }
            let meta = fs::symlink_metadata(&at).map_err(Error::io("reading", &at))?;
            let kind = meta.file_type();
            // A socket is nothing without the process that made it, and archives have no entry for it.
            if kind.is_socket() {
                continue;
            }
            let whiteout = kind.is_char_device() && meta.rdev() == 0;
            let what = if whiteout { What::Whiteout } else { What::Entry };
            let mut found = Found { at, meta, what, opaque: false, hidden, copied: false, xattrs: Xattrs::default() };
            if kind.is_dir() || kind.is_file() {
                let open_for = if kind.is_dir() { 0o700 } else { 0o400 };
                if mine {
                    open(&found.at, open_for)?;
                }
                found.attributes()?;
            }
            if kind.is_dir() {
                todo.push((path.clone(), found.at.clone(), hidden || found.opaque));
            }
            all.insert(path, found);
        }
    }
    Ok(Ok(all))
}

/// Adds these permission bits.
fn open(path: &Utf8Path, bits: u32) -> Result<()> {
    let mode = fs::metadata(path).map_err(Error::io("reading", path))?.mode() & 0o7777;
    if mode & bits == bits {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(mode | bits)).map_err(Error::io("opening", path))
}

impl Found {
    fn attributes(&mut self) -> Result<()> {
        let failed = |error: Errno| Error::io("reading the attributes of", &self.at)(error.into());
        let (mut opaque, mut copied, mut xattrs) = (false, false, Xattrs::default());
        for name in names(&self.at).map_err(failed)? {
            match name.as_str() {
                ORIGIN => copied = true,
                OPAQUE => opaque = value(&self.at, OPAQUE).map_err(failed)? == b"y",
                CAPABILITY => {
                    xattrs.insert(name, plain_capability(value(&self.at, CAPABILITY).map_err(failed)?));
                }
                other if other.starts_with("user.") && !other.starts_with(PRIVATE) => {
                    let value = value(&self.at, other).map_err(failed)?;
                    xattrs.insert(name, value);
                }
                _ => {}
            }
        }
        (self.opaque, self.copied, self.xattrs) = (opaque, copied, xattrs);
        Ok(())
    }
}

/// The names of all attributes. Those that are not UTF-8 are nobody's.
fn names(path: &Utf8Path) -> Result<Vec<String>, Errno> {
    let mut buffer = [0u8; 64 * 1024];
    let length = match rustix::fs::llistxattr(path.as_std_path(), &mut buffer) {
        // A file system without attributes.
        Err(Errno::OPNOTSUPP) => 0,
        other => other?,
    };
    let names = buffer[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Ok(names.filter_map(|name| String::from_utf8(name.to_vec()).ok()).collect())
}

fn value(path: &Utf8Path, name: &str) -> Result<Vec<u8>, Errno> {
    // Linux has no larger ones.
    let mut buffer = vec![0u8; 64 * 1024];
    let length = rustix::fs::lgetxattr(path.as_std_path(), name, &mut buffer)?;
    buffer.truncate(length);
    Ok(buffer)
}

/// A capability of the third revision names the user namespace in which it holds. In an image it holds everywhere, which is
/// what the second revision says (capabilities(7), "File capability extended attribute versioning").
fn plain_capability(mut value: Vec<u8>) -> Vec<u8> {
    if value.len() == 24 && value[3] == 3 {
        value.truncate(20);
        value[3] = 2;
    }
    value
}
