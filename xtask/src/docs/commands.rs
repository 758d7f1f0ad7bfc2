//! The commands as documents show them: one table, and the help of each.

use std::fmt::Write as _;

use camino::Utf8Path;
use clap::{Command, CommandFactory as _};

use super::tables::{code, markdown, relative};
use crate::flags::{Cli, WIDTH, groups};

/// Where the reference is, whose headings the table links to.
const REFERENCE: &str = "docs/commands.md";

/// The commands in their groups.
pub(super) fn table(path: &Utf8Path) -> String {
    let reference = relative(path, Utf8Path::new(REFERENCE));
    let rows = groups().into_iter().flat_map(|(title, commands)| {
        let row = |command: &Command| {
            let (name, about) = (command.get_name(), command.get_about().map(ToString::to_string));
            vec![format!("[{}]({reference}#{name})", code(name)), about.unwrap_or_default()]
        };
        let rows: Vec<Vec<String>> = commands.iter().map(row).collect();
        [vec![format!("**{title}**"), String::new()]].into_iter().chain(rows)
    });
    markdown(&["command", "what it does"], rows)
}

/// The help of every command, below a heading of its name.
pub(super) fn reference() -> String {
    let mut out = String::from("\n");
    let everywhere = Cli::command().mut_subcommands(|command| command.hide(true)).help_template("{options}");
    section(&mut out, 2, "Everywhere", everywhere);
    for (title, commands) in groups() {
        let _ = writeln!(out, "## {title}\n");
        for command in commands {
            command_and_below(&mut out, "cargo xtask", command);
        }
    }
    out
}

fn command_and_below(out: &mut String, above: &str, command: Command) {
    let name = command.get_name().to_owned();
    let path = format!("{above} {name}");
    // Flags of every command stand once, at the top.
    let alone = command.clone().bin_name(&path).disable_help_flag(true).disable_help_subcommand(true);
    let heading = path.trim_start_matches("cargo xtask ").to_owned();
    section(out, 3, &heading, alone);
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        command_and_below(out, &path, below.clone());
    }
}

fn section(out: &mut String, level: usize, heading: &str, command: Command) {
    let help = command.term_width(WIDTH).render_long_help().to_string();
    let help: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{} {heading}\n\n```text\n{}\n```\n", "#".repeat(level), help.join("\n"));
}
