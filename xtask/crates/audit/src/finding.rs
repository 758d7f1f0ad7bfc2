//! What is found: rules, and findings with their places.

use std::{fmt, str::FromStr};

use blob::Digest;
use serde::Serialize;

/// How bad a finding is, in the words of SARIF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Should be changed.
    Warning,
    /// Must not be shipped.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// What an image, or a tree that makes images, is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// `aws-sdk-twice`
    AwsSdkTwice,
    /// `aws-sdk-v1`
    AwsSdkV1,
    /// `broken-jar`
    BrokenJar,
    /// `colliding-tag`
    CollidingTag,
    /// `duplicate-class`
    DuplicateClass,
    /// `hadoop-version`
    HadoopVersion,
    /// `ignored-failure`
    IgnoredFailure,
    /// `jar-not-in-lock`
    JarNotInLock,
    /// `not-judged`
    NotJudged,
    /// `rapids-shim`
    RapidsShim,
    /// `scala-suffix`
    ScalaSuffix,
    /// `secret`
    Secret,
    /// `setuid`
    Setuid,
    /// `spark-line`
    SparkLine,
    /// `stored-twice`
    StoredTwice,
    /// `unpinned-download`
    UnpinnedDownload,
    /// `unused-exception`
    UnusedException,
    /// `version-of-spark`
    VersionOfSpark,
    /// `world-writable`
    WorldWritable,
}

/// Id, severity, what is wrong, and what to do about it.
type About = (&'static str, Severity, &'static str, &'static str);

impl Rule {
    /// All rules, by id.
    pub const ALL: [Self; 19] = [
        Self::AwsSdkTwice,
        Self::AwsSdkV1,
        Self::BrokenJar,
        Self::CollidingTag,
        Self::DuplicateClass,
        Self::HadoopVersion,
        Self::IgnoredFailure,
        Self::JarNotInLock,
        Self::NotJudged,
        Self::RapidsShim,
        Self::ScalaSuffix,
        Self::Secret,
        Self::Setuid,
        Self::SparkLine,
        Self::StoredTwice,
        Self::UnpinnedDownload,
        Self::UnusedException,
        Self::VersionOfSpark,
        Self::WorldWritable,
    ];

    /// Its id.
    pub fn id(self) -> &'static str {
        self.about().0
    }

    /// How bad a finding of it is; one may be less so.
    pub fn severity(self) -> Severity {
        self.about().1
    }

    /// What is wrong, in one sentence.
    pub fn title(self) -> &'static str {
        self.about().2
    }

    /// What to do about it.
    pub fn help(self) -> &'static str {
        self.about().3
    }

    /// Whether it judges images.
    pub fn is_for_images(self) -> bool {
        !matches!(self, Self::CollidingTag | Self::IgnoredFailure | Self::UnpinnedDownload)
    }

    /// Whether it judges the files of a tree.
    pub fn is_for_trees(self) -> bool {
        !matches!(self, Self::DuplicateClass | Self::NotJudged | Self::RapidsShim)
    }

    fn about(self) -> About {
        use Severity::{Error, Note, Warning};
        match self {
            Self::AwsSdkTwice => (
                "aws-sdk-twice",
                Error,
                "AWS SDK v2 comes in two jars",
                "Keep the bundle of the table, and take the other jar out; `iceberg-aws-bundle` is never needed beside it.",
            ),
            Self::AwsSdkV1 => (
                "aws-sdk-v1",
                Error,
                "AWS SDK v1",
                "Take the jar out. S3A of Hadoop 3.4 speaks to SDK v2; v1 gets no more fixes.",
            ),
            Self::BrokenJar => (
                "broken-jar",
                Error,
                "a jar that cannot be read, or that has a class twice",
                "Fetch the jar again and compare its digest; `cargo xtask store verify` does it for what the store holds.",
            ),
            Self::CollidingTag => (
                "colliding-tag",
                Error,
                "one tag for different images",
                "Give each Spark version a tag of its own, with all three numbers.",
            ),
            Self::DuplicateClass => (
                "duplicate-class",
                Error,
                "one class in two jars of Spark's class path",
                "Leave one of the jars out (`leave-out` in image.toml). If it has to be so, say why in docker/audit.toml.",
            ),
            Self::HadoopVersion => (
                "hadoop-version",
                Error,
                "Hadoop of another version than the table's",
                "Take the version of `hadoop` in docker/versions.toml for all of Hadoop; mixed versions fail at run time.",
            ),
            Self::IgnoredFailure => (
                "ignored-failure",
                Error,
                "a download or build that may fail without anybody seeing it",
                "Let it fail: without `|| true`, `|| echo` and `;` behind it.",
            ),
            Self::JarNotInLock => (
                "jar-not-in-lock",
                Error,
                "a jar that docker/versions.lock does not name",
                "Ask for it in an image.toml (`maven` or `file`) and run `cargo xtask lock`, or take it out.",
            ),
            Self::NotJudged => {
                ("not-judged", Note, "something could not be judged", "Do what the message says, and audit again.")
            }
            Self::RapidsShim => (
                "rapids-shim",
                Error,
                "a RAPIDS plugin without a shim for this Spark",
                "Take a plugin that knows this Spark, or name the nearest shim in `spark.rapids.shims-provider-override` \
                 of the image's defaults.",
            ),
            Self::ScalaSuffix => (
                "scala-suffix",
                Error,
                "a jar for another Scala",
                "Write `{scala}` in the coordinate, so that each Spark version gets its own.",
            ),
            Self::Secret => (
                "secret",
                Error,
                "what looks like a secret",
                "Take it out, and change the secret: a layer keeps what a later one removes. In a build use \
                 `RUN --mount=type=secret`, at run time a Kubernetes secret.",
            ),
            Self::Setuid => (
                "setuid",
                Error,
                "a program that runs with the rights of its owner",
                "Take the bit away where the file comes from (`keep-setuid = false` in the recipe of the base).",
            ),
            Self::SparkLine => (
                "spark-line",
                Error,
                "a jar for another line of Spark",
                "Write `{line}` in the coordinate, so that each Spark version gets its own.",
            ),
            Self::StoredTwice => (
                "stored-twice",
                Warning,
                "bytes that an image carries twice, or that nobody can read",
                "Give owner and mode in the COPY (`--chown`, `--chmod`), and do not put into a lower layer what an upper one \
                 replaces or removes.",
            ),
            Self::UnpinnedDownload => (
                "unpinned-download",
                Error,
                "a download without a digest",
                "Ask for it in an image.toml: the lock pins its bytes. In a Dockerfile of your own: `ADD --checksum=sha256:…`.",
            ),
            Self::UnusedException => (
                "unused-exception",
                Warning,
                "an exception in docker/audit.toml that excuses nothing",
                "Remove it: what it excused is gone.",
            ),
            Self::VersionOfSpark => (
                "version-of-spark",
                Error,
                "Kafka, Py4J or commons-pool2 in another version than this Spark was built with",
                "Take the version in [spark.\"…\".versions] of docker/versions.toml.",
            ),
            Self::WorldWritable => (
                "world-writable",
                Error,
                "everybody may write to it",
                "Give the group 0 write access in the place of everybody: OpenShift's users are in it (`--chmod=775`).",
            ),
        }
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(id: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::id).join(", ");
        Self::ALL
            .into_iter()
            .find(|rule| rule.id() == id)
            .ok_or_else(|| format!("there is no rule `{id}`; rules: {}", known()))
    }
}

