//! `ci-matrix`: which jobs a CI run has to start. Reads the checkout and git; asks no network and no engine, builds nothing.

mod images;
mod output;
mod proof;
mod since;

use std::{collections::BTreeSet, process::ExitCode};

use anyhow::{Context as _, Error, Result, bail};
use catalog::{Catalog, Ci, ImageRef, LockedCatalog, Origin, Platform, Selection};
use checkout::{
    Checkout,
    inputs::{Formats, Memo},
};
use command_line::{CiMatrixArgs, Global, GroupBy as GroupFlag, MatrixFormat, OriginFlag};
use matrix::{Because, Entry, Graph, GroupBy, Job, Rates, render};

use images::Tree;

/// Prints the matrix.
///
/// # Errors
/// Problems in the table; a lock that does not answer it; a commit that is not there; a matrix that no CI system takes.
pub fn matrix(global: &Global, args: &CiMatrixArgs) -> Result<ExitCode> {
    if global.source_dir.is_some() {
        bail!("ci-matrix is about the versions of the table\nleave out --source-dir");
    }
    if args.github_output && args.format != MatrixFormat::Github {
        bail!("--github-output is for --format github");
    }
    let checkout = Checkout::find(&global.images)?;
    let catalog = checkout.catalog_with(|_| Ok(None))?;
    let chosen = Selection::from(&args.select).with_parents(&catalog)?;
    let chosen: BTreeSet<ImageRef> = chosen.into_iter().map(|image| image.reference.clone()).collect();
    let platforms = platforms(&catalog, &args.platform)?;
    let ci = catalog.table.ci.clone().context(
        "docker/versions.toml has no [ci]: the runners and limits of the CI systems\nsee docs/ci.md, \"Limits\"",
    )?;
    let origin = origin(&catalog, args.origin.origin)?;
    let locked = LockedCatalog::new(catalog, checkout.lock()?, origin)?;
    let tree = Tree {
        checkout: &checkout,
        locked: &locked,
        registries: &global.registry,
        formats: Formats::own(),
        memo: Memo::default(),
    };
    let graph = images::graph(&tree, &platforms, &ci, args.changed_since.is_some())?;
    let is_chosen = images::places(&platforms, &locked).map(|(_, image)| chosen.contains(&image.reference));
    let is_chosen: Vec<bool> = is_chosen.collect();
    let compared = args.changed_since.as_ref();
    let compared = compared.map(|reference| since::compare(&tree, &graph, &platforms, reference, args)).transpose()?;
    let (since, because) = compared.map_or_else(|| (None, vec![None; graph.nodes().len()]), |(a, b)| (Some(a), b));
    let is_due = |place: usize| is_chosen[place] && (since.is_none() || because[place].is_some());
    let is_blocked = |place: usize| !graph.nodes()[place].blocked.is_empty();
    let places = 0..graph.nodes().len();
    let made = Made {
        wanted: places.clone().map(|place| is_due(place) && !is_blocked(place)).collect(),
        blocked: places.filter(|&place| is_due(place) && is_blocked(place)).collect(),
        graph,
        because,
        since,
        ci,
        images: &global.images,
    };
    print(&made, args)?;
    Ok(ExitCode::SUCCESS)
}

/// All that is printed, in one form or another.
struct Made<'a> {
    graph: Graph,
    /// By place: whether it is in a job.
    wanted: Vec<bool>,
    /// Places of images that would be in a job if they could be built.
    blocked: Vec<usize>,
    because: Vec<Option<Because>>,
    since: Option<render::Since>,
    ci: Ci,
    /// The folders of `--images`.
    images: &'a [camino::Utf8PathBuf],
}

/// Jobs, their entries, and how many levels there are.
struct Grouped {
    jobs: Vec<Job>,
    entries: Vec<Entry>,
    levels: usize,
}

impl Made<'_> {
    fn grouped(&self, by: GroupBy, gitlab: bool) -> Result<Grouped> {
        let all = matrix::partition(&self.graph, by);
        let levels = all.iter().map(|job| job.level + 1).max().unwrap_or(0);
        let jobs = matrix::keep(&self.graph, &all, &self.wanted);
        let rates = Rates { job_minutes: self.ci.job_minutes, smoke_seconds: self.ci.smoke_seconds };
        let (runners, key) = match gitlab {
            true => (&self.ci.gitlab.runners, "ci.gitlab.runners"),
            false => (&self.ci.github.runners, "ci.github.runners"),
        };
        let folders: Vec<&str> = self.images.iter().flat_map(|folder| ["--images", folder.as_str()]).collect();
        let command = |id: &str, origin: &str| {
            let words = ["cargo", "xtask"].into_iter().chain(folders.iter().copied());
            // Neither an id nor a path holds a NUL.
            shlex::try_join(words.chain(["ci", "run", id, "--origin", origin])).unwrap_or_default()
        };
        let entries = matrix::entries(&self.graph, &jobs, rates, runners, command);
        let entries = entries.map_err(|name| {
            Error::msg(format!("[{key}] of docker/versions.toml has no `{name}`\nadd the labels of such a runner"))
        })?;
        Ok(Grouped { jobs, entries, levels })
    }
}

