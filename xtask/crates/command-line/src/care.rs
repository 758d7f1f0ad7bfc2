//! Commands that look after this repository.

use std::path::PathBuf;

use camino::Utf8PathBuf;
use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
#[command(after_help = "\
What stands between the markers of a table is written from docker/versions.toml, the image
files and the flags; nothing else of a document is changed. The workflows of CI,
.github/workflows/ and .gitlab-ci.yml, are written as a whole. Checked are links between
documents, commands with their flags, and the paths of docs/PROJECT_MAP.md.")]
pub struct DocsArgs {
    /// Only say what would change, and fail if anything would
    #[arg(long)]
    pub check: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShellName {
    /// GNU Bash 4 or newer; what completes cargo itself goes on doing so
    Bash,
    /// Z shell: beside the file `_cargo` that comes with Rust
    Zsh,
    /// fish 3 or newer
    Fish,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Once, and again when commands, flags or images have changed; new shells then know them:
  cargo xtask completions bash > ~/.spark-images.bash        and `. ~/.spark-images.bash` at the end of ~/.bashrc
  cargo xtask completions zsh > ~/.zfunc/_cargo-xtask        with ~/.zfunc in fpath before compinit
  cargo xtask completions fish > ~/.config/fish/conf.d/cargo-xtask.fish

fish shows flags of cargo's own `run` and `fetch` beside those of the commands of that name.")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: ShellName,
}

#[derive(Debug, Args)]
#[command(after_help = "\
One page for `cargo xtask` and one for each command:
  cargo xtask man -o ~/.local/share/man/man1
  man cargo-xtask-build-layers")]
pub struct ManArgs {
    /// Folder to write to
    #[arg(short, long, value_name = "DIR")]
    pub output: Utf8PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "\
What is legacy stands in docker/versions.toml, [legacy], and nothing else is touched. Shown is
what would go, how big it is, which commit touched it last, and which files still name it. Then
it is removed from the working tree, as `rm` would do it. The index is left as it is:
  git status                   shows what went
  git checkout HEAD -- PATH    brings it back
  git add -A && git commit     makes it final
What git could not bring back (untracked, ignored or changed files, submodules, other
repositories) is refused, unless you say --force. No symbolic link is followed. Stopped at any
time, the next run goes on.

At the end files that still name what is gone are listed with their lines; the exit status is
then 1. It is 3 if images were left because something stands on them.

  cargo xtask cleanup-legacy --dry-run                 show it, and remove nothing
  cargo xtask cleanup-legacy --root ../old --yes       clean another checkout, without a question
  cargo xtask cleanup-legacy --engine docker           Docker's images of those names as well")]
pub struct CleanupLegacyArgs {
    /// Clean this checkout; this repository's own table says what is legacy
    #[arg(long, value_name = "DIR")]
    pub root: Option<Utf8PathBuf>,
    /// Leave what lies here, a path relative to the checkout. Repeat it for more
    #[arg(long, value_name = "PATH")]
    pub keep: Vec<PathBuf>,
    /// Look into this engine as well: images with the exact names of the table, and those that this program built and that
    /// have lost their last tag. Never one that a container stands on. Without it no engine is asked
    #[arg(long, value_enum, value_name = "ENGINE", value_delimiter = ',')]
    pub engine: Vec<CleanupEngine>,
    /// Show what would be removed, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Remove it without asking
    #[arg(long, conflicts_with = "dry_run")]
    pub yes: bool,
    /// Remove also what git could not bring back. It is gone for good
    #[arg(long)]
    pub force: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum CleanupEngine {
    /// Docker
    Docker,
    /// Podman
    Podman,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Without --yes nothing is removed. What a lock or a table of any checkout that uses this store
asks for stays, and so does every image with a name. Bytes are those that the file system gives
back: a file that has another name elsewhere frees none.

  cargo xtask gc                                 what there is, and what would be freed
  cargo xtask gc --yes --older-than 30           what nobody needs, nor used for a month
  cargo xtask gc --yes --old-images --compiled   images and compiled Spark of earlier tables too
  cargo xtask gc --engine docker                 earlier builds in Docker that lost their names

The exit status is 3 if something was left that another user or an engine does not give.")]
pub struct GcArgs {
    /// Remove what would be removed
    #[arg(long)]
    pub yes: bool,
    /// Only show it, whatever else is said: the default
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Only what nobody used for so many days. Engines do not tell
    #[arg(long, value_name = "DAYS", conflicts_with = "engine")]
    pub older_than: Option<u32>,
    /// Also images in the layout that the table no longer names
    #[arg(long)]
    pub old_images: bool,
    /// Also compiled Spark distributions that no table asks for. Each costs an hour
    #[arg(long)]
    pub compiled: bool,
    /// Also caches: those of RUN, Maven's repository, contexts of bake. A compile without them fetches for long
    #[arg(long)]
    pub caches: bool,
    /// Also images in this engine that have no name but the one that only builds use, and are not what would be built now.
    /// Never those of containers
    #[arg(long, value_enum, value_name = "ENGINE")]
    pub engine: Option<GcEngine>,
    /// Print the result as JSON, with each single thing
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GcEngine {
    /// Docker
    Docker,
    /// Podman
    Podman,
    /// buildah
    Buildah,
}
