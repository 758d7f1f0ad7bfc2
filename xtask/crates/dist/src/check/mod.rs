//! Whether a distribution is what the version table says: all that is wrong with it, at once.
//!
//! Of jars only the central directories are read.

mod jars;
mod layout;

pub use layout::is_program;

use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    Error,
    tree::{self, Entry, Kind},
};

/// What a distribution should be. Versions are those of `docker/versions.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expect {
    /// Spark's version: `3.5.7`.
    pub spark: String,
    /// The version that PySpark gives itself: `3.5.8.dev0` where Spark's is `3.5.8-SNAPSHOT`.
    pub pyspark: String,
    /// Scala's binary version: `2.12`.
    pub scala: String,
    /// Version of the Hadoop client and of everything of Hadoop but its shaded third-party jars.
    pub hadoop: String,
    /// Version of the AWS SDK for Java, 2.x.
    pub aws_sdk: String,
    /// Version of kafka-clients.
    pub kafka_clients: String,
    /// Version of commons-pool2, which the Kafka source needs.
    pub commons_pool2: String,
    /// Version of Py4J.
    pub py4j: String,
    /// Whether the Connect server must be there.
    pub connect: bool,
    /// Version of the two jars in `hive-jackson/`, where there must be that folder (Spark 4).
    pub hive_jackson: Option<String>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file or folder, relative to the distribution.
    pub path: Utf8PathBuf,
    /// What should be there.
    pub expected: String,
    /// What is.
    pub found: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, found {}", self.path, self.expected, self.found)
    }
}

/// A distribution that is being looked at, and the problems so far.
struct Checked<'a> {
    folder: &'a Utf8Path,
    entries: Vec<Entry>,
    expect: &'a Expect,
    problems: Vec<Problem>,
}

/// Everything that is wrong with the distribution in `folder`, sorted by path. A damaged jar is a problem among others.
///
/// # Errors
/// The folder itself or a text in it cannot be read.
pub fn check(folder: &Utf8Path, expect: &Expect) -> Result<Vec<Problem>, Error> {
    let entries = tree::read(folder)?;
    let mut checked = Checked { folder, entries, expect, problems: Vec::new() };
    layout::check(&mut checked)?;
    jars::check(&mut checked)?;
    let mut problems = checked.problems;
    problems.sort();
    problems.dedup();
    Ok(problems)
}

impl Checked<'_> {
    fn problem(&mut self, path: impl Into<Utf8PathBuf>, expected: impl Into<String>, found: impl Into<String>) {
        self.problems.push(Problem { path: path.into(), expected: expected.into(), found: found.into() });
    }

    fn kind(&self, path: &str) -> Option<&Kind> {
        self.entries.iter().find(|entry| entry.path == path).map(|entry| &entry.kind)
    }

    /// The names of the files right in a folder, sorted.
    fn files_in(&self, folder: &str) -> Vec<String> {
        let files = self.entries.iter().filter(|entry| {
            entry.path.parent().is_some_and(|parent| parent == folder) && matches!(entry.kind, Kind::File { .. })
        });
        files.filter_map(|entry| entry.path.file_name().map(str::to_owned)).collect()
    }

    /// In `folder` there must be the file `start` + `version` + `end`, and nothing of the same start and end.
    fn exactly(&mut self, folder: &str, start: &str, version: &str, end: &str) {
        let expected = format!("{start}{version}{end}");
        let of_kind = |name: &str| {
            name.strip_prefix(start)
                .is_some_and(|rest| rest.ends_with(end) && rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        let found: Vec<String> = self.files_in(folder).into_iter().filter(|name| of_kind(name)).collect();
        if found != [expected.as_str()] {
            let found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
            self.problem(folder, format!("{expected} and no other version"), found);
        }
    }
}
