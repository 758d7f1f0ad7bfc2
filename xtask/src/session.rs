//! What nearly every command begins with: the checked table, its lock, the selected images, this machine.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use assemble::Layout;
use catalog::{Catalog, Coordinate, Image, LockedCatalog, Origin, Plan, Requests, Selection};

use crate::{
    build::Builder,
    fetch,
    flags::{Global, OriginArgs, OriginFlag, Select},
    machine::{Machine, is_locked, kept_folder},
    records::Records,
    report::progress::Board,
    resolve,
    runner::Runner,
    schedule,
    stage::Stager,
    workspace::Workspace,
};

/// A run of a command that needs the lock.
pub(crate) struct Session {
    pub(crate) workspace: Workspace,
    pub(crate) machine: Machine,
    pub(crate) locked: LockedCatalog,
    pub(crate) board: Board,
    may_write_lock: bool,
}

impl Session {
    /// Reads the table and the lock. A stale lock is brought up to date, unless that is refused.
    ///
    /// # Errors
    /// Problems in the table; a stale lock under `--locked` or `--offline`; a registry that does not answer.
    pub(crate) fn open(global: &Global, origin: Option<Origin>) -> Result<Self> {
        let workspace = Workspace::find(&global.images)?;
        let catalog = workspace.catalog()?;
        let machine = Machine::look(&workspace, global, &catalog)?;
        let board = Board::new();
        let origin = origin.unwrap_or(catalog.table.origin);
        let may_write_lock = !is_locked(global) && !global.offline;
        let mut lock = workspace.lock()?;
        if may_write_lock && !lock.answers(&Requests::of(&catalog)) {
            board.say("the lock does not answer the table any more: locking what is new");
            lock = resolve::lock(&workspace, &machine, &catalog, &lock, &[], &board)?;
            workspace.write_lock(&lock)?;
            board.say("docker/versions.lock was written; commit it");
        }
        let locked = LockedCatalog::new(catalog, lock, origin)?;
        Ok(Self { workspace, machine, locked, board, may_write_lock })
    }

    /// The catalog.
    pub(crate) fn catalog(&self) -> &Catalog {
        self.locked.catalog()
    }

    /// A builder into this checkout's layout.
    pub(crate) fn builder(&self) -> Result<Builder<'_>> {
        let layout = Layout::create(self.workspace.layout())?;
        let records = Records::of(&layout);
        let tags = layout.list()?;
        let stager = Stager { workspace: &self.workspace, machine: &self.machine, locked: &self.locked };
        let layer_jobs = schedule::processors().get();
        let kept = kept_folder(&self.workspace, &self.machine.store);
        let (runner, caches) = (Runner::new(kept.join("sandbox")), kept.join("run-caches"));
        Ok(Builder {
            stager,
            layout,
            records,
            tags,
            board: &self.board,
            layer_jobs,
            runner,
            caches,
            secrets: BTreeMap::new(),
        })
    }

    /// The plan for the selected images and all below them.
    pub(crate) fn plan<'a>(&self, builder: &Builder<'_>, images: &[&'a Image]) -> Result<Plan<'a>> {
        let mut failed = None;
        let inputs = |image: &Image| {
            builder.stager.inputs(image).unwrap_or_else(|error| {
                failed.get_or_insert(error);
                catalog::Inputs::default()
            })
        };
        let plan = Plan::new(images, &self.locked.blocked(), inputs, |image| builder.record(image));
        match failed {
            Some(error) => Err(error),
            None => Ok(plan),
        }
    }

    /// Brings what these images need into the store. Debian packages that their archive has replaced are locked anew,
    /// where the lock may be written: then the session must be opened again, and this returns true.
    pub(crate) fn fetch(&self, images: &[&Image]) -> Result<bool> {
        let needed = fetch::needed(&self.locked, images);
        let gone = fetch::ensure(&self.workspace, &self.machine, &needed, &self.board)?;
        if gone.debs.is_empty() {
            return Ok(false);
        }
        let names = gone.debs.iter().map(Coordinate::to_string).collect::<Vec<_>>().join(", ");
        if !self.may_write_lock {
            bail!(
                "their archive has replaced these packages, and the lock must not change: {names}\n\
                 to take their successors: cargo xtask lock --update debian"
            );
        }
        self.board.say(&format!("replaced in their archive: {names}; taking their successors"));
        let update = ["debian".to_owned()];
        let old = self.locked.lock();
        let lock = resolve::lock(&self.workspace, &self.machine, self.catalog(), old, &update, &self.board)?;
        if lock == *old {
            bail!(
                "the archive has neither these packages nor successors of them: {names}\ntry again when its mirror is complete"
            );
        }
        self.workspace.write_lock(&lock)?;
        self.board.say("docker/versions.lock was written; commit it");
        Ok(true)
    }
}

impl From<&Select> for Selection {
    fn from(select: &Select) -> Self {
        Selection { images: select.images.clone(), sparks: select.spark.clone(), with: select.with.clone() }
    }
}

impl OriginArgs {
    /// The origin that was asked for.
    pub(crate) fn origin(&self) -> Option<Origin> {
        self.origin.map(|OriginFlag::Release| Origin::Release)
    }
}
