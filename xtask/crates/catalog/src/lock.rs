//! `docker/versions.lock`: which bytes answer which request. Coordinates, sizes and digests; never an address.

use std::collections::BTreeMap;

use blob::Digest;
use serde::{Deserialize, Serialize};

use crate::{coordinate::Coordinate, request::Requests};

const HEADER: &str = "\
# Written by `cargo xtask lock`: every byte that enters an image, by coordinate, size and digest.
# Commit it. Where the bytes are fetched from is a property of the machine: see `cargo xtask fetch --help`.

";

/// An artifact whose bytes are known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// What it is called.
    pub id: Coordinate,
    /// Bytes.
    pub size: u64,
    /// Digest of the bytes.
    pub sha256: Digest,
    /// Path inside the archive, for a Debian package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// The answer to a request that has several artifacts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedSet {
    /// Key of the request.
    pub name: String,
    /// Digest of the request.
    pub request: Digest,
    /// The artifacts.
    pub members: Vec<Coordinate>,
}

/// The answer to what a plugin's jar knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedShims {
    /// The jar.
    pub jar: Coordinate,
    /// The path in it that names a version: see [`crate::Shims`].
    pub files: String,
    /// The versions of Spark that it knows, as [`crate::digits`] writes them, sorted.
    pub known: Vec<String>,
}

/// A request that no registry of the machine that locked could answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unresolved {
    /// Key of the request.
    pub request: String,
    /// What the registries said.
    pub reason: String,
}

/// The lock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    /// Digest of the requests that it answers, if it answers any.
    pub requests: Option<Digest>,
    /// The sets, by key of the request.
    pub sets: BTreeMap<String, LockedSet>,
    /// The artifacts.
    pub artifacts: BTreeMap<Coordinate, Artifact>,
    /// What plugins know, by key of the request.
    pub shims: BTreeMap<String, LockedShims>,
    /// What could not be had, by key of the request.
    pub unresolved: BTreeMap<String, Unresolved>,
}

/// A text that is no lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Not TOML, or not of this shape.
    #[error(
        "docker/versions.lock cannot be read: {0}\nrestore it with `git checkout docker/versions.lock`, or write it anew with `cargo xtask lock`"
    )]
    Syntax(#[from] toml::de::Error),
    /// Written by another version of this program.
    #[error("docker/versions.lock has format {found}, expected {expected}: write it anew with `cargo xtask lock`")]
    Format {
        /// The format of the file.
        found: u32,
        /// The format that this program reads.
        expected: u32,
    },
    /// An artifact of a set has no entry.
    #[error("docker/versions.lock: set `{set}` names {id}, which has no entry\nwrite it anew with `cargo xtask lock`")]
    Dangling {
        /// The set.
        set: String,
        /// The artifact.
        id: String,
    },
}

const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    requests: Option<Digest>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unresolved: Vec<Unresolved>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    shims: Vec<LockedShims>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    set: Vec<LockedSet>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    artifact: Vec<Artifact>,
}

impl Lock {
    /// Reads a lock.
    ///
    /// # Errors
    /// The text is no lock of this format, or it contradicts itself.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        let file: File = toml::from_str(text)?;
        if file.format != FORMAT {
            return Err(LockError::Format { found: file.format, expected: FORMAT });
        }
        let lock = Self {
            requests: file.requests,
            sets: file.set.into_iter().map(|set| (set.name.clone(), set)).collect(),
            artifacts: file.artifact.into_iter().map(|artifact| (artifact.id.clone(), artifact)).collect(),
            shims: file.shims.into_iter().map(|entry| (format!("shims {}", entry.jar), entry)).collect(),
            unresolved: file.unresolved.into_iter().map(|entry| (entry.request.clone(), entry)).collect(),
        };
        for set in lock.sets.values() {
            if let Some(id) = set.members.iter().find(|id| !lock.artifacts.contains_key(id)) {
                return Err(LockError::Dangling { set: set.name.clone(), id: id.to_string() });
            }
        }
        Ok(lock)
    }

    /// Whether it answers exactly these requests.
    pub fn answers(&self, requests: &Requests) -> bool {
        self.requests == Some(requests.digest())
    }

    /// The text of the lock. The same lock always gives the same text.
    ///
    /// # Errors
    /// None that a lock made by this crate can cause.
    pub fn to_text(&self) -> Result<String, toml::ser::Error> {
        let file = File {
            format: FORMAT,
            requests: self.requests,
            unresolved: self.unresolved.values().cloned().collect(),
            shims: self.shims.values().cloned().collect(),
            set: self.sets.values().cloned().collect(),
            artifact: self.artifacts.values().cloned().collect(),
        };
        Ok(format!("{HEADER}{}", toml::to_string_pretty(&file)?))
    }
}
