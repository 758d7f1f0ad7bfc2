//! Requests that name one file: Maven artifacts, archives with addresses of their own, and the user's own files.

use std::{
    fs::{self, File},
    io,
};

use anyhow::{Context as _, Result, bail};
use catalog::{Archive, Artifact, Coordinate, Request};
use debian::openpgp::{Keyring, verify_detached};
use store::{Algorithm, Check, FetchOptions, Location, Wanted, fetch};

use super::{Answer, NOWHERE};
use crate::{machine::Machine, report::progress::Board, workspace::Workspace};

/// The public keys of Spark's release managers, as Apache publishes them. The file may be missing.
const KEYS: &str = "docker/spark-custom/KEYS";
const LARGEST_SIGNATURE: u64 = 64 << 10;

/// Answers the requests among `open` that name one file.
pub(super) fn answer<'a>(
    workspace: &Workspace,
    machine: &Machine,
    open: &[&'a Request],
    board: &Board,
) -> Result<Vec<(&'a Request, Answer)>> {
    let mut answers = Vec::new();
    let mut remote = Vec::new();
    for &request in open {
        match request {
            Request::File(path) => answers.push((request, Answer::Artifact(own_file(workspace, path)?))),
            Request::Maven(maven) => {
                remote.push((request, published_check(machine, machine.maven(maven), ".sha1", Algorithm::Sha1)))
            }
            Request::Archive(archive) => {
                let locations = archive.urls.iter().map(Location::new).collect();
                let mut wanted = published_check(machine, locations, ".sha512", Algorithm::Sha512);
                if let Some(sha512) = &archive.sha512 {
                    wanted.check = Some(Check::new(Algorithm::Sha512, sha512)?);
                }
                remote.push((request, wanted));
            }
            Request::Shims { .. } | Request::Sdist { .. } | Request::Python { .. } | Request::Debian { .. } => {}
        }
    }
    if remote.iter().any(|(request, _)| matches!(request, Request::Maven(_))) {
        machine.registries.require(&[registries::Kind::Maven])?;
    }
    for (request, answer) in fetch_all(machine, remote, board)? {
        if let (Request::Archive(archive), Answer::Artifact(artifact)) = (request, &answer) {
            check_signature(workspace, machine, archive, artifact, board)?;
        }
        answers.push((request, answer));
    }
    Ok(answers)
}

/// Compares an archive with the signature beside it, where the repository has the keys of Spark's release managers.
fn check_signature(
    workspace: &Workspace,
    machine: &Machine,
    archive: &Archive,
    artifact: &Artifact,
    board: &Board,
) -> Result<()> {
    let keys = match fs::read(workspace.path(KEYS)) {
        Ok(keys) => keys,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("reading {KEYS}")),
    };
    let mut signature = None;
    for url in &archive.urls {
        // A place that cannot be reached is not a place where there is none.
        let place = Location::new(format!("{url}.asc"));
        let found = machine.http.get_small(&place, LARGEST_SIGNATURE);
        signature = found.with_context(|| format!("looking for the signature of {}", archive.name))?;
        if signature.is_some() {
            break;
        }
    }
    let Some(signature) = signature else {
        bail!("no signature lies beside {}, and {KEYS} is there to verify it", archive.name);
    };
    let path =
        machine.store.get(&artifact.sha256, Some(artifact.size)).context("an archive that was just fetched is gone")?;
    let signer = verify_detached(&path, &signature.bytes, &Keyring::from_keys_file(KEYS, &keys)?)
        .with_context(|| format!("the signature of {} is not one that {KEYS} knows", archive.name))?;
    let name = signer.user_id.unwrap_or_default();
    board.say(&format!("signed    {} by {name} {}", archive.name, signer.fingerprint));
    Ok(())
}

fn own_file(workspace: &Workspace, path: &str) -> Result<Artifact> {
    let full = workspace.path(path);
    let file = File::open(&full).with_context(|| format!("reading {path}, which an image file names"))?;
    let (sha256, size) = blob::hash_reader(file).with_context(|| format!("reading {path}"))?;
    Ok(Artifact { id: Coordinate::File(path.to_owned()), size, sha256, path: None })
}

/// A file that is wanted with the checksum that lies beside it, where a location publishes one. The bytes are pinned by
/// the lock afterwards; until then this guards against an accident on the way.
fn published_check(machine: &Machine, locations: Vec<Location>, suffix: &str, algorithm: Algorithm) -> Wanted {
    let beside = |location: &Location| {
        let location = Location { url: format!("{}{suffix}", location.url), ..location.clone() };
        let small = machine.http.get_small(&location, 4096).ok().flatten()?;
        let text = String::from_utf8(small.bytes).ok()?;
        // Apache writes `SPARK: AB CD …` in old files and `hex  name` in new ones; Maven writes the bare digits.
        let after_name = text.rsplit_once(": ").map_or(text.as_str(), |(_, digits)| digits);
        let first = after_name.split_whitespace().next().unwrap_or_default();
        let joined: String = after_name.split_whitespace().collect();
        Check::new(algorithm, first).or_else(|_| Check::new(algorithm, &joined)).ok()
    };
    let check = locations.iter().find_map(beside);
    Wanted { locations, check, ..Wanted::default() }
}

/// Why a file could not be had, as it stands in the lock: nothing that is of this machine alone.
fn absent(request: &Request) -> String {
    match request {
        Request::Archive(archive) => format!(
            "it could not be had from {}; a tree of your own is compiled with --source-dir DIR, and --origin release \
             compiles nothing",
            archive.urls.join(", ")
        ),
        _ => NOWHERE.to_owned(),
    }
}

fn fetch_all<'a>(
    machine: &Machine,
    remote: Vec<(&'a Request, Wanted)>,
    board: &Board,
) -> Result<Vec<(&'a Request, Answer)>> {
    if remote.is_empty() {
        return Ok(Vec::new());
    }
    let wanted: Vec<Wanted> =
        remote.iter().map(|(request, wanted)| Wanted { id: request.key(), ..wanted.clone() }).collect();
    let progress = board.download(remote.len(), None);
    let report = fetch(&machine.store, &machine.http, &wanted, &FetchOptions::default(), &progress)?;
    drop(progress);
    let mut answers = Vec::new();
    let mut failures = Vec::new();
    for (request, _) in remote {
        let key = request.key();
        if let Some(fetched) = report.fetched.iter().find(|fetched| fetched.id == key) {
            let id = key.parse()?;
            let artifact = Artifact { id, size: fetched.size, sha256: fetched.digest, path: None };
            answers.push((request, Answer::Artifact(artifact)));
        } else if let Some(failed) = report.failed.iter().find(|failed| failed.id == key) {
            // An archive has addresses of its own. A machine that cannot reach them can still lock all the rest.
            if failed.error.is_absent() || matches!(request, Request::Archive(_)) {
                board.say(&format!("absent    {key}: {}", failed.error));
                answers.push((request, Answer::Absent(absent(request))));
            } else {
                failures.push(format!("{key}: {}", failed.error));
            }
        }
    }
    if !failures.is_empty() {
        bail!("the registries did not answer; the lock stays as it is\n  {}", failures.join("\n  "));
    }
    Ok(answers)
}
