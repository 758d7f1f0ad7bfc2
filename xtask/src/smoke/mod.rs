//! Smoke: real Spark jobs in the built images, and what they said.
//!
//! The jobs lie in `docker/smoke/jobs` and know what they prove; here they are given an image, a user and what the table
//! promises, and their result lines are read. What a job does not report is a failure.

mod events;
mod html;
mod jobs;
mod permissions;
pub(crate) mod place;
pub(crate) mod record;
pub(crate) mod report;
mod run;
pub(crate) mod services;
mod temporary;
mod twins;

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroUsize,
    time::Duration,
};

use anyhow::{Result, bail};
use blob::Digest;
use catalog::{Catalog, Image, Lock, Platform, Smoke};

use crate::{
    machine, platform,
    report::{progress::Board, text::duration},
    schedule::{self, Outcome, Weights},
    smoke::services::{Offer, Services},
    workspace::Workspace,
};

use jobs::Wishes;

pub(crate) use jobs::Jobs;
use place::Place;
use twins::Twins;

/// What is said of a start that Ctrl-C kept from happening.
const INTERRUPTED: &str = "interrupted";

/// An image that is tested.
#[derive(Debug, Clone)]
pub(crate) struct Target<'a> {
    platform: Platform,
    image: &'a Image,
    smoke: Smoke,
    /// What messages call it, and what tests it again.
    label: String,
    again: String,
}

/// One start of a process in an image.
#[derive(Debug, Clone)]
pub(crate) struct Run<'a> {
    target: &'a Target<'a>,
    user: User,
    what: What,
}

/// Who runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum User {
    /// The user that the image names.
    Image,
    /// Any uid with gid 0.
    Random,
}

/// What is run.
#[derive(Debug, Clone)]
enum What {
    /// Owners and modes are judged from the layers, without running anything.
    Permissions,
    /// All checks of the image in one Spark session.
    Session,
    /// A job of its own, with its arguments.
    Job(String),
}

/// What came of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It holds; with the evidence.
    Passed(String),
    /// It does not.
    Failed(String),
    /// It cannot be checked here.
    Skipped(String),
}

/// A check in an image, as a user.
#[derive(Debug, Clone)]
#[cfg_attr(test, derive(PartialEq, Eq))]
pub(crate) struct Case {
    /// What messages call the image.
    pub(crate) image: String,
    /// What tests the image again, behind `cargo xtask smoke`.
    pub(crate) again: String,
    /// The digest of the manifest of what was checked.
    pub(crate) digest: Option<Digest>,
    pub(crate) user: String,
    /// The start that it came of. Empty, if nothing was started.
    pub(crate) run: String,
    pub(crate) name: String,
    pub(crate) verdict: Verdict,
    /// Why it failed before it was run again and passed.
    pub(crate) earlier: Option<String>,
    pub(crate) elapsed: Duration,
    /// The log, relative to the checkout.
    pub(crate) log: Option<String>,
}

