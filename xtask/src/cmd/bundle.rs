//! `bundle`: what builds need, in one file, for a machine without a network.

use std::process::ExitCode;

use anyhow::{Result, bail};
use catalog::Selection;

use crate::{
    bundle,
    flags::{BundleArgs, Global},
    report::{
        self,
        text::{bytes, count},
    },
    session::Session,
};

pub(crate) fn run(global: &Global, args: &BundleArgs) -> Result<ExitCode> {
    let session = Session::open(global, args.origin.origin)?;
    if let Some(file) = &args.input {
        let carried = bundle::take(&session, file)?;
        println!("{}, {} taken from {file}", count(carried.files, "file"), bytes(carried.bytes));
        return Ok(ExitCode::SUCCESS);
    }
    let Some(file) = &args.out else { bail!("neither --in nor --out") };
    let selected = Selection::from(&args.select).with_parents(session.catalog())?;
    let (mut images, mut left_out) = (Vec::new(), 0);
    for platform in session.platforms(&args.platforms.platform)? {
        let blocked = session.locked.blocked(platform);
        for &image in &selected {
            match blocked.get(&image.reference) {
                Some(reasons) => {
                    left_out += 1;
                    eprintln!("blocked: {}: {}", session.stager().on(platform).label(image), reasons.join("; "));
                }
                None => images.push((platform, image)),
            }
        }
    }
    let carried = bundle::write(&session, &images, file)?;
    println!("{}, {} -> {file}", count(carried.files, "file"), bytes(carried.bytes));
    Ok(report::done(left_out > 0))
}
