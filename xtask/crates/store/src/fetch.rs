//! Fills the store: many artifacts at once, each from the first location that has it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use blob::Digest;
use camino::Utf8PathBuf;

use crate::{
    check::{Algorithm, Check},
    error::{FetchError, StoreError, Tried},
    http::Http,
    location::Location,
    partial::Partial,
    progress::{Outcome, Progress},
    store::Store,
    transfer::{Ailing, Left, Transfer},
};

/// One artifact to have.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// What people call it: its coordinate, for messages and progress.
    pub id: String,
    /// Where it may be had, in the order to try.
    pub locations: Vec<Location>,
    /// Its size in bytes, if known.
    pub size: Option<u64>,
    /// Its digest, if known. Without it the bytes are trusted as far as `check` goes; the digest is reported.
    pub sha256: Option<Digest>,
    /// A checksum that it must have besides.
    pub check: Option<Check>,
}

impl Wanted {
    pub(crate) fn algorithm(&self) -> Option<Algorithm> {
        self.check.as_ref().map(Check::algorithm)
    }

    /// Whether it is a file that may begin with `<`.
    pub(crate) fn is_markup(&self) -> bool {
        self.locations.iter().any(|location| {
            let path = location.url.split(['?', '#']).next().unwrap_or_default();
            [".pom", ".xml", ".html", ".svg"].iter().any(|suffix| path.ends_with(suffix))
        })
    }

    /// The name under which it waits to be complete. Two processes that want the same file find the same name.
    fn name(&self) -> String {
        let digest = self.sha256.unwrap_or_else(|| {
            let check = self.check.as_ref().map_or_else(String::new, Check::to_string);
            let url = self.locations.first().map_or("", |location| location.url.as_str());
            Digest::of(if check.is_empty() { url } else { &check }.as_bytes())
        });
        digest.hex()
    }
}

/// How to fetch.
#[derive(Debug, Clone, Copy)]
pub struct FetchOptions {
    /// The number of transfers at a time; at least one.
    pub jobs: usize,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self { jobs: 8 }
    }
}

/// How a fetch ended, artifact by artifact in the order in which they were wanted.
#[derive(Debug, Default)]
pub struct FetchReport {
    /// What lies in the store now.
    pub fetched: Vec<Fetched>,
    /// What was not had.
    pub failed: Vec<Failed>,
}

/// An artifact that lies in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The id of the [`Wanted`].
    pub id: String,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Where it lies.
    pub path: Utf8PathBuf,
    /// The URL that it came from, redacted; nothing if it lay in the store before.
    pub from: Option<String>,
}

impl Fetched {
    /// Whether it lay in the store before.
    pub fn was_cached(&self) -> bool {
        self.from.is_none()
    }
}

/// An artifact that was not had.
#[derive(Debug)]
pub struct Failed {
    /// The id of the [`Wanted`].
    pub id: String,
    /// Why; shared by all that wanted the same artifact.
    pub error: Arc<FetchError>,
}

/// Gets all that is `wanted` and not in the store. One that fails stops no other.
///
/// Transfers run in parallel, large ones first. Equal digests are fetched once. A partial file of an earlier run is
/// gone on with. Once the client's `cancel` flag is set, transfers end at once, and what came so far is kept.
///
/// # Errors
/// Nothing was begun, because the artifacts of known size do not fit on the disk. All else is in the report.
pub fn fetch(
    store: &Store,
    http: &Http,
    wanted: &[Wanted],
    options: &FetchOptions,
    progress: &dyn Progress,
) -> Result<FetchReport, StoreError> {
    let groups = group(wanted);
    let tasks: Vec<Wanted> = groups.iter().map(|group| merge(wanted, group)).collect();
    if !http.is_offline() && !store.is_read_only() {
        store.has_room_for(missing_bytes(store, &tasks))?;
    }
    let mut order: Vec<usize> = (0..tasks.len()).collect();
    order.sort_by_key(|&task| std::cmp::Reverse(tasks[task].size.unwrap_or(u64::MAX)));
    let next = AtomicUsize::new(0);
    let ailing = Ailing::default();
    let (sender, receiver) = mpsc::channel();
    let mut results: Vec<Option<Result<Fetched, FetchError>>> = tasks.iter().map(|_| None).collect();
    thread::scope(|scope| {
        for _ in 0..options.jobs.clamp(1, tasks.len().max(1)) {
            let sender = sender.clone();
            let (order, tasks, next, ailing) = (&order, &tasks, &next, &ailing);
            scope.spawn(move || {
                while let Some(&task) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = fetch_one(store, http, &tasks[task], ailing, progress);
                    progress.finished(&tasks[task].id, outcome(&result));
                    // The receiver lives until all workers are done.
                    let _ = sender.send((task, result));
                }
            });
        }
        drop(sender);
        loop {
            match receiver.recv_timeout(Duration::from_millis(100)) {
                Ok((task, result)) => results[task] = Some(result),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
            // A silent server would hold us until the stall time-out.
            if http.cancel().load(Ordering::Relaxed) {
                http.disconnect();
            }
        }
    });
    Ok(report(wanted, &groups, results))
}

