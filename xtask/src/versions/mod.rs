//! A Spark version comes to the table, or goes from it, with all that belongs to it: one change of the checkout.
//!
//! What follows from the version is looked up or copied from its nearest neighbour. What is neither stands as a question in
//! table and image files, where the catalog reports it. Nothing here knows what a version needs: the table says where to
//! look, the image files say what there is.

mod decide;
mod images;
mod lists;
mod removal;
mod shims;
mod table;
mod upstream;
mod version;

use anyhow::{Context as _, Result, anyhow, bail};
use camino::{Utf8Path, Utf8PathBuf};
use catalog::{Catalog, Coordinate, Lock, Maven, Problems, Requests};

use self::{
    decide::{Decision, decide, scalas},
    images::Pair,
    upstream::Upstream,
};
pub(crate) use self::{
    removal::{Remove, remove},
    version::Version,
};
use crate::{
    change::{Changes, Draft},
    docs::{self, Documents},
    flags::Global,
    generate,
    machine::Machine,
    report::progress::Board,
    resolve,
    workspace::Workspace,
};

/// What came out, to be shown or written.
pub(crate) struct Prepared {
    pub(crate) draft: Draft,
    /// The version that it was made from, or its neighbour.
    pub(crate) from: Version,
    pub(crate) changes: Changes,
    /// What was decided and why, a line each.
    pub(crate) said: Vec<String>,
    /// Questions that are open: the catalog's own report.
    pub(crate) questions: Option<Problems>,
    /// Artifacts that no registry has, with what is there in their place.
    pub(crate) absent: Vec<Absent>,
    /// Whether the lock does not answer the new table yet.
    pub(crate) is_lock_stale: bool,
}

/// An artifact of the new version that no registry has.
pub(crate) struct Absent {
    pub(crate) maven: Maven,
    /// The version of it that the neighbour has.
    pub(crate) instead: Option<String>,
}

/// How a version is added.
pub(crate) struct Add {
    pub(crate) version: Version,
    /// The version that it is made from; the nearest one, if none is named.
    pub(crate) from: Option<Version>,
    /// Whether artifacts that are absent are taken in the neighbour's version.
    pub(crate) substitute: bool,
}

/// The image files of this repository, in the draft.
fn image_files(workspace: &Workspace) -> Result<Vec<Utf8PathBuf>> {
    workspace.glob(&["docker/image.toml", "docker/*/image.toml", "docker/*/*/image.toml"])
}

/// Prepares the addition of a version.
///
/// # Errors
/// It stands in the table; no registry knows it, or one does not answer; a file cannot be read.
pub(crate) fn add(workspace: &Workspace, global: &Global, draft: Draft, add: &Add, board: &Board) -> Result<Prepared> {
    let there = workspace.at(&draft.root());
    let catalog = there.catalog()?;
    let lock = there.lock()?;
    let new = add.version;
    if catalog.table.sparks.contains_key(&new.to_string()) {
        bail!("Spark {new} stands in {} already\nto take it out: cargo xtask remove-version {new}", table::PATH);
    }
    let old = neighbour(&catalog, add)?;
    let machine = Machine::look(workspace, global, &catalog)?;
    let spark = &catalog.table.sparks[&old.to_string()];
    let upstream = if global.offline { None } else { Some(Upstream::new(&machine, &catalog.table, &lock)?) };
    let mut said = vec![format!("Spark {new}, made from {old}")];
    if let Some(upstream) = &upstream {
        upstream.must_know(new, &scalas(&spark.scala))?;
    }
    let text = draft.read(table::PATH.into())?.context("the table is gone")?;
    let mut document = table::parse(&text, table::PATH)?;
    let own = table::own_versions(&document, old);
    let decisions = decide(upstream.as_ref(), &catalog.table, (spark, old), new, &own)?;
    said.extend(decisions.iter().map(Decision::to_string));
    if let Some(reason) = table::support(&mut document, new) {
        said.push(format!("  it was not supported: {reason}"));
    }
    let scala = decisions.first().filter(|scala| !scala.is_question()).map(|scala| scala.value.as_str());
    let (pair, files) = (Pair { old, new, scala }, image_files(&there)?);
    let shims = shims::decide(&catalog, images::plugins(&draft, &files)?, pair, upstream.as_ref())?;
    said.extend(shims.iter().map(shims::Decision::to_string));
    table::add(&mut document, old, new, &decisions, &shims)?;
    draft.write_text(table::PATH.into(), &document.to_string())?;
    images::add(&draft, &files, pair)?;
    let mut prepared = Prepared::new(draft, old, said);
    match catalog_of(&there)? {
        Err(questions) => prepared.questions = Some(questions),
        Ok(added) => {
            prepared.lock(&there, &machine, &added, &lock, board)?;
            prepared.absent = absent(&added, &there.lock()?, old, new);
            if add.substitute && prepared.absent.iter().any(|absent| absent.instead.is_some()) {
                prepared.substitute(&there, &machine, new, board)?;
            }
            generate::all(&there)?;
        }
    }
    prepared.changes = prepared.draft.changes()?;
    Ok(prepared)
}

