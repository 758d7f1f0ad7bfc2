//! Where uploads stand that were begun and not ended, so that a later run goes on with them.

use std::{fs, io::Write as _};

use blob::{Digest, Pending};
use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A folder that remembers uploads. Only those of several pieces are worth it; what is remembered is asked of the
/// registry before it is believed.
#[derive(Debug, Clone)]
pub struct Sessions {
    folder: Utf8PathBuf,
}

/// What is remembered.
#[derive(Serialize, Deserialize)]
struct Upload {
    /// `registry/repository`.
    repository: String,
    digest: Digest,
    /// Where the registry takes the next piece.
    url: String,
}

impl Sessions {
    /// Uploads that are remembered in `folder`, which is made when there is one.
    pub fn new(folder: impl Into<Utf8PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The folder.
    pub fn folder(&self) -> &Utf8Path {
        &self.folder
    }

    fn path(&self, repository: &str, digest: &Digest) -> Utf8PathBuf {
        let key = Digest::of(format!("{repository}\n{digest}").as_bytes());
        self.folder.join(format!("{}.json", key.hex()))
    }

    pub(crate) fn get(&self, repository: &str, digest: &Digest) -> Option<String> {
        let upload: Upload = serde_json::from_slice(&fs::read(self.path(repository, digest)).ok()?).ok()?;
        (upload.repository == repository && upload.digest == *digest).then_some(upload.url)
    }

    /// Remembers it. The URL may hold a secret, so the file is the user's own.
    pub(crate) fn put(&self, repository: &str, digest: &Digest, url: &str) -> Result<()> {
        let path = self.path(repository, digest);
        let upload = Upload { repository: repository.to_owned(), digest: *digest, url: url.to_owned() };
        let write = || {
            let mut pending = Pending::new_in(&self.folder)?;
            serde_json::to_writer(&mut pending, &upload)?;
            pending.flush()?;
            pending.commit(&path, 0o600)
        };
        write().map(|_| ()).map_err(Error::io("writing", &path))
    }

    pub(crate) fn forget(&self, repository: &str, digest: &Digest) {
        // A file that stays is asked of the registry, which knows nothing of it.
        let _ = fs::remove_file(self.path(repository, digest));
    }
}
