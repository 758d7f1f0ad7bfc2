//! `fetch`: all that a build needs, so that it can run without a network.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::ExitCode,
};

use anyhow::Result;
use catalog::{Platform, Selection};

use crate::{
    compile,
    fetch::needed,
    flags::{FetchArgs, Global},
    report::text::{bytes, count},
    session::Session,
};

pub(crate) fn run(global: &Global, args: &FetchArgs) -> Result<ExitCode> {
    loop {
        let session = Session::open(global, args.origin.origin)?;
        let selected = Selection::from(&args.select).with_parents(session.catalog())?;
        let mut images = Vec::new();
        for platform in session.platforms(&args.platforms.platform)? {
            images.extend(selected.iter().map(|&image| (platform, image)));
        }
        images.extend(compile::builders(&session, &images, true)?);
        let platforms: BTreeSet<Platform> = images.iter().map(|(platform, _)| *platform).collect();
        let blocked: BTreeMap<_, _> =
            platforms.into_iter().map(|platform| (platform, session.locked.blocked(platform))).collect();
        images.retain(|(platform, image)| !blocked[platform].contains_key(&image.reference));
        if session.fetch(&images)? {
            continue;
        }
        let artifacts = needed(&session.locked, &images);
        let total = artifacts.iter().map(|artifact| artifact.size).sum();
        let root = session.machine.store.root();
        println!("{} of {} in {root}", bytes(total), count(artifacts.len(), "file"));
        return Ok(ExitCode::SUCCESS);
    }
}
