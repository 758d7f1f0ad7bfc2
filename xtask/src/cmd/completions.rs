//! `completions`: what a shell needs, on stdout.

use std::process::ExitCode;

use anyhow::Result;

use crate::{
    completions,
    flags::{CompletionsArgs, Global},
};

pub(crate) fn run(_: &Global, args: &CompletionsArgs) -> Result<ExitCode> {
    print!("{}", completions::text(args.shell));
    Ok(ExitCode::SUCCESS)
}
