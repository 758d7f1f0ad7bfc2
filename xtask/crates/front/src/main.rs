//! What `cargo xtask` starts: it reads the command line, answers what needs no more than the checkout, and hands all else to
//! `xtask`.
//!
//! The whole of `xtask` takes a minute to build after a clone, and most of that is for commands that fetch and build. This
//! binary is there in a fraction of it, so that help, a wrong flag and `list` do not have to wait. It must never need what
//! only `xtask` needs.

use std::{
    env::{self, args_os},
    ffi::OsString,
    os::unix::process::CommandExt as _,
    process::{Command as Process, ExitCode},
};

use anyhow::Result;
use checkout::{Checkout, list};
use clap::Parser as _;
use command_line::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    answer(&cli).unwrap_or_else(|| Err(hand_over())).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

/// The answer, where it can be given here.
fn answer(cli: &Cli) -> Option<Result<ExitCode>> {
    match &cli.command {
        Command::List(args) if cli.global.source_dir.is_none() => {
            let list = |checkout: Checkout| list::run(&checkout, &checkout.catalog_with(|_| Ok(None))?, args.json);
            Some(Checkout::find(&cli.global.images).and_then(list))
        }
        Command::CiMatrix(args) => Some(ci::matrix(&cli.global, args)),
        _ => None,
    }
}

/// Becomes `xtask`, by way of the cargo that started this; returns only if that cannot be started.
///
/// Nothing stays in between: arguments, folder, streams, signals and exit status are those of one process.
fn hand_over() -> anyhow::Error {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let built = env::current_exe().is_ok_and(|front| front.with_file_name("xtask").exists());
    if !built {
        eprintln!("building xtask, once: a minute or two");
    }
    let error = run(&cargo, built).exec();
    anyhow::Error::new(error).context(format!("starting {} to build and run xtask", cargo.display()))
}

#[expect(clippy::disallowed_methods, reason = "the one place where this binary starts a process")]
fn run(cargo: &OsString, quiet: bool) -> Process {
    let mut process = Process::new(cargo);
    process.arg("run").args(quiet.then_some("--quiet")).args(["--package", "xtask", "--"]).args(args_os().skip(1));
    // What cargo says of this package to a program that it runs. Build scripts ask for these variables (that of ring does),
    // and with other values than in a plain `cargo build` half of xtask would be compiled again.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text == "CARGO" || text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            process.env_remove(name);
        }
    }
    process
}