/// Results of groups, told in the order and with the ids of `wanted`.
fn report(wanted: &[Wanted], groups: &[Vec<usize>], results: Vec<Option<Result<Fetched, FetchError>>>) -> FetchReport {
    let mut entries = Vec::new();
    for (members, result) in groups.iter().zip(results) {
        let result = result.unwrap_or(Err(FetchError::Interrupted)).map_err(Arc::new);
        entries.extend(members.iter().map(|&index| (index, result.clone())));
    }
    entries.sort_by_key(|(index, _)| *index);
    let mut report = FetchReport::default();
    for (index, result) in entries {
        let id = wanted[index].id.clone();
        match result {
            Ok(fetched) => report.fetched.push(Fetched { id, ..fetched }),
            Err(error) => report.failed.push(Failed { id, error }),
        }
    }
    report
}

/// The indexes that want the same artifact, in the order of their first.
fn group(wanted: &[Wanted]) -> Vec<Vec<usize>> {
    let mut by_digest: BTreeMap<Digest, usize> = BTreeMap::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (index, wanted) in wanted.iter().enumerate() {
        match wanted.sha256.and_then(|digest| by_digest.get(&digest)) {
            Some(&group) => groups[group].push(index),
            None => {
                if let Some(digest) = wanted.sha256 {
                    by_digest.insert(digest, groups.len());
                }
                groups.push(vec![index]);
            }
        }
    }
    groups
}

/// One wish for all members of a group: the first one's, with everybody's locations.
fn merge(wanted: &[Wanted], members: &[usize]) -> Wanted {
    let mut merged = wanted[members[0]].clone();
    for &member in &members[1..] {
        let other = &wanted[member];
        merged.size = merged.size.or(other.size);
        merged.check = merged.check.or_else(|| other.check.clone());
        for location in &other.locations {
            if !merged.locations.contains(location) {
                merged.locations.push(location.clone());
            }
        }
    }
    merged
}

/// The bytes that are still to come, as far as sizes are known.
fn missing_bytes(store: &Store, tasks: &[Wanted]) -> u64 {
    let missing = |wanted: &Wanted| {
        let size = wanted.size?;
        if wanted.sha256.is_some_and(|digest| store.get(&digest, Some(size)).is_some()) {
            return None;
        }
        let partial = store.pending().join(format!("{}.part", wanted.name()));
        Some(size.saturating_sub(std::fs::metadata(partial).map_or(0, |metadata| metadata.len())))
    };
    tasks.iter().filter_map(missing).sum()
}

fn fetch_one(
    store: &Store,
    http: &Http,
    wanted: &Wanted,
    ailing: &Ailing,
    progress: &dyn Progress,
) -> Result<Fetched, FetchError> {
    if let Some(cached) = cached(store, wanted) {
        return Ok(cached);
    }
    let first = wanted.locations.first().ok_or(FetchError::NoLocation)?;
    if http.is_offline() {
        return Err(FetchError::Offline { location: first.to_string() });
    }
    if http.cancel().load(Ordering::Relaxed) {
        return Err(FetchError::Interrupted);
    }
    if store.is_read_only() {
        return Err(StoreError::ReadOnly { root: store.root().to_owned() }.into());
    }
    let name = wanted.name();
    let lock = store.lock(&name, http.cancel(), &|holder| progress.waiting(&wanted.id, holder));
    let _lock = match lock {
        Err(StoreError::Interrupted { .. }) => return Err(FetchError::Interrupted),
        lock => lock?,
    };
    // Whoever held the lock may have fetched it.
    if let Some(cached) = cached(store, wanted) {
        return Ok(cached);
    }
    progress.started(&wanted.id, wanted.size);
    let mut partial = Partial::open(store, &name, wanted.algorithm())?;
    let transfer = Transfer { http, wanted, progress, ailing };
    let mut tried = Vec::new();
    for location in &wanted.locations {
        match transfer.complete(&mut partial, location) {
            Ok(()) => {
                let (digest, check) = partial.digests();
                let size = partial.length();
                let path = partial.commit()?;
                if let Some(check) = check {
                    store.note(&check, &digest)?;
                }
                let from = Some(location.to_string());
                return Ok(Fetched { id: wanted.id.clone(), digest, size, path, from });
            }
            Err(Left::Because(error)) => return Err(error),
            Err(Left::For(reason)) => tried.push(Tried { location: location.to_string(), reason }),
        }
    }
    if partial.length() == 0 {
        partial.discard()?;
    }
    Err(FetchError::Nowhere { tried })
}

fn cached(store: &Store, wanted: &Wanted) -> Option<Fetched> {
    let digest = wanted.sha256.or_else(|| store.known_by(wanted.check.as_ref()?))?;
    let path = store.get(&digest, wanted.size)?;
    let size = std::fs::metadata(&path).ok()?.len();
    Some(Fetched { id: wanted.id.clone(), digest, size, path, from: None })
}

fn outcome(result: &Result<Fetched, FetchError>) -> Outcome<'_> {
    match result {
        Ok(fetched) if fetched.was_cached() => Outcome::Cached,
        Ok(fetched) => Outcome::Done { size: fetched.size },
        Err(error) => Outcome::Failed(error),
    }
}
