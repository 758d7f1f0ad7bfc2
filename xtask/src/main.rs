//! `cargo xtask`: custom Apache Spark images from one version table.
//!
//! `main` parses the flags, calls the command, and prints the error chain. What a command does stands in `cmd/`.

mod audit;
mod bake;
mod boxed;
mod build;
mod bundle;
mod carry;
mod change;
mod checkouts;
mod cmd;
mod compile;
mod completions;
mod docs;
mod doctor;
mod engine;
mod fetch;
mod gc;
mod generate;
mod images;
mod interrupt;
mod jar;
mod legacy;
mod machine;
mod manual;
mod memory;
mod outdated;
mod platform;
mod pull;
mod push;
mod report;
mod resolve;
mod runner;
mod schedule;
mod secrets;
mod session;
mod setup;
mod smoke;
mod stage;
mod versions;
mod workflows;
mod workspace;
mod zstd;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;
use command_line as flags;
use flags::{CiCommand, CiRunArgs, Cli, Command, Global};

fn main() -> ExitCode {
    memory::share_heaps();
    let cli = Cli::parse();
    run(&cli.global, &cli.command).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        // As a shell reports a program that Ctrl-C ended.
        if interrupt::is_set() { ExitCode::from(130) } else { ExitCode::FAILURE }
    })
}

fn run(global: &Global, command: &Command) -> Result<ExitCode> {
    match command {
        Command::BuildLayers(args) => cmd::build_layers::run(global, args),
        Command::BuildCustom(args) => cmd::build_layers::custom(global, args),
        Command::Plan(args) => cmd::plan::run(global, args),
        Command::Graph(args) => cmd::graph::run(global, args),
        Command::Why(args) => cmd::graph::why(global, args),
        Command::CiMatrix(args) => ci::matrix(global, args),
        Command::Ci(CiCommand::Run(args)) => job(global, args),
        Command::List(args) => cmd::list::run(global, args),
        Command::Lock(args) => cmd::lock::run(global, args),
        Command::Fetch(args) => cmd::fetch::run(global, args),
        Command::Stage(args) => cmd::stage::run(global, args),
        Command::Bake(args) => cmd::bake::run(global, args),
        Command::Bundle(args) => cmd::bundle::run(global, args),
        Command::Vendor(args) => cmd::vendor::run(global, args),
        Command::Export(args) => cmd::export::run(global, args),
        Command::Push(args) => cmd::push::run(global, args),
        Command::Pull(args) => cmd::pull::run(global, args),
        Command::Load(args) => cmd::load::run(global, args),
        Command::Smoke(args) => cmd::smoke::run(global, args),
        Command::Audit(args) => cmd::audit::run(global, args),
        Command::Run(args) => cmd::run::run(global, args),
        Command::Shell(args) => cmd::run::shell(global, args),
        Command::Store(args) => cmd::store::run(global, args),
        Command::CleanupLegacy(args) => cmd::cleanup_legacy::run(global, args),
        Command::Gc(args) => cmd::gc::run(global, args),
        Command::Doctor(args) => cmd::doctor::run(global, args),
        Command::Setup(args) => cmd::setup::run(global, args),
        Command::Outdated(args) => cmd::outdated::run(global, args),
        Command::AddVersion(args) => cmd::versions::add(global, args),
        Command::RemoveVersion(args) => cmd::versions::remove(global, args),
        Command::Docs(args) => cmd::docs::run(global, args),
        Command::Completions(args) => cmd::completions::run(global, args),
        Command::Man(args) => cmd::man::run(global, args),
    }
}

/// One command after the other, until one does not succeed.
fn job(global: &Global, args: &CiRunArgs) -> Result<ExitCode> {
    for (step, command) in cmd::ci::steps(global, args)? {
        eprintln!("== {step}");
        let code = run(global, &command)?;
        if code != ExitCode::SUCCESS {
            return Ok(code);
        }
    }
    Ok(ExitCode::SUCCESS)
}
