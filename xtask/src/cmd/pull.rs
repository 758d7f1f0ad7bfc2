//! `pull`: images from a registry that are made of what would be built here.

use std::process::ExitCode;

use anyhow::Result;
use catalog::Selection;
use distribution::Address;

use crate::{
    flags::{Global, PullArgs},
    pull, report,
    session::Session,
};

pub(crate) fn run(global: &Global, args: &PullArgs) -> Result<ExitCode> {
    let address = Address::parse(&args.registry, args.plain_http)?;
    let session = Session::open(global, args.origin.origin)?;
    let images = Selection::from(&args.select).with_parents(session.catalog())?;
    let (mut builders, mut plans) = (Vec::new(), Vec::new());
    for platform in session.platforms(&args.platforms.platform)? {
        let builder = session.builder(platform)?;
        plans.push(session.plan(&builder, &images)?);
        builders.push(builder);
    }
    let mut taken = Vec::new();
    for (builder, plan) in builders.into_iter().zip(&plans) {
        taken.extend(pull::pull(&session, builder, plan, &address)?);
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&pull::json(&taken))?);
    } else {
        pull::print(&taken, &address);
    }
    // As for a build: 3 if all that is there was taken and something is not.
    let missing = taken.iter().any(|taken| matches!(taken.how, pull::How::Missing));
    Ok(report::done(missing))
}
