//! What nearly every command begins with: the checked table, its lock, the selected images, this machine.

use std::collections::BTreeMap;

use anyhow::{Error, Result, bail};
use assemble::Layout;
use catalog::{Catalog, Coordinate, Decision, Image, Lock, LockedCatalog, Origin, Origins, Plan, Platform, Requests};
use checkout::records::Records;

use crate::{
    build::Builder,
    checkouts,
    compile::Wanted,
    fetch,
    flags::{Global, OriginFlag},
    machine::{Machine, is_ci, is_locked, kept_folder},
    platform,
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
    pub(crate) fn open(global: &Global, origin: Option<OriginFlag>) -> Result<Self> {
        let workspace = Workspace::find(global)?;
        // The tree of `--source-dir` is being looked at meanwhile.
        let lock = workspace.lock();
        let catalog = workspace.catalog()?;
        let machine = Machine::look(&workspace, global, &catalog)?;
        checkouts::note(&workspace, &machine.store)?;
        let board = Board::new();
        let origins = origins(&catalog, origin)?;
        let may_write_lock = !is_locked(global) && !global.offline;
        let mut lock = lock?;
        if may_write_lock && !lock.answers(&Requests::of(&catalog)) {
            board.say("the lock does not answer the table any more: locking what is new");
            lock = resolve::lock(&workspace, &machine, &catalog, &lock, &[], &board)?;
            workspace.write_lock(&lock)?;
            board.say("docker/versions.lock was written; commit it");
        }
        let locked = LockedCatalog::new(catalog, lock, origins)?;
        let mut session = Self { workspace, machine, locked, board, may_write_lock };
        if origin == Some(OriginFlag::Auto) {
            session.settle_origins()?;
        }
        Ok(session)
    }

    /// The same with a lock that answers the table, taken as it is: nothing is asked for, and nothing written.
    ///
    /// # Errors
    /// The lock is stale; the origin is refused.
    pub(crate) fn as_it_is(
        workspace: Workspace,
        machine: Machine,
        catalog: Catalog,
        lock: Lock,
        origin: Option<OriginFlag>,
    ) -> Result<Self> {
        let origins = origins(&catalog, origin)?;
        let locked = LockedCatalog::new(catalog, lock, origins)?;
        let mut session = Self { workspace, machine, locked, board: Board::new(), may_write_lock: false };
        if origin == Some(OriginFlag::Auto) {
            session.settle_origins()?;
        }
        Ok(session)
    }

    /// Origin `auto`: the versions that are not compiled yet are taken from their release.
    fn settle_origins(&mut self) -> Result<()> {
        let mut origins = Origins::from(Origin::Source);
        let stager = self.stager();
        let local = self.catalog().local.as_ref();
        let versions = self.catalog().table.sparks.keys();
        for spark in versions.filter(|spark| local.is_none_or(|local| local.spark != **spark)) {
            let compiled = match self.catalog().table.sparks[spark].source {
                Some(_) => Wanted::new(&stager, spark)?.kept(&stager)?.is_some(),
                None => false,
            };
            let origin = if compiled { Origin::Source } else { Origin::Release };
            self.board.say(&format!("Spark {spark}: origin {origin}"));
            origins.of.insert(spark.clone(), origin);
        }
        self.locked.set_origins(origins);
        Ok(())
    }

    /// The version that a command about one Spark is for, as a selection has it: the one that was named, or that of the
    /// user's own tree.
    pub(crate) fn one_spark(&self, named: Option<&str>) -> Result<Vec<String>> {
        match (named, &self.catalog().local) {
            (Some(version), _) => Ok(vec![version.to_owned()]),
            (None, Some(local)) => Ok(vec![local.spark.clone()]),
            (None, None) => {
                let known = self.catalog().table.sparks.keys().cloned().collect::<Vec<_>>().join(", ");
                bail!("which Spark? name a version ({known}), or a tree of your own with --source-dir")
            }
        }
    }

    /// The platforms that a command is about.
    pub(crate) fn platforms(&self, asked: &[String]) -> Result<Vec<Platform>> {
        self.catalog().table.platforms(asked).map_err(Error::msg)
    }

    /// What stages the images of this run, for the platform that is meant without a word.
    pub(crate) fn stager(&self) -> Stager<'_> {
        let platform = self.catalog().table.default_platform();
        Stager { workspace: &self.workspace, machine: &self.machine, locked: &self.locked, platform }
    }

    /// The catalog.
    pub(crate) fn catalog(&self) -> &Catalog {
        self.locked.catalog()
    }

    /// A builder of images for this platform into this checkout's layout.
    pub(crate) fn builder(&self, platform: Platform) -> Result<Builder<'_>> {
        let layout = Layout::create(self.workspace.layout())?;
        let records = Records::of(&layout, platform);
        let names = layout.named_manifests()?;
        let layer_jobs = schedule::processors().get();
        let kept = kept_folder(&self.workspace, &self.machine.store);
        let (runner, caches) = (Runner::new(kept.join("sandbox"), platform), kept.join("run-caches"));
        Ok(Builder {
            stager: self.stager().on(platform),
            layout,
            records,
            names,
            elsewhere: Vec::new(),
            board: &self.board,
            layer_jobs,
            prepare: None,
            engine: None,
            runner,
            caches,
            secrets: BTreeMap::new(),
        })
    }

    /// The plan of a builder for the selected images and all below them.
    pub(crate) fn plan<'a>(&self, builder: &Builder<'_>, images: &[&'a Image]) -> Result<Plan<'a>> {
        let mut failed = None;
        let inputs = |image: &Image| {
            builder.stager.inputs(image).unwrap_or_else(|error| {
                failed.get_or_insert(error);
                catalog::Inputs::default()
            })
        };
        let platform = builder.stager.platform;
        let blocked = self.locked.blocked(platform);
        let plan = Plan::new(platform, images, &blocked, inputs, |image| builder.record(image));
        match failed {
            Some(error) => Err(error),
            None => Ok(plan),
        }
    }

    /// A builder that knows the images of other platforms: they keep the names that they share with what is built, unless
    /// they would come out otherwise now. A name never stands for images of two makings.
    pub(crate) fn beside_others<'b>(&self, mut builder: Builder<'b>, plan: &Plan<'_>) -> Result<Builder<'b>> {
        if builder.engine.is_some() {
            // Its images have their names in the engine.
            return Ok(builder);
        }
        let builds = |plan: &Plan<'_>| plan.images.iter().any(|one| matches!(one.decision, Decision::Build(_)));
        let others = self.catalog().table.platforms.iter().filter(|&&other| other != plan.platform && builds(plan));
        for &other in others {
            let there = self.builder(other)?;
            if there.records.is_empty() {
                continue;
            }
            let images: Vec<&Image> = plan.images.iter().map(|planned| planned.image).collect();
            let cached = self.plan(&there, &images)?.images.into_iter();
            let cached = cached.filter(|planned| matches!(planned.decision, Decision::Cached(_)));
            let current = cached.map(|planned| planned.image.reference.clone()).collect();
            builder.elsewhere.push((platform::oci(other), current));
        }
        Ok(builder)
    }

    /// Looks again for what the lock calls unresolved, where it may be written.
    pub(crate) fn look_again(&self, keys: &[String]) -> Result<()> {
        if !self.may_write_lock || keys.is_empty() {
            return Ok(());
        }
        self.board.say(&format!("looking for {}, which the lock calls unresolved", keys.join(", ")));
        let old = self.locked.lock();
        let lock = resolve::lock(&self.workspace, &self.machine, self.catalog(), old, keys, &self.board)?;
        if lock != *old {
            self.workspace.write_lock(&lock)?;
            self.board.say("docker/versions.lock was written; commit it");
        }
        Ok(())
    }

    /// Brings what these images, each for its platform, need into the store. Debian packages that their archive has replaced
    /// are locked anew, where the lock may be written: then the session must be opened again, and this returns true.
    pub(crate) fn fetch(&self, images: &[(Platform, &Image)]) -> Result<bool> {
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

/// What an image waits for that may be had by now: source archives that were not to be had when the lock was written.
pub(crate) fn archives(plan: &Plan<'_>, locked: &LockedCatalog) -> Vec<String> {
    let blocked = plan.images.iter().filter(|planned| matches!(planned.decision, Decision::Blocked(_)));
    let keys = blocked.flat_map(|planned| locked.unresolved(plan.platform, planned.image));
    keys.filter(|key| matches!(key.parse(), Ok(Coordinate::Archive(_)))).collect()
}

/// The origins that were asked for; the table's choice for what nothing was said of.
fn origins(catalog: &Catalog, asked: Option<OriginFlag>) -> Result<Origins> {
    let mut origins = Origins::from(match asked {
        None => catalog.table.origin,
        Some(OriginFlag::Release) => Origin::Release,
        Some(OriginFlag::Source | OriginFlag::Auto) => Origin::Source,
    });
    if asked == Some(OriginFlag::Auto) && is_ci() {
        bail!(
            "--origin auto is refused where CI=true: a tag must not depend on what a cache holds\n\
             name one: --origin release, or --origin source"
        );
    }
    if let Some(local) = &catalog.local {
        if asked == Some(OriginFlag::Release) {
            bail!("--source-dir is compiled, and --origin release compiles nothing\nleave one of them out");
        }
        origins.of.insert(local.spark.clone(), Origin::Source);
    }
    Ok(origins)
}
