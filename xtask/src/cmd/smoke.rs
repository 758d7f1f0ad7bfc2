//! `smoke`: real Spark jobs in the built images.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::ExitCode,
    time::Instant,
};

use anyhow::{Context as _, Error, Result, bail};
use catalog::{Catalog, Image, Lock, LockedCatalog, Platform, Selection};

use crate::{
    flags::{EngineFlag, Global, SmokeArgs},
    images::not_built,
    interrupt,
    platform::{flags, foreign, label, oci},
    report::progress::Board,
    schedule,
    smoke::{
        self, Case, Target,
        place::Place,
        record::{self, Last},
        report,
        services::Offer,
    },
    workspace::Workspace,
};

pub(crate) fn run(global: &Global, args: &SmokeArgs) -> Result<ExitCode> {
    let workspace = Workspace::find(global)?;
    let catalog = workspace.catalog()?;
    if args.gpus && args.engine == EngineFlag::Embedded {
        bail!(
            "`--gpus` needs an engine: the sandbox shows no device to an image; add --engine docker or --engine podman"
        );
    }
    let offer = Offer::new(&catalog, args.with_services, &args.service)?;
    let lock = workspace.lock()?;
    let chosen = Selection::from(&args.select).chosen(&catalog)?;
    let last = args.rerun_failed.then(|| Last::read(&workspace)).transpose()?;
    let failed = last.as_ref().map(Last::failed);
    if failed.as_ref().is_some_and(BTreeSet::is_empty) {
        println!("nothing failed in the last run");
        return Ok(ExitCode::SUCCESS);
    }
    let place = Place::open(&workspace, args.engine, args.gpus)?;
    let again = last.as_ref().map(Last::images);
    let (mut targets, mut skipped) = (Vec::new(), Vec::new());
    for platform in catalog.table.platforms(&args.platforms.platform).map_err(Error::msg)? {
        let wanted =
            |image: &&Image| again.as_ref().is_none_or(|again| again.contains(&label(&catalog, platform, image)));
        let chosen: Vec<&Image> = chosen.iter().copied().filter(wanted).collect();
        let (built, blocked) = by_state(&workspace, &catalog, &lock, &chosen, platform)?;
        skipped.extend(blocked);
        match foreign(platform) {
            None => targets.extend(built.iter().map(|image| Target::new(&place, &catalog, &lock, platform, image))),
            Some(why) => skipped.extend(built.into_iter().map(|image| Case::skipped(&catalog, platform, image, &why))),
        }
    }
    let board = Board::new();
    let begin = Instant::now();
    let jobs = args.jobs.unwrap_or_else(schedule::processors);
    let mut runs = smoke::runs(&targets, &args.only)?;
    if let Some(failed) = &failed {
        runs.retain(|run| failed.contains(&run.title()));
    }
    let mut cases = smoke::smoke(&workspace, &catalog, &place, &runs, offer, jobs, &board)?;
    cases.extend(skipped);
    if let Some(last) = last {
        cases = last.with(cases);
    }
    if cases.is_empty() {
        bail!("no check is declared for these images; see [[smoke]] in their image.toml");
    }
    if let Some(path) = &args.junit {
        blob::write(path, report::junit(&cases).as_bytes()).with_context(|| format!("writing {path}"))?;
    }
    let page = record::write(&workspace, &cases, interrupt::is_set())?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report::json(&cases, interrupt::is_set()))?);
    } else {
        report::print(&cases);
    }
    board.say(&report::summary(&cases, begin.elapsed()));
    board.say(&format!("report: {page}"));
    let [_, failed, _] = report::totals(&cases);
    Ok(match (interrupt::is_set(), failed) {
        (true, _) => ExitCode::from(130),
        (false, 0) => ExitCode::SUCCESS,
        (false, _) => ExitCode::FAILURE,
    })
}

/// The images that are built, and a skipped case for each that cannot be built with the registries of the lock.
///
/// # Errors
/// Images that could be built and are not: all of them, with the command that builds them.
fn by_state<'a>(
    workspace: &Workspace,
    catalog: &Catalog,
    lock: &Lock,
    chosen: &[&'a Image],
    platform: Platform,
) -> Result<(Vec<&'a Image>, Vec<Case>)> {
    let layout = workspace.open_layout().ok();
    let is_built = |image: &Image| -> Result<bool> {
        let Some(layout) = &layout else { return Ok(false) };
        Ok(layout.lookup_for(&image.reference.to_string(), &oci(platform))?.is_some())
    };
    let blocked = LockedCatalog::new(catalog.clone(), lock.clone(), catalog.table.origin)
        .map_or_else(|_| BTreeMap::new(), |locked| locked.blocked(platform));
    let (mut built, mut cases, mut missing) = (Vec::new(), Vec::new(), Vec::new());
    for &image in chosen {
        match (is_built(image)?, blocked.get(&image.reference)) {
            (true, _) => built.push(image),
            (false, Some(reasons)) => cases.push(Case::skipped(catalog, platform, image, &reasons.join("; "))),
            (false, None) => missing.push(image),
        }
    }
    match missing.as_slice() {
        [] => Ok((built, cases)),
        [one] => bail!(not_built(catalog, one, platform)),
        many => {
            let (names, flags) =
                (many.iter().map(|image| label(catalog, platform, image)), flags(catalog, platform, many));
            let names = names.collect::<Vec<_>>().join("\n  ");
            bail!("these images are not built\n  {names}\nto build them: cargo xtask build-layers{flags}")
        }
    }
}
