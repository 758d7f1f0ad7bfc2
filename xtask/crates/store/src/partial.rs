//! A download that is not complete: what came so far, hashed, and how to ask for the rest.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::PermissionsExt as _,
};

use blob::{Digest, Hasher};
use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    check::{Algorithm, Check, CheckHasher},
    error::StoreError,
    location::Location,
    store::Store,
};

/// A partial file, open for appending. Whoever holds one holds the artifact's lock.
pub(crate) struct Partial<'a> {
    store: &'a Store,
    path: Utf8PathBuf,
    file: File,
    hashes: Hashes,
    length: u64,
}

/// All that is computed while bytes pass.
struct Hashes {
    sha256: Hasher,
    check: Option<CheckHasher>,
}

impl Hashes {
    fn new(algorithm: Option<Algorithm>) -> Self {
        Self { sha256: Hasher::new(), check: algorithm.map(CheckHasher::new) }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        if let Some(check) = &mut self.check {
            check.update(bytes);
        }
    }
}

impl<'a> Partial<'a> {
    /// Opens the partial file `name`, which is made if it is missing, and hashes what it holds.
    pub(crate) fn open(store: &'a Store, name: &str, algorithm: Option<Algorithm>) -> Result<Self, StoreError> {
        let folder = store.pending();
        store.make_folder(&folder)?;
        let path = folder.join(format!("{name}.part"));
        let open = || {
            let mut file = open_writable(&path)?;
            let mut hashes = Hashes::new(algorithm);
            let mut length = 0;
            let mut buffer = vec![0; 256 * 1024];
            loop {
                match file.read(&mut buffer)? {
                    0 => break,
                    read => {
                        hashes.update(&buffer[..read]);
                        length += read as u64;
                    }
                }
            }
            io::Result::Ok((file, hashes, length))
        };
        let (file, hashes, length) = open().map_err(|error| store.io("reading", &path, error))?;
        Ok(Self { store, path, file, hashes, length })
    }

    /// The number of bytes that it holds.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Takes the next bytes.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file.write_all(bytes).map_err(|error| self.store.io("writing", &self.path, error))?;
        self.hashes.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Drops all bytes.
    pub(crate) fn restart(&mut self, algorithm: Option<Algorithm>) -> Result<(), StoreError> {
        self.file
            .set_len(0)
            .and_then(|()| self.file.seek(SeekFrom::Start(0)))
            .and_then(|_| remove_if_there(&self.validator_path()))
            .map_err(|error| self.store.io("emptying", &self.path, error))?;
        self.hashes = Hashes::new(algorithm);
        self.length = 0;
        Ok(())
    }

    /// The digest, and the checksum if one was asked for, of all bytes.
    pub(crate) fn digests(&self) -> (Digest, Option<Check>) {
        (self.hashes.sha256.clone().finish().0, self.hashes.check.clone().map(CheckHasher::finish))
    }

    /// Whether the first character is `<`, as in an HTML page.
    pub(crate) fn looks_like_markup(&mut self) -> bool {
        let mut start = [0; 64];
        let read = self.file.seek(SeekFrom::Start(0)).and_then(|_| self.file.read(&mut start)).unwrap_or(0);
        let back = self.file.seek(SeekFrom::Start(self.length));
        back.is_ok() && start[..read].trim_ascii_start().starts_with(b"<")
    }

    /// Remembers the entity tag of the file that these bytes are of. A weak one promises nothing about bytes
    /// (RFC 9110 section 13.1.5), so it is not kept.
    pub(crate) fn set_validator(&self, location: &Location, etag: Option<&str>) -> Result<(), StoreError> {
        let path = self.validator_path();
        let result = match etag.filter(|etag| etag.starts_with('"')) {
            Some(etag) => fs::write(&path, format!("{}\n{etag}\n", Digest::of(location.url.as_bytes()).hex())),
            None => remove_if_there(&path),
        };
        result.map_err(|error| self.store.io("writing", &path, error))
    }

    /// The entity tag of the file at `location` that these bytes are of, if it is known.
    pub(crate) fn validator(&self, location: &Location) -> Option<String> {
        let text = fs::read_to_string(self.validator_path()).ok()?;
        let (url, etag) = text.split_once('\n')?;
        // A kill in the middle of writing may have left a part of it.
        let etag = etag.strip_suffix('\n').filter(|etag| etag.len() > 1 && etag.ends_with('"'))?;
        (url == Digest::of(location.url.as_bytes()).hex()).then(|| etag.to_owned())
    }

    /// Gives the bytes their final name.
    pub(crate) fn commit(self) -> Result<Utf8PathBuf, StoreError> {
        let digest = self.digests().0;
        let path = self.store.adopt(&self.path, &self.file, &digest)?;
        // The artifact is whole; a validator that stays is of no partial file.
        let _ = remove_if_there(&self.validator_path());
        Ok(path)
    }

    /// Removes the file: its bytes are of no use.
    pub(crate) fn discard(self) -> Result<(), StoreError> {
        remove_if_there(&self.path)
            .and_then(|()| remove_if_there(&self.validator_path()))
            .map_err(|error| self.store.io("removing", &self.path, error))
    }

    fn validator_path(&self) -> Utf8PathBuf {
        self.path.with_extension("etag")
    }
}

fn open_writable(path: &Utf8Path) -> io::Result<File> {
    let open = || OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    match open() {
        // Who was killed right before the last rename left a file with an artifact's mode.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && path.is_file() => {
            fs::set_permissions(path, fs::Permissions::from_mode(0o644))?;
            open()
        }
        result => result,
    }
}

fn remove_if_there(path: &Utf8Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
