//! `outdated`: what has newer versions, and which of them may be taken.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::{
    flags::{Global, OutdatedArgs},
    machine::Machine,
    outdated::{Survey, report},
    report::progress::Board,
    resolve::index::SimpleIndex,
    workspace::Workspace,
};

pub(crate) fn run(global: &Global, args: &OutdatedArgs) -> Result<ExitCode> {
    if global.offline {
        bail!(
            "only the registries know what is newer than the lock, and --offline asks nobody\nrun it where there is a network, without --offline"
        );
    }
    let workspace = Workspace::of_table(global)?;
    let catalog = workspace.catalog()?;
    let lock = workspace.lock()?;
    let machine = Machine::look(&workspace, global, &catalog)?;
    let board = Board::new();
    let index = SimpleIndex::new(&machine);
    let survey =
        Survey { workspace: &workspace, machine: &machine, catalog: &catalog, lock: &lock, index, names: &args.names };
    let rows = survey.rows(&board)?;
    if rows.is_empty() && !args.names.is_empty() {
        bail!(
            "nothing of docker/versions.toml or docker/versions.lock that could move is called {}\n\
             names are keys of [versions], artifacts, projects and packages: cargo xtask outdated --all",
            args.names.join(", ")
        );
    }
    if args.json {
        report::json(&rows)?;
    } else {
        report::print(&rows, args.all || !args.names.is_empty());
    }
    Ok(report::status(&rows))
}
