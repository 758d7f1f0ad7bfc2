//! `completions`: what a shell needs, on stdout.

use std::process::ExitCode;

use anyhow::Result;

use crate::{
    completions,
    flags::{CompletionsArgs, Global},
    workspace::Workspace,
};

pub(crate) fn run(global: &Global, args: &CompletionsArgs) -> Result<ExitCode> {
    let catalog = Workspace::of_table(global)?.catalog()?;
    print!("{}", completions::text(args.shell, &catalog));
    Ok(ExitCode::SUCCESS)
}
