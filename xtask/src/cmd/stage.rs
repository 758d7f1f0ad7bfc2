//! `stage`: the build context of an image as a folder, and the command by which Docker builds it.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use catalog::Image;

use crate::{
    flags::{Global, StageArgs},
    report::quoted,
    session::Session,
    stage::Stager,
};

pub(crate) fn run(global: &Global, args: &StageArgs) -> Result<ExitCode> {
    let session = Session::open(global, args.origin.origin)?;
    let image = crate::images::one(session.catalog(), &args.image)?;
    let platform = crate::images::one_platform(session.catalog(), args.platform.as_ref())?;
    let stager = session.stager().on(platform);
    if let Some(reasons) = session.locked.blocked(platform).get(&image.reference) {
        bail!("{} is blocked: {}", stager.label(image), reasons.join("; "));
    }
    if session.fetch(&[(platform, image)])? {
        bail!("docker/versions.lock has moved on\nrun the command again");
    }
    let step = session.board.step(&stager.label(image), "staging");
    let context = stager.context(image, |what| step.now(what))?;
    step.now("writing");
    assemble::context::materialize(&context, &args.output, session.catalog().table.epoch)
        .with_context(|| format!("writing the context of {} to {}", image.reference, args.output))?;
    drop(step);
    println!("{}", commands(&stager, image, args)?);
    Ok(ExitCode::SUCCESS)
}

/// What is typed to build the image with Docker: its parents are given to Docker first, then the context is built.
fn commands(stager: &Stager<'_>, image: &Image, args: &StageArgs) -> Result<String> {
    let mut lines = Vec::new();
    for parent in image.parents.values() {
        let (name, file) = (parent.to_string(), format!("{}.tar", parent.file_name()));
        let mut export = vec!["cargo", "xtask", "export", &name, "--format", "docker-archive", "-o", &file];
        export.extend(args.platform.iter().flat_map(|platform| ["--platform", platform]));
        let export = quoted(&export)?;
        lines.push(format!("{export} && {}", quoted(&["docker", "load", "-i", &file])?));
    }
    let mut build = vec!["docker".to_owned(), "build".to_owned()];
    let mut flag = |name: &str, value: String| build.extend([format!("--{name}"), value]);
    if !image.network {
        flag("network", "none".to_owned());
    }
    args.platform.iter().for_each(|platform| flag("platform", platform.clone()));
    flag("file", stager.workspace.path(&image.dockerfile).into_string());
    image.target.iter().for_each(|target| flag("target", target.clone()));
    image.parents.iter().for_each(|(arg, parent)| flag("build-arg", format!("{arg}={parent}")));
    image.args.iter().for_each(|(arg, value)| flag("build-arg", format!("{arg}={value}")));
    let mut labels = stager.labels(image);
    labels.extend(stager.compile_labels(image)?);
    labels.iter().for_each(|(name, value)| flag("label", format!("{name}={value}")));
    image.references().for_each(|reference| flag("tag", reference.to_string()));
    build.push(args.output.to_string());
    let build: Vec<&str> = build.iter().map(String::as_str).collect();
    lines.push(format!("DOCKER_BUILDKIT=1 {}", quoted(&build)?));
    Ok(lines.join("\n"))
}