fn print(made: &Made<'_>, args: &CiMatrixArgs) -> Result<()> {
    let asked = match args.group_by {
        GroupFlag::Image => GroupBy::Image,
        GroupFlag::Chain => GroupBy::Chain,
        GroupFlag::Level => GroupBy::Level,
        GroupFlag::Version => GroupBy::Version,
    };
    match args.format {
        MatrixFormat::Text => {
            let grouped = made.grouped(asked, false)?;
            let parts = (grouped.jobs.as_slice(), grouped.entries.as_slice());
            print!("{}", render::text(&made.graph, parts, &made.because, &made.blocked));
        }
        MatrixFormat::Json => {
            let grouped = made.grouped(asked, false)?;
            let parts = (grouped.jobs.as_slice(), grouped.entries.as_slice());
            let since = made.since.as_ref();
            println!("{}", render::json(&made.graph, asked, parts, &made.because, &made.blocked, since)?);
        }
        MatrixFormat::Github => {
            let github = fitting(made, asked, false, |by, grouped| {
                render::github(&grouped.entries, by, grouped.levels, &made.ci.github)
            })?;
            if args.github_output {
                output::append(&github.outputs())?;
            }
            println!("{}", github.matrix);
        }
        MatrixFormat::Gitlab => {
            let yaml = fitting(made, asked, true, |_, grouped| render::gitlab(&grouped.entries, &made.ci.gitlab))?;
            print!("{yaml}");
        }
    }
    for &place in made.blocked.iter().filter(|_| matches!(args.format, MatrixFormat::Github | MatrixFormat::Gitlab)) {
        let node = &made.graph.nodes()[place];
        eprintln!("blocked: {}: {}", node.image, node.blocked.join("; "));
    }
    Ok(())
}

/// What fits into the limits of a CI system, grouped coarser where it must be.
fn fitting<T>(
    made: &Made<'_>,
    asked: GroupBy,
    gitlab: bool,
    render: impl Fn(GroupBy, &Grouped) -> Result<T, String>,
) -> Result<T> {
    let mut failed = None;
    let fitted = matrix::fit(asked, |by| match made.grouped(by, gitlab) {
        Ok(grouped) => render(by, &grouped),
        Err(error) => {
            failed.get_or_insert(error);
            Err(String::new())
        }
    });
    if let Some(error) = failed {
        return Err(error);
    }
    let (by, rendered, broken) = fitted?;
    for problem in &broken {
        eprintln!("warning: {problem}");
    }
    if !broken.is_empty() {
        eprintln!("warning: grouped by {by} instead");
    }
    Ok(rendered)
}

/// The platforms that the matrix is for, in the order of the table.
fn platforms(catalog: &Catalog, asked: &[String]) -> Result<Vec<Platform>> {
    match (asked, catalog.table.platforms.first()) {
        ([], Some(&main)) => Ok(vec![main]),
        _ => catalog.table.platforms(asked).map_err(Error::msg),
    }
}

fn origin(catalog: &Catalog, asked: Option<OriginFlag>) -> Result<Origin> {
    match asked {
        None => Ok(catalog.table.origin),
        Some(OriginFlag::Release) => Ok(Origin::Release),
        Some(OriginFlag::Source) => Ok(Origin::Source),
        Some(OriginFlag::Auto) => bail!(
            "--origin auto is refused in CI: a tag must not depend on what a cache holds\n\
             name one: --origin release, or --origin source"
        ),
    }
}

/// How many levels a matrix has, as it is grouped unless told otherwise.
///
/// # Errors
/// The images are no graph.
pub fn levels(catalog: &Catalog) -> Result<usize> {
    let graph = images::shape(catalog, &catalog.table.platforms)?;
    let jobs = matrix::partition(&graph, GroupBy::Chain);
    Ok(jobs.iter().map(|job| job.level + 1).max().unwrap_or(0))
}

/// The images of a job, and what they are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobImages {
    /// The platform.
    pub platform: Platform,
    /// The images, parents first; those that cannot be built among them.
    pub images: Vec<ImageRef>,
}

/// The images of the job with this id, as `ci-matrix` groups them.
///
/// # Errors
/// There is no such job: those that there are.
pub fn job(catalog: &Catalog, id: &str) -> Result<JobImages> {
    let graph = images::shape(catalog, &catalog.table.platforms)?;
    let places: Vec<_> = images::all(&catalog.table.platforms, catalog).collect();
    // The default first: its ids are asked for most.
    for by in [GroupBy::Chain, GroupBy::Image, GroupBy::Version, GroupBy::Level] {
        if let Some(job) = matrix::partition(&graph, by).iter().find(|job| job.id == id) {
            let images = job.images.iter().map(|&place| places[place].1.reference.clone()).collect();
            let platform = job.images.first().map_or(catalog.table.default_platform(), |&place| places[place].0);
            return Ok(JobImages { platform, images });
        }
    }
    let known: Vec<String> = matrix::partition(&graph, GroupBy::Chain).into_iter().map(|job| job.id).collect();
    let more = known.len().saturating_sub(30);
    let more = if more > 0 { format!("\n  ... and {more} more") } else { String::new() };
    let shown = known.iter().take(30).map(String::as_str).collect::<Vec<_>>().join("\n  ");
    bail!("there is no job `{id}`; grouped by chain there are\n  {shown}{more}\nto see them all: cargo xtask ci-matrix")
}
