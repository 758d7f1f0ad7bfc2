//! What a shell needs to complete the words after `cargo xtask`.
//!
//! The word that shells look at is `cargo`, and Rust brings completions for it. Those of zsh ask a function `_cargo-xtask`,
//! those of bash do with bash-completion 2.12 or newer, and fish takes more for a command at any time. For an older bash what
//! completes `cargo` is taken in the place of what did before, and asks that for all other words.

use std::collections::{BTreeMap, BTreeSet};

use catalog::Catalog;
use clap::{Arg, Command, CommandFactory as _, builder::PossibleValuesParser};
use clap_complete::{Generator, Shell, generate};

use crate::flags::{Cli, ShellName};

/// What stands for `cargo xtask`: in zsh as Rust's completions call it.
const ZSH_NAME: &str = "cargo-xtask";
/// The same in bash, whose script of clap_complete 4.6 finds no words below a command with a hyphen in its name.
const BASH_NAME: &str = "cargo_xtask";

/// What the script for bash ends with.
const BASH: &str = include_str!("completions/cargo.bash");

/// The text for a shell, with the names that this table has.
pub(crate) fn text(shell: ShellName, catalog: &Catalog) -> String {
    let cli = with_names(Cli::command(), catalog);
    match shell {
        ShellName::Bash => render(Shell::Bash, cli, BASH_NAME) + BASH,
        ShellName::Zsh => render(Shell::Zsh, cli, ZSH_NAME),
        ShellName::Fish => {
            let xtask = cli.name("xtask").bin_name("cargo xtask");
            let cargo = Command::new("cargo").subcommand(xtask).disable_help_subcommand(true).disable_help_flag(true);
            // Names that are no others': fish brings functions of its own for cargo.
            let values = values(&cargo);
            (render(Shell::Fish, cargo, "cargo") + &values).replace("__fish_cargo_", "__fish_cargo_xtask_")
        }
    }
}

/// For fish, values of what has no flag: clap_complete 4.6 leaves them out there.
fn values(cargo: &Command) -> String {
    let mut out = String::new();
    for command in cargo.get_subcommands().flat_map(Command::get_subcommands) {
        let values = command.get_positionals().flat_map(Arg::get_possible_values);
        let names: Vec<String> = values.map(|value| value.get_name().to_owned()).collect();
        if !names.is_empty() {
            out.push_str(&format!(
                "complete -c cargo -n \"__fish_cargo_using_subcommand xtask; and __fish_seen_subcommand_from {}\" -f -a \"{}\"\n",
                command.get_name(),
                names.join(" ")
            ));
        }
    }
    out
}

fn render(shell: impl Generator, mut command: Command, name: &str) -> String {
    let mut out = Vec::new();
    generate(shell, &mut command, name, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// The command with what the table has for images, versions, groups and platforms.
fn with_names(command: Command, catalog: &Catalog) -> Command {
    let table = &catalog.table;
    let ids = catalog.images().iter().map(|image| image.id.clone()).collect::<BTreeSet<_>>();
    let references = catalog.images().iter().flat_map(|image| image.references().map(ToString::to_string));
    let names: BTreeMap<&str, Vec<String>> = BTreeMap::from([
        ("IMAGE", ids.into_iter().chain(references).collect()),
        ("VERSION", table.sparks.keys().cloned().collect()),
        ("SPARK", table.sparks.keys().cloned().collect()),
        ("GROUP", table.groups.keys().cloned().collect()),
        ("PLATFORM", table.platforms.iter().map(ToString::to_string).collect()),
    ]);
    // clap takes names that live as long as the process; this one prints them and ends.
    let fixed = |names: &Vec<String>| names.iter().map(|name| &*name.clone().leak()).collect::<Vec<&'static str>>();
    let fill = |arg: Arg| match arg.get_value_names().and_then(|value| names.get(value.first()?.as_str())) {
        Some(names) => arg.value_parser(PossibleValuesParser::new(fixed(names))),
        None => arg,
    };
    command.mut_subcommands(|command| command.mut_args(fill))
}
