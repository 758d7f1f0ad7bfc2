//! `run` and `shell`: a command in a built image, for people without a container engine.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use camino::Utf8PathBuf;
use sandbox::{Mount, Network, Output, Status, Stdin};

use crate::{
    boxed::Boxed,
    flags::{Global, RunArgs, ShellArgs},
    workspace::Workspace,
};

pub(crate) fn run(global: &Global, args: &RunArgs) -> Result<ExitCode> {
    let workspace = Workspace::find(global)?;
    let catalog = workspace.catalog()?;
    let platform = crate::images::one_platform(&catalog, args.platform.as_ref())?;
    let boxed = Boxed::open(&workspace, &catalog, crate::images::one(&catalog, &args.image)?, platform)?;
    let argv = boxed.argv(&args.command);
    let mut spec = boxed.spec(argv, args.user.as_deref())?;
    for pair in &args.env {
        let Some((name, value)) = pair.split_once('=') else { bail!("--env {pair}: write NAME=VALUE") };
        spec.env.insert(name.to_owned(), value.to_owned());
    }
    for volume in &args.volume {
        spec.mounts.push(mount(volume)?);
    }
    interactive(&boxed, spec, args.network)
}

pub(crate) fn shell(global: &Global, args: &ShellArgs) -> Result<ExitCode> {
    let workspace = Workspace::find(global)?;
    let catalog = workspace.catalog()?;
    let platform = crate::images::one_platform(&catalog, args.platform.as_ref())?;
    let boxed = Boxed::open(&workspace, &catalog, crate::images::one(&catalog, &args.image)?, platform)?;
    let mut spec = boxed.spec(vec!["/bin/bash".to_owned()], args.user.as_deref())?;
    spec.env.extend(std::env::var("TERM").ok().map(|term| ("TERM".to_owned(), term)));
    interactive(&boxed, spec, args.network)
}

fn interactive(boxed: &Boxed, mut spec: sandbox::Spec, network: bool) -> Result<ExitCode> {
    spec.network = if network { Network::Host } else { Network::None };
    spec.stdin = Stdin::Inherit;
    spec.stdout = Output::Inherit;
    spec.stderr = Output::Inherit;
    spec.terminal = true;
    let outcome = boxed.run(spec)?;
    Ok(match outcome.status {
        Status::Exited(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        Status::TimedOut | Status::Cancelled => ExitCode::from(130),
    })
}

/// `SOURCE:TARGET[:ro]`
fn mount(volume: &str) -> Result<Mount> {
    let (pair, read_only) = volume.strip_suffix(":ro").map_or((volume, false), |pair| (pair, true));
    let Some((source, target)) = pair.split_once(':') else { bail!("--volume {volume}: write SOURCE:TARGET[:ro]") };
    let source = Utf8PathBuf::from(source).canonicalize_utf8().with_context(|| format!("--volume {volume}"))?;
    Ok(Mount::Bind { source, target: target.into(), read_only })
}
