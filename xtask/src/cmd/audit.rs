//! `audit`: judges built images from the layout, or a tree that makes images; runs nothing.

use std::{fs, io::ErrorKind, process::ExitCode, time::Instant};

use anyhow::{Context as _, Result, bail};
use audit::{Exceptions, Scope, Severity, combine, exceptions::FILE};
use camino::Utf8Path;
use catalog::Selection;

use crate::{
    audit::{images, report::Report, tree},
    flags::{AuditArgs, AuditFormat, FailOn, Global},
    images::not_built,
    platform::oci,
    report::progress::Board,
    workspace::Workspace,
};

pub(crate) fn run(global: &Global, args: &AuditArgs) -> Result<ExitCode> {
    let begin = Instant::now();
    let report = match &args.root {
        Some(root) => of_tree(global, root)?,
        None => of_images(global, args)?,
    };
    let text = match args.format {
        AuditFormat::Text => report.text(begin.elapsed()),
        AuditFormat::Json => report.json()?,
        AuditFormat::Sarif => report.sarif()?,
    };
    match &args.output {
        Some(path) => {
            blob::write(path, text.as_bytes()).with_context(|| format!("writing {path}"))?;
            // A program reads the file; the log of a job still says what is wrong.
            if args.format != AuditFormat::Text {
                print!("{}", report.text(begin.elapsed()));
            }
        }
        None => print!("{text}"),
    }
    let least = match args.fail_on {
        FailOn::Error => Some(Severity::Error),
        FailOn::Warning => Some(Severity::Warning),
        FailOn::Note => Some(Severity::Note),
        FailOn::Never => None,
    };
    let bad = least.is_some_and(|least| report.findings.iter().any(|finding| finding.severity >= least));
    Ok(if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn of_tree(global: &Global, root: &Utf8Path) -> Result<Report> {
    let workspace = Workspace::of_table(global)?;
    let catalog = workspace.catalog()?;
    let path = checkout::here()?.join(root);
    let root = path.canonicalize_utf8().with_context(|| format!("looking for --root {root}"))?;
    Ok(Report::of_tree(&root, combine(tree::judge(&workspace, &catalog, &root, &exceptions(&root, Scope::Tree)?)?)))
}

fn of_images(global: &Global, args: &AuditArgs) -> Result<Report> {
    let workspace = Workspace::find(global)?;
    let catalog = workspace.catalog()?;
    let with = catalog.table.groups.keys().cloned().collect();
    let selection = Selection { images: args.images.clone(), sparks: args.spark.clone(), with };
    let chosen = selection.chosen(&catalog)?;
    let layout = workspace.open_layout().context("no image is built\nto build them: cargo xtask build-layers")?;
    let mut targets = Vec::new();
    let mut missing = 0;
    for platform in catalog.table.platforms(&args.platforms.platform).map_err(anyhow::Error::msg)? {
        for image in &chosen {
            match layout.lookup_for(&image.reference.to_string(), &oci(platform))? {
                Some(found) => targets.push(images::Target { image, platform, found }),
                None if args.images.is_empty() => missing += 1,
                None => bail!(not_built(&catalog, image, platform)),
            }
        }
    }
    if targets.is_empty() {
        bail!("none of these images is built\nto build them: cargo xtask build-layers");
    }
    let exceptions = exceptions(&workspace.root, Scope::Images)?;
    let board = Board::new();
    let step = board.step("audit", "reading layers");
    let judged = images::judge(&workspace, global, &catalog, &layout, &targets, &exceptions)?;
    drop(step);
    // Who looked at a part only does not know what the rest needs an exception for.
    let main = Selection::default().chosen(&catalog)?;
    let judged_main = main.iter().all(|image| targets.iter().any(|target| target.image.reference == image.reference));
    let unused = if judged_main { exceptions.unused(missing == 0) } else { Vec::new() };
    let findings = combine(judged.into_iter().chain(unused));
    Ok(Report::of_images(&targets, findings))
}

/// What may be found. A checkout without the file has no exceptions.
fn exceptions(root: &Utf8Path, scope: Scope) -> Result<Exceptions> {
    match fs::read_to_string(root.join(FILE)) {
        Ok(text) => Ok(Exceptions::parse(&text, scope)?),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Exceptions::default()),
        Err(error) => Err(error).context(format!("reading {FILE}")),
    }
}
