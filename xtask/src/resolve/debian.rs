//! Debian packages: signed suites, their indexes, and all that a list of packages depends on.

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, bail};
use catalog::{Artifact, Coordinate, Debian};
use debian::{
    closure::closure,
    index::{Index, Package},
    openpgp::Keyring,
    release::{self, Expected, IndexFile, Release},
};
use registries::{DebianEndpoint, Kind};

use crate::{
    machine::{Machine, location},
    workspace::Workspace,
};

/// Keys of the archives that are trusted, armoured.
const KEYS: &str = "docker/base/keys/*.asc";
const LARGEST_RELEASE: u64 = 4 << 20;

/// The packages asked for and all that they depend on, in the newest versions of the suites.
pub(super) fn resolve(
    workspace: &Workspace,
    machine: &Machine,
    packages: &[String],
    debian: &Debian,
) -> Result<Vec<Artifact>> {
    machine.registries.require(&[Kind::Debian])?;
    let keyring = keyring(workspace)?;
    let mut index = Index::new();
    for suite in &debian.suites {
        for text in suite_indexes(machine, &keyring, suite, debian)? {
            index.add(suite, text);
        }
    }
    let packages = closure(&index, packages.iter().map(String::as_str), &debian.architecture)?;
    Ok(packages.into_iter().map(artifact).collect())
}

fn artifact(package: Package) -> Artifact {
    let Package { name, version, architecture, filename, size, digest, .. } = package;
    Artifact { id: Coordinate::Deb { name, version, architecture }, size, sha256: digest, path: Some(filename) }
}

fn keyring(workspace: &Workspace) -> Result<Keyring> {
    let mut files = Vec::new();
    for path in workspace.glob(&[KEYS])? {
        let bytes = fs::read(workspace.path(path.as_str())).with_context(|| format!("reading {path}"))?;
        files.push((path, bytes));
    }
    Ok(Keyring::from_armored(files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())))?)
}

/// The texts of the package indexes of a suite, from the first archive that has it.
fn suite_indexes(machine: &Machine, keyring: &Keyring, suite: &str, debian: &Debian) -> Result<Vec<String>> {
    let mut tried = Vec::new();
    for archive in machine.registries.debian.iter().filter(|archive| archive.offers(suite)) {
        let found = in_release(machine, keyring, archive, suite).and_then(|release| {
            let Some(release) = release else { return Ok(None) };
            let components = debian.components.iter();
            components
                .map(|component| packages(machine, archive, suite, &release, component, debian))
                .collect::<Result<_>>()
                .map(Some)
        });
        match found {
            Ok(Some(texts)) => return Ok(texts),
            Ok(None) => tried.push(format!("{}: does not have it", archive.endpoint.found_in)),
            Err(error) => tried.push(format!("{}: {error:#}", archive.endpoint.found_in)),
        }
    }
    bail!("no archive has the suite {suite} with a valid signature\n  {}", tried.join("\n  "))
}

fn in_release(machine: &Machine, keyring: &Keyring, archive: &DebianEndpoint, suite: &str) -> Result<Option<Release>> {
    let place = location(&archive.endpoint, &registries::debian_path(suite, "InRelease"));
    let Some(small) = machine.http.get_small(&place, LARGEST_RELEASE)? else { return Ok(None) };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock stands before 1970")?.as_secs();
    Ok(Some(release::verify(&small.bytes, keyring, &Expected { suite, now, accept_stale: false })?))
}

fn packages(
    machine: &Machine,
    archive: &DebianEndpoint,
    suite: &str,
    release: &Release,
    component: &str,
    debian: &Debian,
) -> Result<String> {
    // The bytes under a hash do not change when the mirror is updated between two requests.
    let paths = |file: &IndexFile| file.by_hash.iter().chain([&file.path]).cloned().collect::<Vec<_>>();
    for file in release.packages(component, &debian.architecture)? {
        for path in paths(&file) {
            let place = location(&archive.endpoint, &registries::debian_path(suite, &path));
            if let Some(small) = machine.http.get_small(&place, file.size)? {
                return Ok(file.read(&small.bytes)?);
            }
        }
    }
    bail!("the archive has none of the indexes of {suite}/{component} that its release file names")
}
