//! `store`: where fetched files lie, and whether they are still what they were.

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::Result;
use blob::Digest;

use crate::{
    flags::{Global, StoreCommand},
    machine::{kept_folder, open_store, store_folder},
    report::{progress::Board, text::count},
    schedule, stage,
    workspace::Workspace,
};

pub(crate) fn run(global: &Global, args: &StoreCommand) -> Result<ExitCode> {
    match args {
        StoreCommand::Path => {
            println!("{}", store_folder()?);
            Ok(ExitCode::SUCCESS)
        }
        StoreCommand::Verify { repair } => verify(global, *repair),
    }
}

fn verify(global: &Global, repair: bool) -> Result<ExitCode> {
    let workspace = Workspace::of_table(global)?;
    let store = open_store()?;
    let lock = workspace.lock()?;
    let sizes: BTreeMap<Digest, u64> =
        lock.artifacts.values().map(|artifact| (artifact.sha256, artifact.size)).collect();
    let cancel = crate::interrupt::flag()?;
    let board = Board::new();
    let step = board.step("fetched files", "verifying");
    let faults = store.verify_all(&|digest| sizes.get(digest).copied(), &cancel, &store::Silent)?;
    step.end("verified");
    let mut found = 0;
    for fault in &faults {
        println!("{fault}");
        let Some(digest) = fault.digest() else { continue };
        found += 1;
        if repair {
            store.remove(&digest)?;
        }
    }
    let step = board.step("kept Spark homes and root filesystems", "verifying");
    for fault in stage::verify(&kept_folder(&workspace, &store))? {
        println!("{}: {}", fault.path, fault.what);
        found += 1;
        if repair {
            fault.take_away()?;
        }
    }
    step.end("verified");
    if let Ok(layout) = workspace.open_layout() {
        let step = board.step("built layers", "verifying");
        let jobs = schedule::processors().get();
        for fault in layout.verify(jobs)? {
            println!("{}: corrupted: found {}", fault.path, fault.found);
            found += 1;
            if repair {
                layout.discard(&fault.expected)?;
            }
        }
        step.end("verified");
    }
    if found == 0 {
        println!("every file has its digest");
        return Ok(ExitCode::SUCCESS);
    }
    match repair {
        true => println!("{} taken away; the next run makes them again", count(found, "damaged file")),
        false => println!("{}; to take them away: cargo xtask store verify --repair", count(found, "damaged file")),
    }
    Ok(if repair { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
