//! `setup`: writes the user's own file of registries.

use std::{
    io::{self, IsTerminal as _},
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail};
use clap::CommandFactory as _;

use crate::{
    flags::{Cli, Global, SetupArgs},
    setup::{Changes, Preview, Wish, ask::ask},
    workspace::Workspace,
};

pub(crate) fn run(global: &Global, args: &SetupArgs) -> Result<ExitCode> {
    if !global.registry.is_empty() {
        bail!("--registry is for one run; setup takes --maven URL, --pypi URL and --debian URL");
    }
    let workspace = Workspace::of_table(global)?;
    let machine = registries::Machine::current(&workspace.root);
    let suites = workspace.catalog()?.table.debian.suites;
    let mut wish = Wish::read(args)?;
    if wish.is_empty() {
        if args.dry_run || !io::stdin().is_terminal() {
            return usage(&machine);
        }
        let found = registries::discover(&machine, &[], &suites);
        wish = ask(&mut io::stdin().lock(), &mut io::stderr(), &found)?;
        if wish.is_empty() {
            println!("nothing was named, and nothing written");
            return Ok(ExitCode::SUCCESS);
        }
    }
    let changes = Changes::of(&machine, &wish)?;
    let preview = Preview::of(&machine, &changes, &wish, &suites)?;
    for warning in preview.warnings() {
        eprintln!("warning: {warning}");
    }
    let file = &changes.registries;
    if args.dry_run {
        println!("# {}", file.path);
        print!("{}", file.new);
        if let Some(netrc) = &changes.netrc {
            println!("# {} (mode 0600)\n{}", netrc.path, preview.logins().join("\n"));
        }
        return Ok(ExitCode::SUCCESS);
    }
    if !global.offline {
        preview.check(&workspace)?.iter().for_each(|line| println!("{line}"));
    }
    // The credentials first: an address without them may be asked by somebody at once.
    for change in changes.netrc.iter().chain([file]) {
        match change.is_one() {
            true => {
                change.write()?;
                println!("wrote     {}", change.path);
            }
            false => println!("unchanged {}", change.path),
        }
    }
    println!("what a build would meet now: cargo xtask doctor");
    Ok(ExitCode::SUCCESS)
}

/// How it is called, where nobody can be asked.
fn usage(machine: &registries::Machine) -> Result<ExitCode> {
    let mut cli = Cli::command();
    let command = cli.find_subcommand_mut("setup").context("there is no command `setup`")?;
    let file = machine.user_registries().map_or_else(String::new, |path| format!(" into {path}"));
    eprintln!("error: nothing to write{file}: name a registry or a CA, or run this on a terminal\n");
    eprintln!("{}", command.clone().bin_name("cargo xtask setup").render_help());
    Ok(ExitCode::from(2))
}
