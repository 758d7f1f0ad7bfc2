//! The folder of compressed layers.
//!
//! ```text
//! <folder>/<algorithm>-<level>/<64 hex of the diff_id>        the bytes, mode 0444
//! <folder>/<algorithm>-<level>/<64 hex of the diff_id>.json   their digest and size
//! ```
//!
//! The bytes may be removed at any time: digest and size are still known, and a registry that has them needs no more.

use std::{
    fs,
    io::{self, Write as _},
};

use blob::{Digest, Pending, hash_reader};
use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::form::Form;

/// Compressed layers on disk.
#[derive(Debug, Clone)]
pub struct Kept {
    folder: Utf8PathBuf,
}

/// A compressed layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The digest of its bytes.
    pub digest: Digest,
    /// Their number.
    pub size: u64,
    /// Where they lie, if they do.
    pub path: Utf8PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Note {
    digest: Digest,
    size: u64,
}

impl Kept {
    /// The folder; it is made when something is kept.
    pub fn new(folder: impl Into<Utf8PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Where it lies.
    pub fn folder(&self) -> &Utf8Path {
        &self.folder
    }

    fn path(&self, form: Form, diff_id: &Digest) -> Utf8PathBuf {
        self.folder.join(form.to_string().replace(':', "-")).join(diff_id.hex())
    }

    /// What is known of a layer in this form. Its bytes may be gone: see [`Packed::is_there`].
    pub fn get(&self, form: Form, diff_id: &Digest) -> Option<Packed> {
        let path = self.path(form, diff_id);
        let note: Note = serde_json::from_slice(&fs::read(path.with_extension("json")).ok()?).ok()?;
        Some(Packed { digest: note.digest, size: note.size, path })
    }

    /// Keeps a layer that `write` compresses.
    ///
    /// # Errors
    /// It fails, or nothing can be written here.
    pub fn make(
        &self,
        form: Form,
        diff_id: &Digest,
        write: impl FnOnce(&mut Pending) -> io::Result<()>,
    ) -> io::Result<Packed> {
        let path = self.path(form, diff_id);
        let mut pending = Pending::new_in(path.parent().unwrap_or(&self.folder))?;
        write(&mut pending)?;
        pending.flush()?;
        let (digest, size) = pending.commit(&path, 0o444)?;
        let note = serde_json::to_vec(&Note { digest, size }).map_err(io::Error::from)?;
        blob::write(&path.with_extension("json"), &note)?;
        Ok(Packed { digest, size, path })
    }

    /// Takes the bytes and what is known of them away.
    ///
    /// # Errors
    /// They are there and cannot be removed.
    pub fn remove(&self, form: Form, diff_id: &Digest) -> io::Result<()> {
        let path = self.path(form, diff_id);
        for path in [path.with_extension("json"), path] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

impl Packed {
    /// Whether the bytes lie there, as many as they should be.
    pub fn is_there(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|meta| meta.is_file() && meta.len() == self.size)
    }

    /// Reads the bytes: the digest that they have.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn read(&self) -> io::Result<Digest> {
        Ok(hash_reader(fs::File::open(&self.path)?)?.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_is_found_and_what_failed_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::new(Utf8PathBuf::try_from(dir.path().join("packed")).unwrap());
        let (form, diff_id) = (Form::Gzip(6), Digest::of(b"layer"));
        assert_eq!(kept.get(form, &diff_id), None);
        assert!(kept.make(form, &diff_id, |_| Err(io::Error::other("no"))).is_err());
        assert_eq!(kept.get(form, &diff_id), None);
        let made = kept.make(form, &diff_id, |out| out.write_all(b"packed")).unwrap();
        assert_eq!((made.digest, made.size, made.is_there()), (Digest::of(b"packed"), 6, true));
        assert_eq!(kept.get(form, &diff_id), Some(made.clone()));
        assert_eq!(kept.get(Form::Gzip(9), &diff_id), None);
        fs::remove_file(&made.path).unwrap();
        let known = kept.get(form, &diff_id).unwrap();
        assert!(!known.is_there());
        kept.remove(form, &diff_id).unwrap();
        assert_eq!(kept.get(form, &diff_id), None);
    }
}
