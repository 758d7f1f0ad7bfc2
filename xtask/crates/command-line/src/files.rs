//! Commands that find, fetch and carry files.

use camino::Utf8PathBuf;
use clap::{Args, Subcommand};

use crate::{OriginArgs, Platforms, Select};

#[derive(Debug, Args)]
#[command(after_help = "\
A lock that answers the table is left as it is: versions never move by themselves.
  cargo xtask lock                      answer what is new in the table
  cargo xtask lock --update pandas      look again for one Maven artifact, Python project or Debian package
  cargo xtask lock --update debian      take the security updates of all Debian packages
  cargo xtask lock --check              fail if the lock does not answer the table; asks nobody")]
pub struct LockArgs {
    /// Look again for this name, or for all of `maven`, `pypi`, `debian`, `unresolved`
    #[arg(long, value_name = "NAME")]
    pub update: Vec<String>,
    /// Only say whether the lock answers the table
    #[arg(long, conflicts_with = "update")]
    pub check: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Where there is a network:
  cargo xtask bundle --out spark-images.tar             all images but those of group gpu
  cargo xtask bundle --out runtime.tar runtime --spark 3.5.7 --platform linux/amd64,linux/arm64
Where there is none, in a checkout of the same commit:
  cargo xtask bundle --in spark-images.tar
  cargo xtask build-layers --offline

With `--origin source` the compiled Spark is carried, not what compiles it: `cargo xtask vendor` carries that.")]
pub struct BundleArgs {
    #[command(flatten)]
    pub select: Select,
    #[command(flatten)]
    pub platforms: Platforms,
    #[command(flatten)]
    pub origin: OriginArgs,
    /// File to write
    #[arg(short, long, value_name = "FILE", required_unless_present = "input")]
    pub out: Option<Utf8PathBuf>,
    /// Take over what such a file holds
    #[arg(long = "in", id = "input", value_name = "FILE", conflicts_with_all = ["out", "images", "spark", "with", "platform"])]
    pub input: Option<Utf8PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Where there is a network, and this Spark was compiled once:
  cargo xtask vendor 3.5.7 -o spark-3.5.7-vendor.tar
Where there is none, in a checkout of the same commit:
  cargo xtask vendor --in spark-3.5.7-vendor.tar
  cargo xtask build-custom 3.5.7 --offline")]
pub struct VendorArgs {
    /// Spark version; with --source-dir the one of the tree
    #[arg(conflicts_with = "input")]
    pub spark: Option<String>,
    /// File to write
    #[arg(short, long, value_name = "FILE", required_unless_present = "input")]
    pub output: Option<Utf8PathBuf>,
    /// Take over what such a file holds
    #[arg(long = "in", id = "input", value_name = "FILE", conflicts_with = "output")]
    pub input: Option<Utf8PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
With `--origin source` the image that compiles is fetched as well. What Maven needs is not known before it runs:
`cargo xtask vendor` carries that.")]
pub struct FetchArgs {
    #[command(flatten)]
    pub select: Select,
    #[command(flatten)]
    pub platforms: Platforms,
    #[command(flatten)]
    pub origin: OriginArgs,
}

#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Read every fetched file and every built layer again and compare with its digest
    Verify {
        /// Take damaged files away, so that the next run fetches or builds them again
        #[arg(long)]
        repair: bool,
    },
    /// Print where the store is
    Path,
}
