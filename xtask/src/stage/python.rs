//! A set of Python packages, laid out from its wheels without unpacking them.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use assemble::{
    Context, Source,
    context::{Entry, FileEntry},
};
use catalog::{Artifact, Content, Coordinate, PythonSet};
use python::{
    name::PackageName,
    requirement::Requirement,
    site::{self, Layout, Wheel},
};

use super::Stager;

/// Adds the files of `set` to the context, below `into`, which becomes `/usr/local`.
pub(super) fn add(
    stager: &Stager<'_>,
    set: &PythonSet,
    artifacts: &[&Artifact],
    into: &str,
    context: &mut Context,
) -> Result<()> {
    let debian = &stager.locked.catalog().table.debian;
    let target = crate::resolve::python::target(&debian.python, &debian.glibc, stager.platform)?;
    let requested: Vec<PackageName> = set
        .requirements
        .iter()
        .map(|line| line.parse::<Requirement>().map(|requirement| requirement.name))
        .collect::<Result<_, _>>()
        .with_context(|| format!("reading the requirements of {}", set.name))?;
    let wheels = wheels(stager, artifacts, &requested)?;
    let mut below = Vec::new();
    for name in &set.on {
        below.extend(self::wheels(stager, &set_below(stager, name), &[])?);
    }
    let layout = Layout::debian_local((target.python.0, target.python.1));
    for file in site::lay_out(&wheels, &below, &layout)? {
        let source = match file.content {
            site::Content::Zip { wheel, entry } => Source::Zip { archive: wheel, entry },
            site::Content::Bytes(bytes) => Source::Bytes(Arc::from(bytes)),
        };
        let entry = FileEntry { executable: file.executable, size: file.size, digest: file.digest, source };
        context.insert(&format!("{into}/{}", file.path), Entry::File(entry))?;
    }
    Ok(())
}

/// The artifacts of the set of this name, which an image below has.
fn set_below<'a>(stager: &Stager<'a>, name: &str) -> Vec<&'a Artifact> {
    let (locked, platform) = (stager.locked, stager.platform);
    let stages = locked
        .catalog()
        .images()
        .iter()
        .flat_map(|image| locked.stages(platform, image).map(move |stage| (image, stage)));
    let mut of_set = stages.filter(|(_, stage)| matches!(&stage.content, Content::Python(set) if set.name == name));
    of_set.next().map(|(image, stage)| locked.artifacts(platform, image, stage)).unwrap_or_default()
}

fn wheels(stager: &Stager<'_>, artifacts: &[&Artifact], requested: &[PackageName]) -> Result<Vec<Wheel>> {
    let wheel = |artifact: &&Artifact| {
        let Coordinate::Pypi { name, file, .. } = &artifact.id else { bail!("{} is no wheel", artifact.id) };
        let requested = requested.iter().any(|wanted| wanted.as_str() == name);
        Ok(Wheel { filename: file.clone(), path: stager.path(artifact)?, requested })
    };
    artifacts.iter().map(wheel).collect()
}
