//! `graph`: the images and what happens to them, as a picture. `why`: the way from a root cause to one image.

use std::process::ExitCode;

use anyhow::Result;
use catalog::Selection;

use crate::{
    flags::{Global, GraphArgs, GraphFormat, WhyArgs},
    images::{one, one_platform},
    report::graph,
    session::Session,
};

pub(crate) fn run(global: &Global, args: &GraphArgs) -> Result<ExitCode> {
    let session = Session::open(global, args.origin.origin)?;
    let images = Selection::from(&args.select).with_parents(session.catalog())?;
    let platform = one_platform(session.catalog(), args.platform.as_ref())?;
    let plan = session.plan(&session.builder(platform)?, &images)?;
    match args.format {
        GraphFormat::Mermaid => print!("{}", graph::mermaid(&plan)),
        GraphFormat::Dot => print!("{}", graph::dot(&plan)),
        GraphFormat::Svg => print!("{}", graph::svg(&plan)?),
        GraphFormat::Json => println!("{}", serde_json::to_string_pretty(&graph::json(&plan))?),
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn why(global: &Global, args: &WhyArgs) -> Result<ExitCode> {
    let session = Session::open(global, args.origin.origin)?;
    let image = one(session.catalog(), &args.image)?;
    let platform = one_platform(session.catalog(), args.platform.as_ref())?;
    let images = session.catalog().with_ancestors(&[image.reference.clone()].into());
    print!("{}", graph::why(&session.plan(&session.builder(platform)?, &images)?));
    Ok(ExitCode::SUCCESS)
}