/// Runs the jobs of these images, `jobs` at once as far as they fit into memory, and returns a case for each check. Jobs that
/// need a service run where it is offered. What would show the same in two images runs in one of them.
pub(crate) fn smoke(
    workspace: &Workspace,
    catalog: &Catalog,
    place: &Place,
    runs: &[Run<'_>],
    offer: Offer,
    jobs: NonZeroUsize,
    board: &Board,
) -> Result<Vec<Case>> {
    let cancel = crate::interrupt::flag()?;
    let files = Jobs::stage(workspace)?;
    let servers = offer.servers(catalog, needed(runs, &files)?)?;
    let own = servers.iter().map(|(_, image)| (*image, catalog.table.default_platform()));
    let images = runs.iter().map(|run| (run.target.image, run.target.platform)).chain(own);
    place.require(workspace, catalog, images)?;
    let services = Services::start(workspace, catalog, place, &files, offer, servers, board)?;
    let bench = run::Bench { workspace, catalog, place, jobs: &files, services: &services };
    let twins = Twins::find(workspace, catalog, runs)?;
    let firsts: Vec<usize> = (0..runs.len()).filter(|index| twins.first[*index] == *index).collect();
    // An image's layers are unpacked by the first run that needs them; the others wait for it.
    let needs = vec![Vec::new(); firsts.len()];
    let of = firsts.iter().map(|index| runs[*index].memory(&files)).collect::<Result<_>>()?;
    let weights = Weights { of, most: machine::memory().map_or(u64::MAX, |memory| memory.available) };
    let outcomes = schedule::run_weighed(&needs, jobs, &weights, &cancel, |at| {
        let run = &runs[firsts[at]];
        let step = board.step(&run.title(), "running");
        let cases = run::run(&bench, run)?;
        let elapsed = cases.iter().map(|case| case.elapsed).max().unwrap_or_default();
        let are = |wanted: fn(&Verdict) -> bool| cases.iter().filter(|case| wanted(&case.verdict)).count();
        step.end(&match () {
            () if are(|verdict| matches!(verdict, Verdict::Failed(_))) > 0 => "FAILED".to_owned(),
            () if are(|verdict| matches!(verdict, Verdict::Passed(_))) == 0 => "skipped".to_owned(),
            () => format!("ok {:>6}", duration(elapsed)),
        });
        Ok(cases)
    });
    let mut seen = BTreeMap::new();
    for (index, outcome) in firsts.into_iter().zip(outcomes) {
        let start = |verdict| vec![runs[index].case("start", verdict)];
        let cases = match outcome {
            Outcome::Done(done) => done,
            Outcome::Failed(error) => start(Verdict::Failed(format!("{error:#}"))),
            Outcome::Skipped { .. } | Outcome::Cancelled => start(Verdict::Skipped(INTERRUPTED.to_owned())),
        };
        seen.insert(index, cases);
    }
    let of_run = |index: usize| twins.cases(runs, index, &seen[&twins.first[index]]);
    let mut cases: Vec<Case> = (0..runs.len()).flat_map(of_run).collect();
    cases.extend(services.stop());
    Ok(cases)
}

/// The services that jobs of these runs need.
fn needed(runs: &[Run<'_>], files: &Jobs) -> Result<BTreeSet<String>> {
    let mut needed = BTreeSet::new();
    for run in runs {
        if let What::Job(job) = &run.what {
            needed.extend(files.wishes(job.split_whitespace().next().unwrap_or_default())?.services);
        }
    }
    Ok(needed)
}

/// What is run for these images; of it only what bears one of the names in `only`, if there are any.
///
/// # Errors
/// Nothing bears one of them.
pub(crate) fn runs<'a>(targets: &'a [Target<'a>], only: &[String]) -> Result<Vec<Run<'a>>> {
    let mut runs: Vec<Run<'_>> = targets.iter().flat_map(runs_of).collect();
    let known: BTreeSet<&str> = runs.iter().map(|run| run.what.name()).collect();
    if let Some(name) = only.iter().find(|name| !known.contains(name.as_str())) {
        let known = known.into_iter().collect::<Vec<_>>().join(", ");
        bail!(
            "`--only {name}` is nothing that these images are checked by
they are checked by: {known}"
        );
    }
    runs.retain(|run| only.is_empty() || only.iter().any(|name| name == run.what.name()));
    Ok(runs)
}

/// Every image is checked as both users. Jobs run as the random user, which is the one with fewer rights; those that
/// name a user of their own run once.
fn runs_of<'a>(target: &'a Target<'a>) -> Vec<Run<'a>> {
    let mut runs = Vec::new();
    for user in [User::Image, User::Random] {
        let run = |what| Run { target, user, what };
        runs.push(run(What::Permissions));
        if !target.smoke.checks.is_empty() {
            runs.push(run(What::Session));
        }
    }
    let job = |job: &String| Run { target, user: User::Random, what: What::Job(job.clone()) };
    runs.extend(target.smoke.jobs.iter().map(job));
    runs
}

impl<'a> Target<'a> {
    /// An image and what proves it at this place; its Python packages are those of the lock.
    pub(crate) fn new(place: &Place, catalog: &Catalog, lock: &Lock, platform: Platform, image: &'a Image) -> Self {
        let label = platform::label(catalog, platform, image);
        let again = format!("{}{}{}", image.reference, platform::flags(catalog, platform, &[image]), place.flags());
        let mut smoke = catalog.smoke(image);
        let packages: Vec<String> = catalog.python(lock, platform, image).into_iter().collect();
        smoke.expect.insert("PYTHON".to_owned(), packages.join(" "));
        Self { platform, image, smoke, label, again }
    }
}

impl Case {
    /// An image that cannot be checked here.
    pub(crate) fn skipped(catalog: &Catalog, platform: Platform, image: &Image, reason: &str) -> Self {
        Self {
            image: platform::label(catalog, platform, image),
            again: String::new(),
            digest: None,
            user: "nobody".to_owned(),
            run: String::new(),
            name: "built".to_owned(),
            verdict: Verdict::Skipped(reason.to_owned()),
            earlier: None,
            elapsed: Duration::ZERO,
            log: None,
        }
    }
}

impl Verdict {
    /// The same with more of its evidence. What Ctrl-C kept from happening was seen nowhere.
    fn with(&self, more: &str) -> Self {
        match self {
            Self::Passed(text) => Self::Passed(format!("{text}{more}")),
            Self::Failed(text) if text != INTERRUPTED => Self::Failed(format!("{text}{more}")),
            other => other.clone(),
        }
    }

    /// What was to be checked here and was not has failed.
    fn demand(&mut self) {
        if let Self::Skipped(why) = self {
            *self = Self::Failed(format!("with --gpus: {why}"));
        }
    }

    /// The same, with more about why it failed.
    fn because(self, more: &str) -> Self {
        match self {
            Self::Failed(text) => Self::Failed(format!("{text}{more}")),
            other => other,
        }
    }
}

impl Case {
    /// Whether Ctrl-C kept it from saying anything.
    fn is_interrupted(&self) -> bool {
        matches!(&self.verdict, Verdict::Skipped(why) | Verdict::Failed(why) if why == INTERRUPTED)
    }
}

impl Run<'_> {
    /// Bytes of memory that it needs.
    fn memory(&self, jobs: &Jobs) -> Result<u64> {
        Ok(match &self.what {
            What::Permissions => 0,
            What::Session => Wishes::session().memory,
            What::Job(job) => jobs.wishes(job.split(' ').next().unwrap_or(job))?.memory,
        })
    }

    /// What messages call it, the same in every run.
    pub(crate) fn title(&self) -> String {
        format!("{} {} {}", self.target.label, self.user.label(), self.what.name())
    }

    fn case(&self, name: &str, verdict: Verdict) -> Case {
        Case {
            image: self.target.label.clone(),
            again: self.target.again.clone(),
            digest: None,
            user: self.user.label().to_owned(),
            run: self.title(),
            name: name.to_owned(),
            verdict,
            earlier: None,
            elapsed: Duration::ZERO,
            log: None,
        }
    }
}

/// The name of a file or folder of a start.
fn file_name(run: &str) -> String {
    run.replace([' ', ':', '/'], "_")
}

impl User {
    fn label(self) -> &'static str {
        match self {
            User::Image => "image user",
            User::Random => "random uid",
        }
    }
}

impl What {
    fn name(&self) -> &str {
        match self {
            What::Permissions => "permissions",
            What::Session => "session",
            What::Job(job) => job.split(['.', ' ']).next().unwrap_or(job),
        }
    }
}
