//! Blobs that were not made here.

use std::io::{Read, Write as _};

use blob::Digest;

use super::Layout;
use crate::error::{Error, Result};

impl Layout {
    /// Stores the bytes of `reader`, which must have the digest `expected`: their number.
    ///
    /// # Errors
    /// They have another digest (then nothing is stored), or reading or writing failed.
    pub fn import(&self, expected: &Digest, reader: &mut dyn Read) -> Result<u64> {
        let path = self.blob_path(expected);
        let mut pending = self.pending()?;
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => pending.write_all(&buffer[..read]).map_err(Error::io("writing", &path))?,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io("reading what becomes", path)(error)),
            }
        }
        let (found, size) = pending.written();
        if found != *expected {
            return Err(Error::layout(path, format!("was to be written: expected {expected}, found {found}")));
        }
        self.adopt(pending)?;
        Ok(size)
    }
}
