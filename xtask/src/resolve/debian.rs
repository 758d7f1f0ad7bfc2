//! Debian packages: signed suites, their indexes, and all that a list of packages depends on.

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, bail};
use catalog::{Artifact, Coordinate, Debian, Platform};
use debian::{
    closure::{ClosureError, closure},
    index::{Index, Package},
    openpgp::Keyring,
    release::{self, Expected, IndexFile, Release},
};
use registries::{DebianEndpoint, Kind};

use super::{Answer, one_line};
use crate::{
    machine::{Machine, location},
    workspace::Workspace,
};

/// Keys of the archives that are trusted, armoured.
const KEYS: &str = "docker/base/keys/*.asc";
const LARGEST_RELEASE: u64 = 4 << 20;

/// The packages asked for and all that they depend on, in the newest versions of the suites. What the archives do not have
/// for the `main` platform is an error, for others it is absent.
pub(crate) fn resolve(
    workspace: &Workspace,
    machine: &Machine,
    packages: &[String],
    debian: &Debian,
    platform: Platform,
    main: Platform,
) -> Result<Answer> {
    machine.registries.require(&[Kind::Debian])?;
    let keyring = keyring(workspace)?;
    let mut index = Index::new();
    for suite in &debian.suites {
        match suite_indexes(machine, &keyring, suite, debian, platform, main)? {
            Some(texts) => texts.into_iter().for_each(|text| index.add(suite, text)),
            // The lock must hold no word of this machine's archives.
            None => {
                return Ok(Answer::Absent(format!("no archive that was asked has the suite {suite} for {platform}")));
            }
        }
    }
    match closure(&index, packages.iter().map(String::as_str), platform.architecture()) {
        Ok(packages) => Ok(Answer::Set(packages.into_iter().map(artifact).collect())),
        Err(faults @ ClosureError::Faults(_)) if platform != main => Ok(Answer::Absent(one_line(&faults.to_string()))),
        Err(error) => Err(error.into()),
    }
}

fn artifact(package: Package) -> Artifact {
    let Package { name, version, architecture, filename, size, digest, .. } = package;
    Artifact { id: Coordinate::Deb { name, version, architecture }, size, sha256: digest, path: Some(filename) }
}

/// The code name of Debian's stable release, as the first archive that has it says under its signature; nothing if none
/// has.
///
/// # Errors
/// The keys cannot be read, or an archive does not answer or says it without a valid signature.
pub(crate) fn stable(workspace: &Workspace, machine: &Machine) -> Result<Option<String>> {
    let keyring = keyring(workspace)?;
    for archive in machine.registries.debian.iter() {
        if let Some(release) = in_release(machine, &keyring, archive, "stable")? {
            return Ok(Some(release.codename));
        }
    }
    Ok(None)
}

fn keyring(workspace: &Workspace) -> Result<Keyring> {
    let mut files = Vec::new();
    for path in workspace.glob(&[KEYS])? {
        let bytes = fs::read(workspace.path(path.as_str())).with_context(|| format!("reading {path}"))?;
        files.push((path, bytes));
    }
    Ok(Keyring::from_armored(files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())))?)
}

/// The texts of the package indexes of a suite, from the first archive that has it. Nothing if all of them answered, and
/// none has it for this platform, which is not the main one.
fn suite_indexes(
    machine: &Machine,
    keyring: &Keyring,
    suite: &str,
    debian: &Debian,
    platform: Platform,
    main: Platform,
) -> Result<Option<Vec<String>>> {
    let (mut tried, mut failed) = (Vec::new(), false);
    for archive in machine.registries.debian.iter().filter(|archive| archive.offers(suite)) {
        let found = in_release(machine, keyring, archive, suite).and_then(|release| {
            let Some(release) = release else { return Ok(None) };
            let components = debian.components.iter();
            components.map(|component| packages(machine, archive, suite, &release, component, platform)).collect()
        });
        match found {
            Ok(Some(texts)) => return Ok(Some(texts)),
            Ok(None) => tried.push(format!("{}: does not have it", archive.endpoint.found_in)),
            Err(error) => {
                failed = true;
                tried.push(format!("{}: {error:#}", archive.endpoint.found_in));
            }
        }
    }
    // An archive that does not answer may have it.
    if platform != main && !failed && !tried.is_empty() {
        return Ok(None);
    }
    bail!("no archive has the suite {suite} for {platform} with a valid signature\n  {}", tried.join("\n  "))
}

fn in_release(machine: &Machine, keyring: &Keyring, archive: &DebianEndpoint, suite: &str) -> Result<Option<Release>> {
    let place = location(&archive.endpoint, &registries::debian_path(suite, "InRelease"));
    let Some(small) = machine.http.get_small(&place, LARGEST_RELEASE)? else { return Ok(None) };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock stands before 1970")?.as_secs();
    Ok(Some(release::verify(&small.bytes, keyring, &Expected { suite, now, accept_stale: false })?))
}

/// The package index of a component, if the archive has it.
fn packages(
    machine: &Machine,
    archive: &DebianEndpoint,
    suite: &str,
    release: &Release,
    component: &str,
    platform: Platform,
) -> Result<Option<String>> {
    // The bytes under a hash do not change when the mirror is updated between two requests.
    let paths = |file: &IndexFile| file.by_hash.iter().chain([&file.path]).cloned().collect::<Vec<_>>();
    // A release file that names no index for this architecture is of an archive that does not have it.
    let Ok(files) = release.packages(component, platform.architecture()) else { return Ok(None) };
    for file in files {
        for path in paths(&file) {
            let place = location(&archive.endpoint, &registries::debian_path(suite, &path));
            if let Some(small) = machine.http.get_small(&place, file.size)? {
                return Ok(Some(file.read(&small.bytes)?));
            }
        }
    }
    Ok(None)
}
