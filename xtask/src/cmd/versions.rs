//! `add-version` and `remove-version`: a Spark version comes and goes with all that belongs to it.

use std::process::ExitCode;

use anyhow::{Context as _, Error, Result, bail};
use camino::Utf8PathBuf;

use crate::{
    change::Draft,
    flags::{AddVersionArgs, Global, RemoveVersionArgs},
    machine::is_locked,
    report::{self, progress::Board, text::count},
    versions::{self, Add, Prepared, Remove, Version},
    workspace::Workspace,
};

pub(crate) fn add(global: &Global, args: &AddVersionArgs) -> Result<ExitCode> {
    let version = parse(&args.version)?;
    let from = args.from.as_deref().map(parse).transpose().context("--from")?;
    let what = format!("add-version {version}");
    let Some((workspace, draft)) = begin(global, &what, args.dry_run)? else { return Ok(ExitCode::SUCCESS) };
    let asked = Add { version, from, substitute: args.substitute };
    let prepared = versions::add(&workspace, global, draft, &asked, &Board::new())?;
    if !args.force {
        not_replaced(&prepared, version)?;
    }
    end(&what, &prepared, args.dry_run)?;
    let say = teller(args.dry_run);
    for absent in &prepared.absent {
        say(&format!(
            "absent   {}: none of the registries that were asked has it; what needs it is blocked",
            absent.maven
        ));
    }
    if let Some(instead) = prepared.absent.iter().find_map(|absent| absent.instead.as_deref()) {
        say(&format!(
            "to take what is absent in version {instead}: cargo xtask remove-version {version}, and add it with --substitute"
        ));
    }
    if prepared.questions.is_none() && !args.dry_run {
        let mentions = versions::mentions(&workspace, prepared.from)?;
        if !mentions.is_empty() {
            say(&format!("see whether {version} belongs there too: {}", mentions.join(", ")));
        }
        say(&format!("next: cargo xtask build-layers --spark {version} && cargo xtask smoke --spark {version}"));
    }
    Ok(report::done(prepared.questions.is_some() || prepared.is_lock_stale || !prepared.absent.is_empty()))
}

pub(crate) fn remove(global: &Global, args: &RemoveVersionArgs) -> Result<ExitCode> {
    let version = parse(&args.version)?;
    let what = format!("remove-version {version}");
    let Some((workspace, draft)) = begin(global, &what, args.dry_run)? else { return Ok(ExitCode::SUCCESS) };
    let asked = Remove { version, reason: args.reason.clone(), force: args.force };
    let prepared = versions::remove(&workspace, global, draft, &asked, &Board::new())?;
    end(&what, &prepared, args.dry_run)?;
    Ok(report::done(prepared.questions.is_some() || prepared.is_lock_stale))
}

fn parse(text: &str) -> Result<Version> {
    text.parse().map_err(Error::msg)
}

/// The checkout and a draft of it; nothing if all that was left to do was the end of an earlier run.
fn begin(global: &Global, what: &str, dry_run: bool) -> Result<Option<(Workspace, Draft)>> {
    if is_locked(global) && !dry_run {
        bail!(
            "docker/versions.lock would change, and --locked (or CI=true) forbids it\nrun this on a developer's machine and commit the result"
        );
    }
    let workspace = Workspace::of_table(global)?;
    let (draft, completed) = Draft::of(&workspace)?;
    if let Some(completed) = completed {
        println!("completed `{completed}`, which was cut off while it wrote");
        if completed == what {
            return Ok(None);
        }
    }
    Ok(Some((workspace, draft)))
}

/// A file that is new for the version and there already is somebody's work.
fn not_replaced(prepared: &Prepared, version: Version) -> Result<()> {
    let own =
        prepared.changes.0.iter().filter(|(path, change)| change.before.is_some() && versions::is_own(path, version));
    let paths: Vec<&Utf8PathBuf> = own.map(|(path, _)| path).collect();
    if paths.is_empty() {
        return Ok(());
    }
    let paths = paths.into_iter().map(|path| path.as_str()).collect::<Vec<_>>().join("\n  ");
    bail!(
        "these files would be written and are there already, with another content:\n  {paths}\nmove them away, or replace them: --force"
    )
}

/// What says a line. The diff of a dry run goes to standard output alone, so that `git apply` takes it.
fn teller(dry_run: bool) -> fn(&str) {
    if dry_run { |line| eprintln!("{line}") } else { |line| println!("{line}") }
}

/// Shows the change, or writes it.
fn end(what: &str, prepared: &Prepared, dry_run: bool) -> Result<()> {
    if dry_run {
        print!("{}", prepared.changes.diff());
    }
    let say = teller(dry_run);
    prepared.said.iter().for_each(|line| say(line));
    if !dry_run {
        prepared.draft.apply(what, &prepared.changes)?;
        prepared.changes.lines().for_each(|line| say(&line));
    }
    let files = count(prepared.changes.0.len(), "file");
    say(&if dry_run { format!("{files} would change") } else { format!("{files} written") });
    if let Some(questions) = &prepared.questions {
        say(&format!("open questions:\n\n{questions}\nwhen they are answered: cargo xtask lock && cargo xtask docs"));
    } else if prepared.is_lock_stale {
        say("docker/versions.lock does not answer the table yet; with a network: cargo xtask lock");
    }
    Ok(())
}
