//! `build-layers`: builds the selected images and all below them. `build-custom`: the custom image of one Spark.

use std::process::ExitCode;

use anyhow::Result;
use catalog::{Decision, Image, Origin, Selection};

use crate::{
    compile,
    flags::{BuildCustom, BuildLayers, Global, OriginArgs, Select},
    interrupt, report, schedule, secrets,
    session::{self, Session},
};

pub(crate) fn run(global: &Global, args: &BuildLayers) -> Result<ExitCode> {
    build(global, args, |_| Ok(Selection::from(&args.select)))
}

pub(crate) fn custom(global: &Global, args: &BuildCustom) -> Result<ExitCode> {
    let select = |session: &Session| {
        let sparks = session.one_spark(args.spark.as_deref())?;
        Ok(Selection { images: vec!["custom".to_owned()], sparks, with: Vec::new() })
    };
    let (origin, compile) = (OriginArgs { origin: Some(args.origin) }, args.compile.clone());
    let args = BuildLayers {
        select: Select::default(),
        origin,
        compile,
        plan: false,
        why: false,
        jobs: None,
        secret: Vec::new(),
        json: false,
    };
    build(global, &args, select)
}

fn build(global: &Global, args: &BuildLayers, select: impl Fn(&Session) -> Result<Selection>) -> Result<ExitCode> {
    let mut looked_again = false;
    loop {
        let session = Session::open(global, args.origin.origin)?;
        let images = select(&session)?.with_parents(session.catalog())?;
        let prepare = |image: &Image| compile::ensure(&session, image, &args.compile);
        let mut builder = session.builder()?;
        builder.prepare = Some(&prepare);
        builder.secrets = secrets::read(&args.secret)?;
        let plan = session.plan(&builder, &images)?;
        if args.plan {
            if args.json {
                report::plan::json(&plan)?
            } else {
                report::plan::print(&plan, &compile::missing(&session, &plan)?, args.why)
            }
            return Ok(ExitCode::SUCCESS);
        }
        let archives = session::archives(&plan, &session.locked);
        if !archives.is_empty() && !std::mem::replace(&mut looked_again, true) {
            session.look_again(&archives)?;
            continue;
        }
        let to_build = plan.images.iter().filter(|planned| matches!(planned.decision, Decision::Build(_)));
        let mut to_build: Vec<_> = to_build.map(|planned| planned.image).collect();
        let again = plan.images.iter().filter(|planned| matches!(planned.decision, Decision::Cached(_)));
        let again = again.filter(|_| args.compile.recompile).map(|planned| planned.image);
        let again: Vec<_> = again.filter(|image| session.locked.origin(image) == Origin::Source).collect();
        to_build.extend(&again);
        to_build.extend(compile::builders(&session, &to_build)?);
        if session.fetch(&to_build)? {
            // The lock has moved on, and with it the plan.
            continue;
        }
        again.into_iter().try_for_each(prepare)?;
        if args.why {
            report::plan::print(&plan, &compile::missing(&session, &plan)?, true);
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
