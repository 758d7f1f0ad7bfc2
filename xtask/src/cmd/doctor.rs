//! `doctor`: what would stop a build on this machine, and what to do about it.

use std::process::ExitCode;

use anyhow::Result;

use crate::{
    doctor,
    flags::{DoctorArgs, Global},
};

pub(crate) fn run(global: &Global, args: &DoctorArgs) -> Result<ExitCode> {
    let report = doctor::examine(global, args)?;
    if args.json {
        report.json()?;
    } else {
        report.print();
    }
    Ok(report.status())
}
