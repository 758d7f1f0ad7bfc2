//! `ci run`: what one job of CI does, as the commands that it consists of. Each can be given by hand as well.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use catalog::{Catalog, ImageRef, LockedCatalog, Origin, Platform, Smoke};

use crate::{
    flags::{
        AuditArgs, AuditFormat, BuildEngine, BuildLayers, CiRunArgs, Command, CompileArgs, EngineFlag, FailOn, Global,
        OriginFlag, Platforms, PushArgs, Select, SmokeArgs,
    },
    workspace::Workspace,
};

/// The steps of a job, in order, each with its name.
pub(crate) fn steps(global: &Global, args: &CiRunArgs) -> Result<Vec<(&'static str, Command)>> {
    if global.source_dir.is_some() {
        bail!("jobs are about the versions of the table\nleave out --source-dir");
    }
    let workspace = Workspace::find(global)?;
    let catalog = workspace.catalog()?;
    let job = ci::job(&catalog, &args.id)?;
    let images = buildable(&workspace, &catalog, job.platform, job.images, args)?;
    let select = || Select {
        images: images.iter().map(ToString::to_string).collect(),
        spark: Vec::new(),
        with: catalog.table.groups.keys().cloned().collect(),
    };
    let platforms = || Platforms { platform: vec![job.platform.to_string()] };
    let build = Command::BuildLayers(BuildLayers {
        select: select(),
        platforms: platforms(),
        origin: args.origin.clone(),
        compile: CompileArgs { compile_in: EngineFlag::Embedded, recompile: false, compile_jobs: None },
        engine: BuildEngine::Embedded,
        plan: false,
        why: true,
        jobs: None,
        secret: Vec::new(),
        cache_from: args.cache_from.clone(),
        plain_http: args.plain_http && args.cache_from.is_some(),
        json: false,
    });
    let mut steps = vec![("build", build)];
    if !args.no_audit {
        let audit = Command::Audit(AuditArgs {
            images: select().images,
            spark: Vec::new(),
            platforms: platforms(),
            root: None,
            format: if args.sarif.is_some() { AuditFormat::Sarif } else { AuditFormat::Text },
            output: args.sarif.clone(),
            fail_on: FailOn::Error,
        });
        steps.push(("audit", audit));
    }
    let is_tested =
        |reference: &ImageRef| catalog.image(reference).is_some_and(|image| catalog.smoke(image) != Smoke::default());
    if !args.no_smoke && images.iter().any(is_tested) {
        let smoke = Command::Smoke(SmokeArgs {
            select: select(),
            platforms: platforms(),
            engine: EngineFlag::Embedded,
            with_services: false,
            gpus: false,
            service: Vec::new(),
            only: Vec::new(),
            junit: args.junit.clone(),
            json: false,
            jobs: None,
            rerun_failed: false,
        });
        steps.push(("smoke", smoke));
    }
    let push = |registry: &String, no_tags: bool| {
        Command::Push(PushArgs {
            registry: registry.clone(),
            select: select(),
            platforms: platforms(),
            tag: Vec::new(),
            no_tags,
            with_parents: true,
            compression: "gzip".to_owned(),
            require_smoke: None,
            allow_release: args.allow_release,
            allow_dirty: args.allow_dirty,
            plain_http: args.plain_http,
            dry_run: false,
            json: false,
        })
    };
    steps.extend(args.cache_to.iter().map(|registry| ("hand on", push(registry, true))));
    steps.extend(args.push.iter().map(|registry| ("push", push(registry, false))));
    Ok(steps)
}

/// The images of the job that can be built.
///
/// # Errors
/// There is none: why.
fn buildable(
    workspace: &Workspace,
    catalog: &Catalog,
    platform: Platform,
    images: Vec<ImageRef>,
    args: &CiRunArgs,
) -> Result<Vec<ImageRef>> {
    let origin = match args.origin.origin {
        None => catalog.table.origin,
        Some(OriginFlag::Release) => Origin::Release,
        Some(OriginFlag::Source | OriginFlag::Auto) => Origin::Source,
    };
    // What a stale lock blocks, the build says.
    let blocked = LockedCatalog::new(catalog.clone(), workspace.lock()?, origin)
        .map_or_else(|_| BTreeMap::new(), |locked| locked.blocked(platform));
    let (blocked, buildable): (Vec<_>, Vec<_>) =
        images.into_iter().partition(|reference| blocked.contains_key(reference));
    for reference in &blocked {
        eprintln!("blocked: {reference}");
    }
    if buildable.is_empty() {
        bail!("no image of the job `{}` can be built\nto see why: cargo xtask why {}", args.id, blocked[0]);
    }
    Ok(buildable)
}
