//! Checksums other than SHA-256, as registries publish them. They are verified beside it, never instead of it.

use std::fmt;

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA512};

/// A checksum that a registry published for a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Check {
    algorithm: Algorithm,
    hex: String,
}

/// How a [`Check`] is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// As Apache publishes it for its releases.
    Sha512,
    /// As lies beside every file of a Maven repository.
    Sha1,
    /// As stands in old pages and indexes. Guards against accidents only.
    Md5,
}

/// A text that is no checksum of its algorithm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {algorithm} checksum: expected {} hexadecimal digits", algorithm.digits())]
pub struct BadCheck {
    /// The algorithm it was to be of.
    pub algorithm: Algorithm,
    /// The text that was given.
    pub text: String,
}

impl Algorithm {
    /// The number of hexadecimal digits of its checksums.
    pub fn digits(self) -> usize {
        match self {
            Algorithm::Sha512 => 128,
            Algorithm::Sha1 => 40,
            Algorithm::Md5 => 32,
        }
    }
}

impl Check {
    /// The checksum that `hex` writes, in either case.
    ///
    /// # Errors
    /// `hex` has another length, or holds something else than hexadecimal digits.
    pub fn new(algorithm: Algorithm, hex: &str) -> Result<Self, BadCheck> {
        if hex.len() != algorithm.digits() || !hex.bytes().all(|c| c.is_ascii_hexdigit()) {
            return Err(BadCheck { algorithm, text: hex.to_owned() });
        }
        Ok(Self { algorithm, hex: hex.to_ascii_lowercase() })
    }

    /// How it is computed.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its lower-case hexadecimal digits.
    pub fn hex(&self) -> &str {
        &self.hex
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Algorithm::Sha512 => "sha512",
            Algorithm::Sha1 => "sha1",
            Algorithm::Md5 => "md5",
        })
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm, self.hex)
    }
}

/// Computes the checksum of what passes through it.
#[derive(Clone)]
pub(crate) enum CheckHasher {
    Sha(Algorithm, Context),
    Md5(md5::Context),
}

impl CheckHasher {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha512 => Self::Sha(algorithm, Context::new(&SHA512)),
            Algorithm::Sha1 => Self::Sha(algorithm, Context::new(&SHA1_FOR_LEGACY_USE_ONLY)),
            Algorithm::Md5 => Self::Md5(md5::Context::new()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha(_, hasher) => hasher.update(bytes),
            Self::Md5(hasher) => hasher.consume(bytes),
        }
    }

    pub(crate) fn finish(self) -> Check {
        let (algorithm, bytes) = match self {
            Self::Sha(algorithm, hasher) => (algorithm, hasher.finish().as_ref().to_vec()),
            Self::Md5(hasher) => (Algorithm::Md5, hasher.finalize().to_vec()),
        };
        Check { algorithm, hex: bytes.iter().map(|byte| format!("{byte:02x}")).collect() }
    }
}
