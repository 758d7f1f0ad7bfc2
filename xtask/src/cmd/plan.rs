//! `plan`: what would be built, and why. Builds nothing and asks nobody.

use std::process::ExitCode;

use anyhow::Result;
use catalog::Selection;

use crate::{
    compile,
    flags::{Global, PlanArgs},
    report,
    session::Session,
};

pub(crate) fn run(global: &Global, args: &PlanArgs) -> Result<ExitCode> {
    let session = Session::open(global, args.origin.origin)?;
    let images = Selection::from(&args.select).with_parents(session.catalog())?;
    let mut plans = Vec::new();
    for platform in session.platforms(&args.platforms.platform)? {
        plans.push(session.plan(&session.builder(platform)?, &images)?);
    }
    if args.json {
        report::plan::json(&plans)?
    } else {
        report::plan::print(session.catalog(), &plans, &compile::missing(&session, &plans)?, true)
    }
    Ok(ExitCode::SUCCESS)
}
