//! The command that judges images.

use camino::Utf8PathBuf;
use clap::{Args, ValueEnum};

use crate::Platforms;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AuditFormat {
    /// For people
    Text,
    /// Each finding with its rule, place, layer, instruction and images
    Json,
    /// SARIF 2.1.0, as code scanning takes it
    Sarif,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// An error
    Error,
    /// An error or a warning
    Warning,
    /// Any finding
    Note,
    /// Nothing that is found
    Never,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Read are the layers in the output folder; nothing is run or unpacked. What an image should be stands
in docker/versions.toml and docker/versions.lock; what may be otherwise, each with its reason, in
docker/audit.toml. The rules and what to do about each: docs/audit.md.

  cargo xtask audit                                    all images that are built
  cargo xtask audit runtime --spark 3.5                some of them
  cargo xtask audit --format sarif -o audit.sarif      for code scanning
  cargo xtask audit --root ../old                      a tree with Dockerfiles, scripts and jars

The exit status is 1 if something as bad as --fail-on says was found, or if the audit failed.")]
pub struct AuditArgs {
    /// Images: an id (`custom`), a name (`spark-k8s`), a name with its tag, or a prefix with `*`. All that are built, of
    /// all groups, if none is named
    #[arg(value_name = "IMAGE")]
    pub images: Vec<String>,
    /// Only this Spark version or line (`3.5.7`, `3.5`)
    #[arg(long, value_name = "VERSION")]
    pub spark: Vec<String>,
    #[command(flatten)]
    pub platforms: Platforms,
    /// Judge the files of this tree in the place of images: Dockerfiles, scripts, Makefiles, jars, by this repository's
    /// own table
    #[arg(long, value_name = "DIR", conflicts_with_all = ["images", "spark", "platform"])]
    pub root: Option<Utf8PathBuf>,
    /// What is written. With --output, standard output says it for people as well
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    pub format: AuditFormat,
    /// File to write to; standard output, if left out
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<Utf8PathBuf>,
    /// What makes the exit status 1
    #[arg(long, value_enum, value_name = "SEVERITY", default_value = "error")]
    pub fail_on: FailOn,
}
