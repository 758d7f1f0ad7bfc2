//! The two halves of a `.deb` file: the control files, and the stream of the files that it installs.
//!
//! Format: an ar archive of `debian-binary`, `control.tar[.gz|.xz]` and `data.tar[.gz|.xz]`
//! (<https://manpages.debian.org/stable/dpkg-dev/deb.5.en.html>). Nothing is written to disk.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader, Read},
};

use blob::{Digest, HashingReader};
use camino::{Utf8Path, Utf8PathBuf};

use crate::{compression, control::Stanza};

/// A `.deb` file on disk, and what its bytes must hash to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deb {
    /// Where the file lies.
    pub path: Utf8PathBuf,
    /// The digest of the file, as the index of its suite gives it. [`read_data`] verifies it on the way.
    pub digest: Digest,
}

/// The control files of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// The text of the file `control`: one stanza.
    pub text: String,
    /// The other control files (`postinst`, `md5sums`, ...) by name: their mode and their bytes.
    pub files: BTreeMap<String, (u32, Vec<u8>)>,
}

impl Control {
    /// The stanza of the package.
    pub fn stanza(&self) -> Stanza<'_> {
        Stanza::new(self.text.trim_matches('\n'))
    }

    /// The text of a control file, if the package has it and it is UTF-8.
    pub fn file_text(&self, name: &str) -> Option<&str> {
        self.files.get(name).and_then(|(_, bytes)| std::str::from_utf8(bytes).ok())
    }
}

/// A `.deb` file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("reading the package {path}")]
pub struct DebError {
    path: Utf8PathBuf,
    #[source]
    source: DebFault,
}

/// What is wrong with a `.deb` file.
#[derive(Debug, thiserror::Error)]
pub enum DebFault {
    /// The file or one of its members cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A member that every package has is not there.
    #[error("expected a member `{expected}`, found none: this is no Debian package, or it was cut off")]
    NoMember {
        /// The name of the member, without what tells its compression.
        expected: &'static str,
    },
    /// A member in a compression that is not read here.
    #[error("expected `{expected}` plain or as .xz or .gz, found `{found}`")]
    Compression {
        /// The name of the member, without what tells its compression.
        expected: &'static str,
        /// The name of the member as it stands in the package.
        found: String,
    },
    /// The control archive has no file `control`.
    #[error("expected a file `control` in UTF-8 among the control files, found none")]
    NoControl,
    /// The bytes are not those that the index promised.
    #[error("expected {expected}, found {found}: remove the file and fetch it again")]
    Digest {
        /// The digest from the index.
        expected: Digest,
        /// The digest of the bytes.
        found: Digest,
    },
}

/// Reads the control files of the package.
///
/// # Errors
/// The file cannot be read or is no Debian package. Its digest is not looked at.
pub fn read_control(path: &Utf8Path) -> Result<Control, DebError> {
    let error = |source: DebFault| DebError { path: path.to_owned(), source };
    let mut archive = ar::Archive::new(BufReader::new(File::open(path).map_err(|source| error(source.into()))?));
    with_member(&mut archive, "control.tar", |member| control_of(member)).map_err(error)
}

fn control_of(member: &mut dyn Read) -> Result<Control, DebFault> {
    let mut text = None;
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(member).entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = entry.path()?.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mode = entry.header().mode()? & 0o777;
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        if name == "control" {
            text = Some(String::from_utf8(bytes).map_err(|_| DebFault::NoControl)?);
        } else {
            files.insert(name, (mode, bytes));
        }
    }
    Ok(Control { text: text.ok_or(DebFault::NoControl)?, files })
}

/// Hands the decompressed data archive of the package to `read`, and verifies the digest of the whole file behind it.
/// Memory is bounded by the window that the archive was compressed with, however large the package is.
///
/// # Errors
/// The file cannot be read, is no Debian package, is not what its digest says, or `read` reports an error.
pub fn read_data<T>(deb: &Deb, read: impl FnOnce(&mut dyn Read) -> io::Result<T>) -> Result<T, DebError> {
    let error = |source: DebFault| DebError { path: deb.path.clone(), source };
    let run = || {
        let file = File::open(&deb.path)?;
        let mut hashed = HashingReader::new(BufReader::with_capacity(256 * 1024, file));
        let result = {
            let mut archive = ar::Archive::new(&mut hashed);
            with_member(&mut archive, "data.tar", |member| {
                let value = read(member)?;
                io::copy(member, &mut io::sink())?;
                Ok(value)
            })
        };
        // A damaged file is best named by its digest, whatever the decoder said of it.
        io::copy(&mut hashed, &mut io::sink())?;
        let (found, _) = hashed.finish();
        if found != deb.digest {
            return Err(DebFault::Digest { expected: deb.digest, found });
        }
        result
    };
    run().map_err(error)
}

/// Finds the member whose name begins with `prefix` and gives its decompressed bytes to `read`.
fn with_member<R: Read, T>(
    archive: &mut ar::Archive<R>,
    prefix: &'static str,
    read: impl FnOnce(&mut dyn Read) -> Result<T, DebFault>,
) -> Result<T, DebFault> {
    while let Some(member) = archive.next_entry() {
        let mut member = member?;
        let name = String::from_utf8_lossy(member.header().identifier()).into_owned();
        let Some(suffix) = name.strip_prefix(prefix) else { continue };
        let decoder = compression::decoder(suffix, &mut member, 1)?;
        let mut decoder = decoder.ok_or(DebFault::Compression { expected: prefix, found: name.clone() })?;
        return read(&mut decoder);
    }
    Err(DebFault::NoMember { expected: prefix })
}
