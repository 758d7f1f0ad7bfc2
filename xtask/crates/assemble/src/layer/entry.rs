//! One entry of a layer, as it is remembered beside the layer.

use std::collections::BTreeMap;

use blob::Digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// One entry of a tar archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Below the root, without a slash at either end; empty for the root.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// The lower twelve bits: permissions, setuid, setgid, sticky.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Seconds since 1970.
    pub mtime: i64,
    #[serde(default, skip_serializing_if = "Xattrs::is_empty")]
    /// Extended attributes, `security.capability` for instance.
    pub xattrs: Xattrs,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A directory.
    Dir,
    /// A regular file.
    File {
        /// In bytes.
        size: u64,
        /// The digest of its bytes.
        digest: Digest,
        /// Where its bytes begin in the uncompressed archive.
        offset: u64,
    },
    /// A symbolic link to a path that need not exist.
    Symlink {
        /// The path, as it is written in the link.
        target: String,
    },
    /// A second name of a file; `target` is the first, below the root.
    Hardlink {
        /// The first name.
        target: String,
    },
    /// A named pipe.
    Fifo,
    /// A device.
    Device {
        /// Whether it is a block device; else it is a character device.
        block: bool,
        /// The device's major number.
        major: u32,
        /// The device's minor number.
        minor: u32,
    },
}

/// Extended attributes by name. They are bytes; in JSON they are written in hexadecimal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Xattrs(BTreeMap<String, Vec<u8>>);

impl Xattrs {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The attributes, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// Sets an attribute.
    pub(crate) fn insert(&mut self, name: String, value: Vec<u8>) {
        self.0.insert(name, value);
    }
}

impl Serialize for Xattrs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let hex = |value: &[u8]| value.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        serializer.collect_map(self.iter().map(|(name, value)| (name, hex(value))))
    }
}

impl<'de> Deserialize<'de> for Xattrs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut xattrs = Self::default();
        for (name, hex) in BTreeMap::<String, String>::deserialize(deserializer)? {
            let digits: Option<Vec<u8>> = hex.chars().map(|digit| Some(digit.to_digit(16)? as u8)).collect();
            let digits = digits.filter(|digits| digits.len() % 2 == 0);
            let digits = digits.ok_or_else(|| D::Error::custom(format!("`{hex}` is not hexadecimal")))?;
            xattrs.insert(name, digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect());
        }
        Ok(xattrs)
    }
}
