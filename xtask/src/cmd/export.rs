//! `export`: a built image as a file or folder that other tools take.

use std::process::ExitCode;

use anyhow::{Context as _, Error, Result, bail};
use assemble::export::Format;

use crate::{
    flags::{ExportArgs, ExportFormat, Global},
    images::not_built,
    platform::oci,
    workspace::Workspace,
};

pub(crate) fn run(global: &Global, args: &ExportArgs) -> Result<ExitCode> {
    let workspace = Workspace::find(global)?;
    let catalog = workspace.catalog()?;
    let image = crate::images::one(&catalog, &args.image)?;
    let platforms = catalog.table.platforms(&args.platform).map_err(Error::msg)?;
    if platforms.len() > 1 && args.format == ExportFormat::DockerArchive {
        bail!("a docker-archive holds an image for one platform\nname one with --platform, or write an oci-archive");
    }
    let name = image.reference.to_string();
    let not_built = |platform| not_built(&catalog, image, platform);
    let layout = workspace.open_layout().with_context(|| not_built(catalog.table.default_platform()))?;
    let mut images = Vec::new();
    for platform in platforms {
        let found = layout.lookup_for(&name, &oci(platform))?.with_context(|| not_built(platform))?;
        images.push((oci(platform), found));
    }
    let found = layout.put_images(images)?;
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
