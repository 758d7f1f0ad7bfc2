//! `gc`: shows what store, layout and engines hold, and removes what nobody needs any more.

use std::{
    collections::BTreeSet,
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Error, Result, bail};
use assemble::{Layout, oci};
use engines::Engine;
use store::{Store, StoreError};

use crate::{
    checkouts,
    flags::{GcArgs, GcEngine, Global},
    gc::{
        Item, Left,
        decide::{Needed, Options, Verdict, decide},
        engine,
        find::{Found, obstacle},
        needed::Images,
        remove::Removed,
        report::Report,
    },
    interrupt,
    machine::{Machine, open_store, store_folder},
    report::{
        self,
        text::{bytes, count},
    },
    workspace::Workspace,
};

/// What to do when somebody is at work.
const LATER: &str = "nothing was removed; run it again when that has ended";

pub(crate) fn run(global: &Global, args: &GcArgs) -> Result<ExitCode> {
    interrupt::flag()?;
    let workspace = Workspace::find(global)?;
    let catalog = workspace.catalog()?;
    // Held to the end: nobody begins to use what is about to go.
    let store = store(args.yes)?;
    let layout = layout(&workspace, args.yes)?;
    let machine = Machine::with_store(store, &workspace, global, &catalog)?;
    let images = layout.as_ref().map(Images::of).transpose()?.unwrap_or_default();
    let noted = checkouts::noted(&machine.store)?;
    let needed = Needed::of(&workspace, &machine, &images, &noted, args.old_images)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("reading the clock")?.as_secs();
    let now = i64::try_from(now).context("reading the clock")?;
    let options = Options { compiled: args.compiled, caches: args.caches, older_than: args.older_than, now };
    let Found { items, mut foreign, denied, .. } = find(&workspace, &machine.store)?;
    let mut left = denied;
    let decided = |item: Item| {
        let mut verdict = decide(item.kind, &item.of, item.disk.used, &needed, &options);
        if let (Verdict::Go(_), Some(why)) = (&verdict, obstacle(&item)) {
            left.push(Left { path: item.full_path(), why: why.clone() });
            verdict = Verdict::Keep(why);
        }
        (item, verdict)
    };
    let items: Vec<(Item, Verdict)> = items.into_iter().map(decided).collect();
    let engine = args.engine.map(engine_of);
    let in_engine = engine.map(|engine| engine::look(engine, &needed)).transpose()?;
    let untagged = needed.old(&images, args.old_images);
    let before = engine.filter(|_| args.yes).and_then(Engine::images_take);
    let mut removed = Removed::default();
    if args.yes {
        remove(layout.as_ref(), &untagged, &items, &mut removed)?;
        left.append(&mut removed.left);
        for image in in_engine.iter().flatten().filter(|image| matches!(image.verdict, Verdict::Go(_))) {
            stop_if_interrupted(&removed)?;
            let engine = engine.context("an image of no engine")?;
            left.extend(engine::remove(engine, image).with_context(|| interrupted(&removed))?);
        }
    }
    foreign.sort();
    left.sort();
    let shown = Report {
        items: &items,
        images: &images,
        needed: &needed,
        untagged: &untagged,
        engine: engine.map(|engine| engine.to_string()).zip(in_engine),
        foreign: &foreign,
        obstacles: &left,
        removed: args.yes.then_some(&removed),
        now,
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&shown.json())?);
    } else {
        shown.print();
        if let (Some(engine), Some(before)) = (engine, before) {
            let after = engine.images_take().unwrap_or_default();
            println!(
                "{engine} says that its images take {after}, and {before} before; its build cache may hold their layers"
            );
        }
    }
    Ok(report::done(!left.is_empty()))
}

/// The store: alone, if something is to be removed.
fn store(alone: bool) -> Result<Store> {
    let folder = store_folder()?;
    match Store::alone(&folder) {
        Ok(store) if alone => Ok(store),
        Ok(store) => {
            drop(store);
            open_store()
        }
        Err(StoreError::ReadOnly { .. }) => open_store(),
        Err(busy @ StoreError::InUse { .. }) if alone => Err(Error::from(busy).context(LATER)),
        Err(busy @ StoreError::InUse { .. }) => {
            eprintln!("note: {busy}; what it is writing now may be shown as left over");
            open_store()
        }
        Err(error) => Err(error.into()),
    }
}

/// The layout of this checkout, if it has one: alone, if something is to be removed.
fn layout(workspace: &Workspace, alone: bool) -> Result<Option<Layout>> {
    match (workspace.layout().exists(), alone) {
        (false, _) => Ok(None),
        (true, false) => Ok(Some(workspace.open_layout()?)),
        (true, true) => match Layout::alone(workspace.layout()) {
            Err(busy @ oci::Error::InUse { .. }) => Err(Error::from(busy).context(LATER)),
            layout => Ok(Some(layout?)),
        },
    }
}

fn find(workspace: &Workspace, store: &Store) -> Result<Found> {
    let mut found = Found::default();
    match store.is_read_only() {
        true => {
            let why = "you may not write to this store".to_owned();
            found.foreign.push(Left { path: store.root().to_owned(), why });
        }
        false => found.store(store.root())?,
    }
    found.target(&workspace.target())?;
    Ok(found)
}

/// Takes names away first, so that none stands for something that is not whole.
fn remove(
    layout: Option<&Layout>,
    untagged: &BTreeSet<String>,
    items: &[(Item, Verdict)],
    removed: &mut Removed,
) -> Result<()> {
    for name in untagged {
        stop_if_interrupted(removed)?;
        if let Some(layout) = layout {
            layout.untag(name)?;
        }
    }
    for (item, _) in items.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Go(_))) {
        stop_if_interrupted(removed)?;
        removed.remove(item);
    }
    Ok(())
}

fn stop_if_interrupted(removed: &Removed) -> Result<()> {
    if interrupt::is_set() {
        bail!(interrupted(removed));
    }
    Ok(())
}

fn interrupted(removed: &Removed) -> String {
    format!(
        "interrupted: {} removed, which freed {}; all else is whole, and the next gc goes on",
        count(removed.items, "thing"),
        bytes(removed.freed)
    )
}

fn engine_of(flag: GcEngine) -> Engine {
    match flag {
        GcEngine::Docker => Engine::Docker,
        GcEngine::Podman => Engine::Podman,
        GcEngine::Buildah => Engine::Buildah,
    }
}
