//! Commands that add and remove Spark versions.

use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "\
What belongs to the version is looked up where [lookup] in docker/versions.toml
says, and copied from the nearest supported version where nothing moved. What
can be neither stands as a question (`\"? ...\"`) in table and image files: every
command then names it, with its line, until it is answered, and this one ends
with status 3. So it does where no registry has an artifact of the version: what
needs it is blocked.

All files are written, or none. Files that you changed keep your changes,
because only entries come into them. A file that would be written as a whole and
is there already is an error, unless --force says to replace it. With --offline
nothing is looked up and nothing locked, and each value is a question. --dry-run
writes nothing but fetched files to the store.

  cargo xtask add-version 3.5.8 --dry-run    the diff of every file
  cargo xtask add-version 3.5.8              then: build-layers --spark 3.5.8
  cargo xtask remove-version 3.5.8           and all of it is gone again")]
pub struct AddVersionArgs {
    /// The release of Spark, such as `3.5.8`
    #[arg(value_name = "VERSION")]
    pub version: String,
    /// The supported version that it is made from, if not the nearest
    #[arg(long, value_name = "VERSION")]
    pub from: Option<String>,
    /// Take artifacts that no registry has in the version of the one that it is made from: writes [[substitute]] entries
    #[arg(long)]
    pub substitute: bool,
    /// Print the diff of every file, and write none
    #[arg(long)]
    pub dry_run: bool,
    /// Replace files that are there already
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The version goes from the table, its Dockerfile, wrapper and patches go, and it
goes from lists, lock and documents. If the last commit has it as [unsupported],
it is that again, with the same reason: what was added since leaves no trace.
--reason makes it unsupported in any other case.

All files are written, or none. Files that you changed keep your changes. A file
that would be removed, that git does not have as it is and that `add-version`
would not write so either, is an error, unless --force says to remove it. Images
that were built stay in target/spark-images.

  cargo xtask remove-version 3.5.8 --dry-run           the diff of every file
  cargo xtask remove-version 4.1.1 --reason \"it loses shuffle blocks\"")]
pub struct RemoveVersionArgs {
    /// A version that the table supports
    #[arg(value_name = "VERSION")]
    pub version: String,
    /// Why it is not supported: it stays in the table under [unsupported]
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Print the diff of every file, and write none
    #[arg(long)]
    pub dry_run: bool,
    /// Remove files that nobody could bring back
    #[arg(long)]
    pub force: bool,
}
