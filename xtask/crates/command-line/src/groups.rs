//! The commands in groups, by what one wants to do: as the help and the documents show them.

use clap::{Command, Subcommand as _};

/// Title of a group, and its commands.
const GROUPS: [(&str, &[&str]); 6] = [
    ("Build", &["build-layers", "build-custom", "bake", "stage"]),
    ("Look", &["list", "plan", "graph", "why"]),
    ("Try", &["smoke", "audit", "run", "shell"]),
    ("Ship", &["push", "pull", "load", "export"]),
    ("CI", &["ci-matrix", "ci"]),
    ("Files", &["lock", "fetch", "bundle", "vendor", "store"]),
];

/// The group of all that no other one names.
const REST: &str = "Care";

/// The commands in groups, each with its title; none is left out.
pub fn groups() -> Vec<(&'static str, Vec<Command>)> {
    let all = crate::Command::augment_subcommands(Command::new("cargo xtask"));
    let of = |name: &str| GROUPS.iter().position(|(_, names)| names.contains(&name)).unwrap_or(GROUPS.len());
    let mut groups: Vec<(&'static str, Vec<Command>)> =
        GROUPS.iter().map(|(title, _)| *title).chain([REST]).map(|title| (title, Vec::new())).collect();
    for command in all.get_subcommands().filter(|command| !command.is_hide_set()) {
        groups[of(command.get_name())].1.push(command.clone());
    }
    for ((_, names), (_, commands)) in GROUPS.iter().zip(&mut groups) {
        commands.sort_by_key(|command| names.iter().position(|name| *name == command.get_name()));
    }
    groups
}

/// The help of `cargo xtask` itself: clap knows no headings for commands, so its list of them is cut into groups.
pub(crate) fn help_template() -> String {
    let groups = groups();
    let commands = groups.iter().flat_map(|(_, commands)| commands).enumerate();
    let mut list = Command::new("")
        .help_template("{subcommands}")
        .max_term_width(super::WIDTH)
        .disable_help_subcommand(true)
        .subcommands(commands.map(|(place, command)| command.clone().display_order(place)));
    let text = list.render_help().ansi().to_string();
    let mut lines = text.lines().peekable();
    let header = list.get_styles().get_header();
    let mut out = String::new();
    for (title, commands) in &groups {
        out.push_str(&format!("{header}{title}:{header:#}\n"));
        for _ in commands {
            // A command's line is indented by two; where its text is folded, what follows is indented further.
            while let Some(line) = lines.next() {
                out.push_str(&format!("{line}\n"));
                if lines.peek().is_none_or(|next| !next.starts_with("   ")) {
                    break;
                }
            }
        }
        out.push('\n');
    }
    format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{{before-help}}{out}{header}Everywhere:{header:#}\n{{options}}{{after-help}}"
    )
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::Cli;

    #[test]
    fn a_group_names_what_there_is() {
        let groups = groups();
        for (title, names) in GROUPS {
            let (_, commands) = groups.iter().find(|(other, _)| *other == title).unwrap();
            assert_eq!(commands.iter().map(Command::get_name).collect::<Vec<_>>(), names, "{title}");
        }
    }

    /// Whatever the width of the terminal: `render_help` takes it from there, and a pipe has none.
    #[test]
    fn the_help_has_each_command_once_below_the_title_of_its_group() {
        let text = Cli::command().render_help().to_string();
        let all = groups().into_iter().flat_map(|(_, commands)| commands);
        // The longest name and two blanks.
        let column = all.map(|command| command.get_name().len()).max().unwrap() + 2;
        let mut at = 0;
        for (title, commands) in groups() {
            for line in std::iter::once(format!("\n{title}:\n")).chain(commands.iter().map(|command| {
                let about = command.get_about().unwrap().to_string();
                format!("\n  {:<column$}{}", command.get_name(), about.split(' ').next().unwrap())
            })) {
                let found =
                    text[at..].find(line.trim_end()).unwrap_or_else(|| panic!("no {line:?} after {at}:\n{text}"));
                at += found + 1;
                assert_eq!(text.matches(&line).count(), 1, "{line:?}\n{text}");
            }
        }
        assert!(text[at..].contains("\nEverywhere:\n      --registry <KIND=URL>"), "{text}");
        assert!(!text.contains('{') && !text.contains("Commands:"), "{text}");
    }
}
