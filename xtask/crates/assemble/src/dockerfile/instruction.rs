//! The instructions that are understood, before their variables are expanded.

use super::{Heredoc, run::Run};
use crate::oci::Healthcheck;

/// A Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dockerfile {
    /// The character that escapes.
    pub(crate) escape: char,
    /// The ARGs before the first FROM.
    pub(crate) args: Vec<Located<Vec<Arg>>>,
    pub(crate) stages: Vec<Stage>,
}

/// From one FROM to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stage {
    /// The line of the FROM.
    pub(crate) line: usize,
    pub(crate) base: String,
    /// In lower case.
    pub(crate) name: Option<String>,
    pub(crate) platform: Option<String>,
    pub(crate) instructions: Vec<Located<Instruction>>,
}

/// Something with the line on which it begins, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Located<T> {
    pub(crate) line: usize,
    pub(crate) value: T,
}

/// What a stage is made by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Instruction {
    Arg(Vec<Arg>),
    Cmd(CommandLine),
    Copy(Copy),
    Entrypoint(CommandLine),
    Env(Vec<Pair>),
    Expose(Vec<String>),
    Healthcheck(Healthcheck),
    Label(Vec<Pair>),
    Run(Run),
    Shell(Vec<String>),
    StopSignal(String),
    User(String),
    Volume(Vec<String>),
    Workdir(String),
}

/// `name` or `name=default` of an ARG.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arg {
    pub(crate) name: String,
    pub(crate) default: Option<String>,
}

/// `key=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) key: String,
    pub(crate) value: String,
}

/// What CMD, ENTRYPOINT and RUN run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CommandLine {
    /// A program and its arguments.
    Exec(Vec<String>),
    /// A line for the shell.
    Shell(String),
}

/// COPY, or ADD, which also unpacks archives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Copy {
    pub(crate) add: bool,
    /// A stage or an image; else it is the context.
    pub(crate) from: Option<String>,
    pub(crate) chown: Option<String>,
    pub(crate) chmod: Option<String>,
    pub(crate) link: bool,
    pub(crate) sources: Vec<String>,
    pub(crate) heredocs: Vec<Heredoc>,
    pub(crate) target: String,
}

/// A COPY as it is written in an image's history. `from` is left out, as BuildKit does.
pub(crate) fn copy_text(copy: &Copy) -> String {
    let mut text = if copy.add { "ADD" } else { "COPY" }.to_owned();
    for (flag, value) in [("chown", &copy.chown), ("chmod", &copy.chmod)] {
        if let Some(value) = value {
            text += &format!(" --{flag}={value}");
        }
    }
    for source in &copy.sources {
        text += &format!(" {source}");
    }
    for heredoc in &copy.heredocs {
        text += &format!(" <<{}", heredoc.name);
    }
    text + " " + &copy.target
}

/// `["a" "b"]`, the way in which BuildKit writes commands into the history.
pub(crate) fn quoted_list(words: &[String]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    format!("[{}]", quoted.join(" "))
}
