//! `build-layers`: builds the selected images and all below them. `build-custom`: the custom image of one Spark.

use std::{collections::BTreeSet, process::ExitCode};

use anyhow::{Result, bail};
use catalog::{Decision, Image, Origin, Selection};
use checkout::records::Records;
use distribution::Address;
use engines::Engine;

use crate::{
    build::Builder,
    compile,
    engine::EngineBuild,
    flags::{BuildCustom, BuildEngine, BuildLayers, Global, OriginArgs, Select},
    interrupt, pull, report, schedule, secrets,
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
        platforms: args.platforms.clone(),
        origin,
        compile,
        engine: BuildEngine::Embedded,
        plan: false,
        why: false,
        jobs: None,
        secret: Vec::new(),
        cache_from: None,
        plain_http: false,
        json: false,
    };
    build(global, &args, select)
}

fn build(global: &Global, args: &BuildLayers, select: impl Fn(&Session) -> Result<Selection>) -> Result<ExitCode> {
    let (mut looked_again, mut pulled) = (false, false);
    loop {
        let session = Session::open(global, args.origin.origin)?;
        let images = select(&session)?.with_parents(session.catalog())?;
        let prepare = |image: &Image| compile::ensure(&session, image, &args.compile);
        let secrets = secrets::read(&args.secret)?;
        let engine = engine_of(args.engine);
        let platforms = session.platforms(&args.platforms.platform)?;
        if let (Some(engine), [_, _, ..]) = (engine, &platforms[..]) {
            bail!("{engine} keeps one image under a name\nbuild for one platform at a time, or without --engine");
        }
        let (mut builders, mut plans) = (Vec::new(), Vec::new());
        for platform in platforms {
            let mut builder =
                Builder { prepare: Some(&prepare), secrets: secrets.clone(), ..session.builder(platform)? };
            if let Some(engine) = engine {
                builder.engine = Some(EngineBuild::open(&session, &builder.stager, engine, &images)?);
                builder.records = Records::in_folder(session.workspace.engine(engine.program()).join("records"));
            }
            plans.push(session.plan(&builder, &images)?);
            builders.push(builder);
        }
        if args.plan {
            if args.json {
                report::plan::json(&plans)?
            } else {
                report::plan::print(session.catalog(), &plans, &compile::missing(&session, &plans)?, args.why)
            }
            return Ok(ExitCode::SUCCESS);
        }
        let archives: BTreeSet<String> =
            plans.iter().flat_map(|plan| session::archives(plan, &session.locked)).collect();
        if !archives.is_empty() && !std::mem::replace(&mut looked_again, true) {
            session.look_again(&archives.into_iter().collect::<Vec<_>>())?;
            continue;
        }
        if let (Some(registry), false) = (&args.cache_from, std::mem::replace(&mut pulled, true)) {
            let address = Address::parse(registry, args.plain_http)?;
            for (builder, plan) in builders.into_iter().zip(&plans) {
                pull::pull(&session, builder, plan, &address)?;
            }
            // What was taken is there now, and the plans are others.
            continue;
        }
        let planned = |wanted: fn(&Decision) -> bool| {
            let all = plans.iter().flat_map(|plan| plan.images.iter().map(|planned| (plan.platform, planned)));
            let wanted = all.filter(move |(_, planned)| wanted(&planned.decision));
            wanted.map(|(platform, planned)| (platform, planned.image))
        };
        let mut to_build: Vec<_> = planned(|decision| matches!(decision, Decision::Build(_))).collect();
        let again = planned(|decision| matches!(decision, Decision::Cached(_))).filter(|_| args.compile.recompile);
        let again: Vec<_> = again.filter(|(_, image)| session.locked.origin(image) == Origin::Source).collect();
        to_build.extend(&again);
        to_build.extend(compile::builders(&session, &to_build, args.compile.recompile)?);
        for (builder, plan) in builders.iter().zip(&plans) {
            builder.engine.iter().try_for_each(|engine| engine.check(&builder.stager, plan))?;
        }
        if session.fetch(&to_build)? {
            // The lock has moved on, and with it the plan.
            continue;
        }
        again.into_iter().try_for_each(|(_, image)| prepare(image))?;
        if args.why {
            report::plan::print(session.catalog(), &plans, &compile::missing(&session, &plans)?, true);
        }
        let jobs = args.jobs.unwrap_or_else(schedule::processors);
        let (mut finished, mut leftovers) = (Vec::new(), Vec::new());
        for (builder, plan) in builders.into_iter().zip(&plans) {
            let builder = session.beside_others(builder, plan)?;
            finished.extend(builder.run(plan, jobs));
            leftovers.extend(builder.engine.iter().filter(|_| interrupt::is_set()).flat_map(EngineBuild::leftovers));
        }
        if args.json {
            report::built::json(&finished)?
        } else {
            report::built::print(&finished, &session, engine)
        }
        if let (Some(engine), false) = (engine, leftovers.is_empty()) {
            // They may be somebody else's: nothing is removed.
            session.board.say(&format!("{engine} was interrupted and leaves its working containers"));
            session.board.say(&format!("to remove them: {engine} rm {}", leftovers.join(" ")));
        }
        return Ok(if interrupt::is_set() { ExitCode::from(130) } else { report::built::exit_code(&finished) });
    }
}

/// The engine that builds; nothing if this program does.
fn engine_of(flag: BuildEngine) -> Option<Engine> {
    match flag {
        BuildEngine::Embedded => None,
        BuildEngine::Docker => Some(Engine::Docker),
        BuildEngine::Podman => Some(Engine::Podman),
        BuildEngine::Buildah => Some(Engine::Buildah),
    }
}
