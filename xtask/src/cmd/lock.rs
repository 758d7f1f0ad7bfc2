//! `lock`: finds the bytes for the table.

use std::process::ExitCode;

use anyhow::{Result, bail};
use catalog::{Lock, LockedCatalog, Requests};

use crate::{
    flags::{Global, LockArgs},
    machine::{Machine, is_ci},
    report::{progress::Board, text::count},
    resolve,
    workspace::Workspace,
};

pub(crate) fn run(global: &Global, args: &LockArgs) -> Result<ExitCode> {
    let workspace = Workspace::of_table(global)?;
    let catalog = workspace.catalog()?;
    let old = workspace.lock()?;
    let origin = catalog.table.origin;
    if args.check {
        LockedCatalog::new(catalog, old, origin)?;
        println!("docker/versions.lock answers the table");
        return Ok(ExitCode::SUCCESS);
    }
    if args.update.is_empty() && old.answers(&Requests::of(&catalog)) {
        LockedCatalog::new(catalog, old, origin)?;
        println!("docker/versions.lock answers the table; to look again for something: cargo xtask lock --update NAME");
        return Ok(ExitCode::SUCCESS);
    }
    // --update says what is to move, so a scheduled run of CI may do it.
    if global.locked || args.update.is_empty() && is_ci() {
        bail!(
            "docker/versions.lock would change, and --locked (or CI=true) forbids it\nrun `cargo xtask lock` on a developer's machine and commit the result"
        );
    }
    let machine = Machine::look(&workspace, global, &catalog)?;
    let board = Board::new();
    let new = resolve::lock(&workspace, &machine, &catalog, &old, &args.update, &board)?;
    report(&old, &new);
    workspace.write_lock(&new)?;
    // What the jars say is written down; whether the table agrees is another question.
    LockedCatalog::new(catalog, new, origin)?;
    Ok(ExitCode::SUCCESS)
}

/// What changed, by name.
fn report(old: &Lock, new: &Lock) {
    let mut changes = 0;
    for id in new.artifacts.keys().filter(|id| !old.artifacts.contains_key(*id)) {
        let before = old.artifacts.keys().find(|other| {
            other.name() == id.name() && other.kind() == id.kind() && !new.artifacts.contains_key(*other)
        });
        match before {
            Some(before) => println!("moved    {before} -> {id}"),
            None => println!("added    {id}"),
        }
        changes += 1;
    }
    for id in old.artifacts.keys().filter(|id| !new.artifacts.keys().any(|other| other.name() == id.name())) {
        println!("removed  {id}");
        changes += 1;
    }
    for (key, shims) in new.shims.iter().filter(|(key, shims)| old.shims.get(*key) != Some(*shims)) {
        println!("knows    {}: {}", key.trim_start_matches("shims "), shims.known.join(", "));
        changes += 1;
    }
    for entry in new.unresolved.values() {
        println!("absent   {}: {}", entry.request, entry.reason);
    }
    println!("docker/versions.lock: {}, {}", count(new.artifacts.len(), "artifact"), count(changes, "change"));
}
