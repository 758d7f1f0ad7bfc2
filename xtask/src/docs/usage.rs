//! Commands that documents show: each is one of ours, and has the flags that it is shown with.

use camino::Utf8Path;
use clap::{Arg, Command, CommandFactory as _};
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::{Documents, line};
use crate::flags::Cli;

/// It tells what was, under the name that it had.
const HISTORY: &str = "CHANGELOG.md";

/// Each command or flag that is shown and is none, as `FILE:LINE: PROBLEM`.
pub(super) fn problems(documents: &Documents) -> Vec<String> {
    let mut root = Cli::command();
    root.build();
    let mut problems = Vec::new();
    for (path, document) in documents.all.iter().filter(|(path, _)| *path != Utf8Path::new(HISTORY)) {
        let text = &document.rendered;
        let mut block = false;
        for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
            let code = match event {
                // A block with a language holds what a program said, or is none of ours.
                Event::Start(Tag::CodeBlock(kind)) => {
                    block = matches!(&kind, CodeBlockKind::Indented)
                        || matches!(&kind, CodeBlockKind::Fenced(name) if name.is_empty());
                    continue;
                }
                Event::End(TagEnd::CodeBlock) => {
                    block = false;
                    continue;
                }
                Event::Text(code) if block => code,
                Event::Code(code) => code,
                _ => continue,
            };
            let lines = code.lines().enumerate();
            let wrong =
                lines.filter_map(|(below, shown)| Some((line(text, range.start) + below, problem(&root, shown)?)));
            problems.extend(wrong.map(|(line, problem)| format!("{path}:{line}: {problem}")));
        }
    }
    problems
}

/// What is wrong with a line of code.
fn problem(root: &Command, shown: &str) -> Option<String> {
    shown.split("cargo xtask ").skip(1).find_map(|words| misused(root, words))
}

/// What is wrong with the words after one `cargo xtask`.
fn misused(root: &Command, words: &str) -> Option<String> {
    let mut command = root;
    for word in
        words.split_whitespace().take_while(|word| *word != "--" && !word.starts_with(['#', '|', ';', '&', '>']))
    {
        if let Some(flag) = word.strip_prefix("--") {
            let name = flag.split('=').next().unwrap_or(flag);
            let known = |arg: &Arg| arg.get_long_and_visible_aliases().is_some_and(|all| all.contains(&name));
            if !command.get_arguments().any(known) {
                return Some(format!("`{}` has no flag `--{name}`", typed(command)));
            }
        } else if let Some(below) = command.find_subcommand(word) {
            command = below;
        } else if command.is_subcommand_required_set() && word.chars().all(|c| c.is_ascii_lowercase() || c == '-') {
            return Some(format!("`{}` has no command `{word}`", typed(command)));
        }
    }
    None
}

fn typed(command: &Command) -> &str {
    command.get_bin_name().unwrap_or_else(|| command.get_name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docs::Document;

    #[test]
    fn what_is_shown_can_be_typed() {
        let text = "`cargo xtask COMMAND --help`, `cargo\nxtask bulid-layers`, cargo xtask nothing, `cargo xtask`\n\n    \
                    A=1 cargo xtask build-layers runtime --offline # --nothing\n    cargo xtask store verify --repair --force\n    \
                    cargo xtask run IMAGE -- spark-submit --version\n    cargo xtask store tidy && cargo xtask graph --format=svg\n\n\
                    ```text\ncargo xtask nothing\n```\n";
        let document = Document { text: String::new(), rendered: text.to_owned() };
        let history = Document { text: String::new(), rendered: "`cargo xtask bygone`".to_owned() };
        let documents = Documents {
            all: [("a.md".into(), document), (HISTORY.into(), history)].into(),
            workflows: Default::default(),
        };
        assert_eq!(
            problems(&documents),
            [
                "a.md:1: `cargo xtask` has no command `bulid-layers`",
                "a.md:5: `cargo xtask store verify` has no flag `--force`",
                "a.md:7: `cargo xtask store` has no command `tidy`",
            ]
        );
    }
}