/// The supported version that the new one is made from.
fn neighbour(catalog: &Catalog, add: &Add) -> Result<Version> {
    let supported = || catalog.table.sparks.keys().filter_map(|key| key.parse::<Version>().ok());
    match add.from {
        Some(from) if supported().any(|known| known == from) => Ok(from),
        Some(from) => Err(anyhow!("--from: {}", catalog.table.why_not(&from.to_string()))),
        None => add.version.nearest(supported()).context("the table supports no version to begin with"),
    }
}

/// The catalog of a draft, or the questions that are open in it.
///
/// # Errors
/// Anything else is wrong with it.
fn catalog_of(workspace: &Workspace) -> Result<Result<Catalog, Problems>> {
    match workspace.catalog() {
        Ok(catalog) => Ok(Ok(catalog)),
        Err(error) => match error.downcast::<Problems>() {
            Ok(problems) if problems.are_questions() => Ok(Err(problems)),
            Ok(problems) => {
                Err(anyhow::Error::new(problems).context("the new table would not be sound; nothing was written"))
            }
            Err(error) => Err(error),
        },
    }
}

impl Prepared {
    /// A draft of which neither lock nor changes are known yet.
    fn new(draft: Draft, from: Version, said: Vec<String>) -> Self {
        Self {
            draft,
            from,
            changes: Changes::default(),
            said,
            questions: None,
            absent: Vec::new(),
            is_lock_stale: true,
        }
    }

    /// Brings the draft's lock up to date, where that can be done.
    fn lock(
        &mut self,
        there: &Workspace,
        machine: &Machine,
        catalog: &Catalog,
        old: &Lock,
        board: &Board,
    ) -> Result<()> {
        // What asks nobody for anything needs no network: whatever is left answers what is left.
        let lock = match resolve::lock(there, machine, catalog, old, &[], board) {
            Err(_) if machine.offline => return Ok(()),
            lock => lock?,
        };
        self.is_lock_stale = !lock.answers(&Requests::of(catalog));
        there.write_lock(&lock)
    }

    /// Takes the neighbour's version of what is absent, and says so in the table.
    fn substitute(&mut self, there: &Workspace, machine: &Machine, new: Version, board: &Board) -> Result<()> {
        let text = self.draft.read(table::PATH.into())?.context("the table is gone")?;
        let mut document = table::parse(&text, table::PATH)?;
        let entries = self.absent.iter().filter_map(|absent| {
            Some(table::Substitute {
                artifact: absent.maven.to_string(),
                version: absent.instead.clone()?,
                reason: format!("{new} is missing on some registries; the neighbouring patch release stands in for it"),
            })
        });
        let entries: Vec<table::Substitute> = entries.collect();
        table::substitute(&mut document, &entries)?;
        for entry in &entries {
            self.said.push(format!("  {} is taken in version {}: no registry has it", entry.artifact, entry.version));
        }
        self.draft.write_text(table::PATH.into(), &document.to_string())?;
        self.absent.retain(|absent| absent.instead.is_none());
        let catalog = there.catalog()?;
        let old = there.lock()?;
        self.lock(there, machine, &catalog, &old, board)
    }
}

/// Artifacts of the new version that the lock calls unresolved.
fn absent(catalog: &Catalog, lock: &Lock, old: Version, new: Version) -> Vec<Absent> {
    let requests = Requests::of(catalog);
    let unresolved = lock.unresolved.keys().filter(|key| requests.get(key).is_some());
    let mavens = unresolved.filter_map(|key| match key.parse() {
        Ok(Coordinate::Maven(maven)) if maven.version == new.to_string() => Some(maven),
        _ => None,
    });
    let absent = mavens.map(|maven| {
        let of_old = Maven { version: old.to_string(), ..maven.clone() };
        let substitute = catalog.table.substitutes.iter().find(|substitute| substitute.artifact == of_old);
        let taken =
            Maven { version: substitute.map_or(old.to_string(), |taken| taken.version.clone()), ..maven.clone() };
        let is_there = lock.artifacts.contains_key(&Coordinate::Maven(taken.clone()));
        Absent { maven, instead: is_there.then_some(taken.version) }
    });
    absent.collect()
}

/// Where a version stands in what people wrote into documents: `FILE:LINE`, each. Not in commands, which stay true, nor in
/// documents of that version.
pub(crate) fn mentions(workspace: &Workspace, version: Version) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for (path, document) in &Documents::read(workspace)?.all {
        let names = |line: &str| version::replaced(line, version, Version::none()) != line;
        let lines = docs::written(&document.text).filter(|(_, line)| names(line) && !line.contains("cargo xtask"));
        if !is_own(path, version) {
            found.extend(lines.map(|(number, _)| format!("{path}:{number}")));
        }
    }
    Ok(found)
}

/// Whether a file is of one version, as its path says.
pub(crate) fn is_own(path: &Utf8Path, version: Version) -> bool {
    version::replaced(path.as_str(), version, Version::none()) != path.as_str()
}
