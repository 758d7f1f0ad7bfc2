//! What a shell needs to complete the words after `cargo xtask`.
//!
//! The word that shells look at is `cargo`, and Rust brings completions for it. Those of zsh ask a function `_cargo-xtask`,
//! those of bash do with bash-completion 2.12 or newer, and fish takes more for a command at any time. For an older bash what
//! completes `cargo` is taken in the place of what did before, and asks that for all other words.

use clap::{Command, CommandFactory as _};
use clap_complete::{Generator, Shell, generate};

use crate::flags::{Cli, ShellName};

/// What stands for `cargo xtask`: in zsh as Rust's completions call it.
const ZSH_NAME: &str = "cargo-xtask";
/// The same in bash, whose script of clap_complete 4.6 finds no words below a command with a hyphen in its name.
const BASH_NAME: &str = "cargo_xtask";

/// What the script for bash ends with.
const BASH: &str = include_str!("completions/cargo.bash");

/// The text for a shell.
pub(crate) fn text(shell: ShellName) -> String {
    match shell {
        ShellName::Bash => render(Shell::Bash, Cli::command(), BASH_NAME) + BASH,
        ShellName::Zsh => render(Shell::Zsh, Cli::command(), ZSH_NAME),
        ShellName::Fish => {
            let xtask = Cli::command().name("xtask").bin_name("cargo xtask");
            let cargo = Command::new("cargo").subcommand(xtask).disable_help_subcommand(true).disable_help_flag(true);
            // Names that are no others': fish brings functions of its own for cargo.
            render(Shell::Fish, cargo, "cargo").replace("__fish_cargo_", "__fish_cargo_xtask_")
        }
    }
}

fn render(shell: impl Generator, mut command: Command, name: &str) -> String {
    let mut out = Vec::new();
    generate(shell, &mut command, name, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}
