//! `export`: a built image as a file or folder that other tools take.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use assemble::{Layout, export::Format};

use crate::{
    flags::{ExportArgs, ExportFormat, Global},
    workspace::Workspace,
};

pub(crate) fn run(global: &Global, args: &ExportArgs) -> Result<ExitCode> {
    let workspace = Workspace::find(global)?;
    let catalog = workspace.catalog()?;
    let image = crate::images::one(&catalog, &args.image)?;
    let layout = Layout::open(workspace.layout()).with_context(|| crate::images::not_built(image))?;
    let name = image.reference.to_string();
    let found = layout.lookup(&name)?.with_context(|| crate::images::not_built(image))?;
    let names: Vec<String> = image.references().map(ToString::to_string).collect();
    let format = match args.format {
        ExportFormat::OciDir => Format::OciDir,
        ExportFormat::OciArchive => Format::OciArchive,
        ExportFormat::DockerArchive => Format::DockerArchive,
    };
    assemble::export::export(&layout, &found, format, &names, &args.output, args.force)
        .with_context(|| format!("writing {name} to {}", args.output))?;
    println!("{name} -> {}", args.output);
    Ok(ExitCode::SUCCESS)
}
