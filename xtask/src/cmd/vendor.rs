//! `vendor`: what a compile needs, in one file, for a machine without a network.

use std::process::ExitCode;

use anyhow::{Result, bail};
use catalog::Selection;

use crate::{
    compile::vendor,
    flags::{Global, OriginFlag, VendorArgs},
    report::text::{bytes, count},
    session::Session,
};

pub(crate) fn run(global: &Global, args: &VendorArgs) -> Result<ExitCode> {
    let session = Session::open(global, Some(OriginFlag::Source))?;
    let (file, vendored) = match (&args.input, &args.output) {
        (Some(file), _) => (file, vendor::take(&session, file)?),
        (None, Some(file)) => {
            let sparks = session.one_spark(args.spark.as_deref())?;
            let selection = Selection { images: vec!["custom".to_owned()], sparks, with: Vec::new() };
            (file, vendor::write(&session, &selection.with_parents(session.catalog())?, file)?)
        }
        (None, None) => bail!("neither --in nor --output"),
    };
    let arrow = if args.input.is_some() { "taken from" } else { "->" };
    println!("{}, {} {arrow} {file}", count(vendored.files, "file"), bytes(vendored.bytes));
    Ok(ExitCode::SUCCESS)
}
