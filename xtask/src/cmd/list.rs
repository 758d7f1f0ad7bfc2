//! `list` with a Spark tree of the user's: [`checkout::list`] cannot read one. Without a tree it is the same.

use std::process::ExitCode;

use anyhow::Result;

use crate::{
    flags::{Global, ListArgs},
    workspace::Workspace,
};

pub(crate) fn run(global: &Global, args: &ListArgs) -> Result<ExitCode> {
    let workspace = Workspace::find(global)?;
    checkout::list::run(&workspace, &workspace.catalog()?, args.json)
}
