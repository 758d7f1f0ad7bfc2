//! What people see: sizes, times, tables, progress; and how a command ends.

use std::process::ExitCode;

use anyhow::{Context as _, Result};

pub(crate) mod built;
pub(crate) mod graph;
pub(crate) mod legacy;
pub(crate) mod plan;
pub(crate) mod progress;

pub(crate) use checkout::text;

/// The end of a command that did all that could be done: 3 if something was left out, because no registry has it.
pub(crate) fn done(left_out: bool) -> ExitCode {
    if left_out { ExitCode::from(3) } else { ExitCode::SUCCESS }
}

/// A command as a shell takes it.
///
/// # Errors
/// A word holds a NUL.
pub(crate) fn quoted(words: &[&str]) -> Result<String> {
    shlex::try_join(words.iter().copied()).context("a NUL in an argument")
}
