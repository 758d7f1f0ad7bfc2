//! `build-layers`: builds the selected images and all below them.

use std::process::ExitCode;

use anyhow::Result;
use catalog::{Decision, Selection};

use crate::{
    flags::{BuildLayers, Global},
    interrupt, report, schedule, secrets,
    session::Session,
};

pub(crate) fn run(global: &Global, args: &BuildLayers) -> Result<ExitCode> {
    loop {
        let session = Session::open(global, args.origin.origin())?;
        let images = Selection::from(&args.select).with_parents(session.catalog())?;
        let mut builder = session.builder()?;
        builder.secrets = secrets::read(&args.secret)?;
        let plan = session.plan(&builder, &images)?;
        if args.plan {
            if args.json {
                report::plan::json(&plan)?
            } else {
                report::plan::print(&plan, args.why)
            }
            return Ok(ExitCode::SUCCESS);
        }
        let to_build = plan.images.iter().filter(|planned| matches!(planned.decision, Decision::Build(_)));
        let to_build: Vec<_> = to_build.map(|planned| planned.image).collect();
        if session.fetch(&to_build)? {
            // The lock has moved on, and with it the plan.
            continue;
        }
        if args.why {
            report::plan::print(&plan, true);
        }
        let jobs = args.jobs.unwrap_or_else(schedule::processors);
        let finished = builder.run(&plan, jobs);
        if args.json {
            report::built::json(&finished)?
        } else {
            report::built::print(&finished, &session.workspace)
        }
        return Ok(if interrupt::is_set() { ExitCode::from(130) } else { report::built::exit_code(&finished) });
    }
}
