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
    let builder = session.builder()?;
    let plan = session.plan(&builder, &images)?;
    if args.json {
        report::plan::json(&plan)?
    } else {
        report::plan::print(&plan, &compile::missing(&session, &plan)?, true)
    }
    Ok(ExitCode::SUCCESS)
}
