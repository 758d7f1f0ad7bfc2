//! Commands that CI calls.

use camino::Utf8PathBuf;
use clap::{Args, Subcommand, ValueEnum};

use crate::{OriginArgs, Select};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MatrixFormat {
    /// For people: each job, its images, and why they are there
    Text,
    /// An object for `fromJSON` in a workflow of GitHub, with a list for each level
    Github,
    /// A child pipeline for GitLab
    Gitlab,
    /// For programs: docs/ci.md has the schema
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GroupBy {
    /// Every image is a job
    Image,
    /// An image with its only child, while that has no other parent and is for the same Spark
    Chain,
    /// What is equally far from an image without parents, for one Spark
    Level,
    /// All of one Spark version
    Version,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Builds nothing and asks no network and no engine. What each format holds, and how an empty matrix is handled: docs/ci.md.

Examples:
  cargo xtask ci-matrix                                       all jobs
  cargo xtask ci-matrix --changed-since origin/main           what differs from there, and what stands on it
  cargo xtask ci-matrix --changed-since HEAD --format json    what the working tree changes
  cargo xtask ci-matrix --format github --github-output       in a step of GitHub Actions
  cargo xtask ci-matrix --format gitlab > child.yml           in a job of GitLab")]
pub struct CiMatrixArgs {
    #[command(flatten)]
    pub select: Select,
    /// What the images are for: `linux/amd64`, `linux/arm64`, or both with a comma. The first platform of the table, if none
    /// is named: not this machine's own, so that every machine prints the same
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    pub platform: Vec<String>,
    #[command(flatten)]
    pub origin: OriginArgs,
    /// Only images that come out anew since this commit, by all that they are made of, with the reason for each
    #[arg(long, value_name = "REF")]
    pub changed_since: Option<String>,
    /// What is printed
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    pub format: MatrixFormat,
    /// What is built in one job. A coarser one is taken where a limit of the CI system would be broken
    #[arg(long, value_enum, value_name = "GROUPING", default_value = "chain")]
    pub group_by: GroupBy,
    /// Append `matrix`, `levels` and `empty` to the file that GITHUB_OUTPUT names. Needs --format github
    #[arg(long)]
    pub github_output: bool,
}

#[derive(Debug, Subcommand)]
pub enum CiCommand {
    /// Build, audit and test the images of one job of `ci-matrix`, as a workflow does
    Run(CiRunArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Builds the images of the job and what they stand on, unless it is here or in the registry of --cache-from; judges their
layers; tests the images; then hands them on. A job whose images are all in the registry fetches nothing else.

Examples:
  cargo xtask ci run base
  cargo xtask ci run custom-to-wrapper-3.5.7 --cache-from registry.example/cache --cache-to registry.example/cache
  cargo xtask ci run runtime-iceberg-3.5.7 --cache-from registry.example/cache --junit junit.xml --sarif audit.sarif \\
    --push registry.example/team")]
pub struct CiRunArgs {
    /// The job, by its id in `ci-matrix`
    pub id: String,
    #[command(flatten)]
    pub origin: OriginArgs,
    /// Take images from this registry that are made of what would be built here
    #[arg(long, value_name = "REGISTRY[/PATH]")]
    pub cache_from: Option<String>,
    /// Put the images there by what they are made of, without tags: later jobs take them with --cache-from
    #[arg(long, value_name = "REGISTRY[/PATH]")]
    pub cache_to: Option<String>,
    /// Push the images there with their tags, if no check failed
    #[arg(long, value_name = "REGISTRY[/PATH]")]
    pub push: Option<String>,
    /// Push images of origin `release` too
    #[arg(long, requires = "push")]
    pub allow_release: bool,
    /// Push although the checkout differs from its last commit
    #[arg(long)]
    pub allow_dirty: bool,
    /// Ask these registries without TLS
    #[arg(long)]
    pub plain_http: bool,
    /// Build and push, and do not judge the layers
    #[arg(long)]
    pub no_audit: bool,
    /// Write what the audit found as SARIF too
    #[arg(long, value_name = "FILE", conflicts_with = "no_audit")]
    pub sarif: Option<Utf8PathBuf>,
    /// Build and push, and test nothing
    #[arg(long)]
    pub no_smoke: bool,
    /// Write a JUnit report of the tests
    #[arg(long, value_name = "FILE")]
    pub junit: Option<Utf8PathBuf>,
}
