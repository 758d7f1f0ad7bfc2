//! `push`: built images into a registry.

use std::{collections::BTreeSet, process::ExitCode};

use anyhow::{Error, Result};
use catalog::{ImageRef, Selection};
use compress::Kept;
use distribution::{Address, Credentials, Environment, Limits, Registry, Sessions};
use store::Store;

use crate::{
    flags::{Global, PushArgs},
    machine::{Machine, kept_folder},
    push::{self, Chosen, Conditions, Push},
    report::progress::Board,
    workspace::Workspace,
};

pub(crate) fn run(global: &Global, args: &PushArgs) -> Result<ExitCode> {
    let address = Address::parse(&args.registry, args.plain_http)?;
    let form = args.compression.parse()?;
    let workspace = Workspace::find(global)?;
    let catalog = workspace.catalog()?;
    let selection = Selection::from(&args.select);
    let named: BTreeSet<&ImageRef> = selection.chosen(&catalog)?.into_iter().map(|image| &image.reference).collect();
    let images = match args.with_parents {
        true => selection.with_parents(&catalog)?,
        false => selection.chosen(&catalog)?,
    };
    let platforms = catalog.table.platforms(&args.platforms.platform).map_err(Error::msg)?;
    let chosen = Chosen::new(&workspace, &catalog, &images, &platforms, &args.tag, |image| {
        !args.no_tags && named.contains(&image.reference)
    })?;
    chosen.check(
        &workspace,
        &Conditions {
            allow_release: args.allow_release || args.no_tags,
            allow_dirty: args.allow_dirty,
            smoke: args.require_smoke.clone(),
        },
    )?;
    let machine = Machine::look(&workspace, global, &catalog)?;
    let unstoppable = machine.unstoppable()?;
    let credentials = Credentials::new(Environment::current());
    let registry = Registry::new(&machine.http, address.clone(), credentials.clone());
    let kept = kept_folder(&workspace, &machine.store);
    let board = Board::new();
    // Two runs would go on with the same uploads.
    let waiting = |holder: &str| board.say(&format!("waiting   {holder} is pushing to {address}"));
    let _turn = match args.dry_run {
        true => None,
        false => Some(Store::open(&kept)?.lock(&format!("push-{}", address.host), &machine.cancel, &waiting)?),
    };
    let push = Push {
        machine: &machine,
        layout: &workspace.open_layout()?,
        registry: &registry,
        unstoppable: &Registry::new(&unstoppable, address.clone(), credentials),
        board: &board,
        kept: Kept::new(kept.join("compressed")),
        sessions: Sessions::new(kept.join("uploads")),
        limits: Limits::default(),
        form,
        dry_run: args.dry_run,
        journal: workspace.logs().join("push-tags.json"),
    };
    let done = push.run(&chosen.0)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&push::json(&push, &chosen.0, &done))?);
    } else {
        push::print(&push, &chosen.0, &done);
    }
    Ok(ExitCode::SUCCESS)
}
