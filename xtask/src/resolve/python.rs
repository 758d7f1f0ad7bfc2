//! Sets of Python packages.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail};
use catalog::{Artifact, Coordinate, Platform, Request, python_key};
use python::{
    name::PackageName,
    requirement::Requirement,
    resolve::{Pin, Request as Wanted, ResolveError},
    wheel::{Arch, Target},
};

use super::{Answer, index::SimpleIndex, one_line};

/// Resolves a set upon the sets below it; `sets` holds those, and what the last lock said of this one. Other platforms
/// take the versions of the main one where they have wheels of them; a set that cannot be had there is absent.
pub(crate) fn resolve(
    index: &SimpleIndex<'_>,
    request: &Request,
    main: Platform,
    sets: &BTreeMap<String, Vec<Artifact>>,
    update: &[String],
) -> Result<Answer> {
    let Request::Python { set, python, glibc, platform } = request else { bail!("{request} is no Python set") };
    let target = target(python, glibc, *platform)?;
    let requirements: Vec<Requirement> = set
        .requirements
        .iter()
        .map(|line| line.parse().with_context(|| format!("reading the requirement `{line}` of {}", set.name)))
        .collect::<Result<_>>()?;
    let pins = |key: &str| sets.get(key).into_iter().flatten().map(pin).collect::<Result<Vec<Pin>>>();
    let mut below = Vec::new();
    for name in &set.on {
        let key = python_key(name, *platform);
        if *platform != main && !sets.contains_key(&key) {
            return Ok(Answer::Absent(format!("it stands on `{key}`, which cannot be had")));
        }
        below.extend(pins(&key)?);
    }
    let mut previous = pins(&request.key())?;
    if *platform != main {
        let mut of_main = pins(&python_key(&set.name, main))?;
        of_main.retain(|pin| previous.iter().all(|own| own.name != pin.name));
        previous.extend(of_main);
    }
    let everything = update.iter().any(|name| name == "pypi" || *name == request.key());
    let update: BTreeSet<PackageName> = match everything {
        true => previous.iter().map(|pin| pin.name.clone()).collect(),
        false => update.iter().filter_map(|name| name.parse().ok()).collect(),
    };
    let wanted =
        Wanted { requirements: &requirements, target: &target, previous: &previous, update: &update, below: &below };
    match python::resolve::resolve(index, &wanted) {
        Ok(pins) => Ok(Answer::Set(pins.into_iter().map(artifact).collect())),
        Err(conflict @ ResolveError::Conflict(_)) if *platform != main => {
            Ok(Answer::Absent(one_line(&conflict.to_string())))
        }
        Err(error) => Err(error).with_context(|| format!("resolving {}", request.key())),
    }
}

/// The interpreter and system of the base image.
pub(crate) fn target(python: &str, glibc: &str, platform: Platform) -> Result<Target> {
    let numbers = |what: &str, text: &str| -> Result<Vec<u64>> {
        let parts: Option<Vec<u64>> = text.split('.').map(|part| part.parse().ok()).collect();
        let parts = parts.filter(|parts| (2..=3).contains(&parts.len()));
        parts
            .with_context(|| format!("`{what} = \"{text}\"` in [debian] of docker/versions.toml: write it as `3.11.2`"))
    };
    let arch = match platform {
        Platform::Amd64 => Arch::X86_64,
        Platform::Arm64 => Arch::Aarch64,
    };
    let (python, glibc) = (numbers("python", python)?, numbers("glibc", glibc)?);
    let patch = python.get(2).copied().unwrap_or(0);
    Ok(Target { python: (python[0], python[1], patch), arch, glibc: (glibc[0], glibc[1]) })
}

fn pin(artifact: &Artifact) -> Result<Pin> {
    let Coordinate::Pypi { name, version, file } = &artifact.id else { bail!("{} is no wheel", artifact.id) };
    Ok(Pin {
        name: name.parse()?,
        version: version.parse().map_err(|error| anyhow::anyhow!("{}: {error}", artifact.id))?,
        filename: file.clone(),
        sha256: artifact.sha256,
        size: artifact.size,
        requested: false,
    })
}

fn artifact(pin: Pin) -> Artifact {
    let id = Coordinate::Pypi { name: pin.name.to_string(), version: pin.version.to_string(), file: pin.filename };
    Artifact { id, size: pin.size, sha256: pin.sha256, path: None }
}