impl Serialize for Rule {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

/// Where something was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The path in the image, or in the tree that was audited; empty for what an image itself says (`ENV`, labels).
    pub path: String,
    /// The line of the file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The layer that brought it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<Digest>,
    /// The instruction that made the layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
}

/// One thing that is wrong. Ordered as it is shown: the worst first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// By which rule.
    pub rule: Rule,
    /// How bad it is.
    pub severity: Severity,
    /// Where.
    pub place: Place,
    /// What was found, and what was expected.
    pub message: String,
    /// The images that have it, as they were given; none for a tree.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
}

impl Finding {
    /// A finding as bad as its rule says.
    pub fn new(rule: Rule, place: Place, message: impl Into<String>) -> Self {
        Self { rule, severity: rule.severity(), place, message: message.into(), images: Vec::new() }
    }

    /// The same, less bad.
    pub fn at(self, severity: Severity) -> Self {
        Self { severity, ..self }
    }
}

/// Sorts findings, the worst first, and joins those that several images share.
pub fn combine(findings: impl IntoIterator<Item = Finding>) -> Vec<Finding> {
    let mut joined: Vec<Finding> = Vec::new();
    let mut index = std::collections::BTreeMap::new();
    for finding in findings {
        let key = (std::cmp::Reverse(finding.severity), finding.rule, finding.place.clone(), finding.message.clone());
        match index.get(&key) {
            None => {
                index.insert(key, joined.len());
                joined.push(finding);
            }
            Some(&at) => {
                let images: &mut Vec<String> = &mut joined[at].images;
                images.extend(finding.images.into_iter().filter(|image| !images.contains(image)).collect::<Vec<_>>());
            }
        }
    }
    index.into_values().map(|at| joined[at].clone()).collect()
}
