//! What the version table and the lock promise of an image.

use std::collections::{BTreeMap, HashSet};

use blob::Digest;

/// What an image should be.
#[derive(Debug, Clone)]
pub struct Expect {
    /// What its Spark should be; nothing for an image without one.
    pub spark: Option<Spark>,
    /// The bytes that may be in it.
    pub known: Known,
}

/// What a Spark version is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spark {
    /// `3.5.7`
    pub version: String,
    /// `3.5`
    pub line: String,
    /// Scala's binary version: `2.12`.
    pub scala: String,
    /// The version of everything of Hadoop but its third-party jars.
    pub hadoop: String,
    /// The versions that this Spark was built with, by artifact: `kafka-clients`, `commons-pool2`, `py4j`.
    pub built_with: BTreeMap<String, String>,
}

/// Digests of files that the lock stands for.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The artifacts of the lock, and the files of the Spark homes that are made of them.
    pub digests: HashSet<Digest>,
    /// Why the files of the Spark home are not among them, if they are not.
    pub without_spark: Option<String>,
}
