//! `fetch`: all that a build needs, so that it can run without a network.

use std::process::ExitCode;

use anyhow::Result;
use catalog::Selection;

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
        let mut images = Selection::from(&args.select).with_parents(session.catalog())?;
        images.extend(compile::builders(&session, &images)?);
        let blocked = session.locked.blocked();
        let images: Vec<_> = images.into_iter().filter(|image| !blocked.contains_key(&image.reference)).collect();
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
