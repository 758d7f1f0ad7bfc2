//! `gc`: what the store, the layout and the engines hold, what of it is still needed, and what can go.
//!
//! [`find`] looks at what is there, [`needed`] at what is needed and by whom, [`decide`] joins the two without a file
//! system, and [`remove`] takes away what nobody needs. Nothing is followed that is a link, and nothing is touched that
//! this program does not make.

pub(crate) mod decide;
pub(crate) mod disk;
pub(crate) mod engine;
pub(crate) mod find;
pub(crate) mod needed;
pub(crate) mod remove;
pub(crate) mod report;

use blob::Digest;
use camino::Utf8PathBuf;
use serde::Serialize;

use disk::Disk;

/// What a thing is, in the order in which it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// A fetched file.
    Artifact,
    /// What came so far of one.
    Download,
    /// The digest of an artifact by its published checksum.
    Checksum,
    /// A file that did not have its digest.
    Quarantine,
    /// A Spark home that was laid out from its release.
    SparkHome,
    /// A Spark distribution that was compiled.
    Compiled,
    /// The root filesystem of a base.
    Rootfs,
    /// A layer for a registry.
    Compressed,
    /// A layer for the sandbox.
    Unpacked,
    /// A cache of RUN.
    RunCache,
    /// Maven's repository.
    MavenRepository,
    /// What is known of a tree of `--source-dir`.
    SourceTree,
    /// Where an upload stands.
    Upload,
    /// A layer that a pull was about to take.
    Pulled,
    /// That a checkout uses the store.
    Checkout,
    /// A blob of the layout.
    Blob,
    /// What is remembered of blobs and images.
    Memory,
    /// A log.
    Log,
    /// A context of `bake`.
    Context,
    /// What a killed run left.
    Leftover,
}

impl Kind {
    /// How people call several of them.
    pub(crate) fn plural(self) -> &'static str {
        match self {
            Self::Artifact => "fetched files",
            Self::Download => "partial downloads",
            Self::Checksum => "noted checksums",
            Self::Quarantine => "damaged files",
            Self::SparkHome => "Spark homes",
            Self::Compiled => "compiled Spark",
            Self::Rootfs => "root filesystems",
            Self::Compressed => "compressed layers",
            Self::Unpacked => "unpacked layers",
            Self::RunCache => "caches of RUN",
            Self::MavenRepository => "Maven's repository",
            Self::SourceTree => "notes on Spark trees",
            Self::Upload => "notes on uploads",
            Self::Pulled => "layers on their way",
            Self::Checkout => "known checkouts",
            Self::Blob => "blobs of images",
            Self::Memory => "notes on images",
            Self::Log => "logs",
            Self::Context => "contexts of bake",
            Self::Leftover => "left by killed runs",
        }
    }
}

/// By what it is known whether a thing is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Of {
    /// By the digests that it stands for or needs, all of them.
    Digests(Vec<Digest>),
    /// By its name.
    Name(String),
    /// By its kind alone.
    Nothing,
}

/// A file or folder that this program has made.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) kind: Kind,
    /// The folder of the user's choice that it lies below.
    pub(crate) base: Utf8PathBuf,
    /// Its path below that.
    pub(crate) path: Utf8PathBuf,
    pub(crate) of: Of,
    pub(crate) disk: Disk,
}

impl Item {
    /// Where it lies.
    pub(crate) fn full_path(&self) -> Utf8PathBuf {
        self.base.join(&self.path)
    }
}

/// Something that is left alone, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Left {
    pub(crate) path: Utf8PathBuf,
    pub(crate) why: String,
}
