//! Commands that look after this repository.

use camino::Utf8PathBuf;
use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
#[command(after_help = "\
What stands between the markers of a table is written from docker/versions.toml, the image files and the flags; nothing else
of a document is changed. Checked are links between documents, commands with their flags, and the paths of
docs/PROJECT_MAP.md.")]
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
