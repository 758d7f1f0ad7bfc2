//! `smoke`: real Spark jobs in the built images.

use std::{num::NonZeroUsize, process::ExitCode, time::Instant};

use anyhow::{Context as _, Result, bail};
use catalog::Selection;

use crate::{
    flags::{Global, SmokeArgs},
    interrupt,
    report::progress::Board,
    smoke::{self, report},
    workspace::Workspace,
};

pub(crate) fn run(global: &Global, args: &SmokeArgs) -> Result<ExitCode> {
    let workspace = Workspace::find(&global.images)?;
    let catalog = workspace.catalog()?;
    let chosen = Selection::from(&args.select).chosen(&catalog)?;
    let images: Vec<_> = chosen.into_iter().map(|image| (image, catalog.smoke(image))).collect();
    let board = Board::new();
    let begin = Instant::now();
    let jobs = args.jobs.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
    let cases = smoke::smoke(&workspace, &images, jobs, &board)?;
    if cases.is_empty() {
        bail!("no check is declared for these images; see [[smoke]] in their image.toml");
    }
    if let Some(path) = &args.junit {
        blob::write(path, report::junit(&cases).as_bytes()).with_context(|| format!("writing {path}"))?;
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report::json(&cases))?);
    } else {
        report::print(&cases);
    }
    board.say(&report::summary(&cases, begin.elapsed()));
    let [_, failed, _] = report::totals(&cases);
    Ok(match (interrupt::is_set(), failed) {
        (true, _) => ExitCode::from(130),
        (false, 0) => ExitCode::SUCCESS,
        (false, _) => ExitCode::FAILURE,
    })
}
