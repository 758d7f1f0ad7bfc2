//! Which archives in apt's sources are Debian's, and which of them serve a wanted suite.

use super::{is_security, sources::Source};
use crate::{
    endpoint::{DebianEndpoint, Endpoint},
    search::Search,
};

/// What the machine says of its own system.
#[derive(Debug, Default)]
pub(super) struct Host {
    is_debian: bool,
    codename: String,
}

impl Host {
    /// Reads os-release(5).
    pub(super) fn read(search: &mut Search) -> Self {
        let paths = ["/etc/os-release", "/usr/lib/os-release"];
        let text = paths.iter().find_map(|path| search.machine.read((*path).into()).ok()).unwrap_or_default();
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            line.unwrap_or_default().trim().trim_matches(['"', '\'']).to_owned()
        };
        Self { is_debian: value("ID") == "debian", codename: value("VERSION_CODENAME") }
    }
}

/// What speaks for an archive being Debian's own, or a mirror of it. Only its signature proves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Evidence {
    /// Signed by Debian's keyring, or `debian` in the path, or it offers the very release that this machine is of.
    Debian,
    /// Nothing known.
    Unknown,
    /// Signed by a keyring that is not Debian's: a third party's packages for Debian.
    Other,
}

/// An archive: what all sources of one address say of it together.
pub(super) struct Archive {
    endpoint: Endpoint,
    offered: Vec<String>,
    components: Vec<String>,
    architectures: Vec<String>,
    trusted: bool,
    signed_by: Option<String>,
    evidence: Evidence,
}

impl Archive {
    pub(super) fn new(endpoint: Endpoint, source: &Source, host: &Host) -> Self {
        Self {
            evidence: evidence(&endpoint, source, host),
            endpoint,
            offered: source.suites.clone(),
            components: source.components.clone(),
            architectures: source.architectures.clone(),
            trusted: source.trusted,
            signed_by: source.signed_by.clone(),
        }
    }

    fn offers(&self, suite: &str) -> bool {
        self.offered.iter().any(|offered| offered == suite)
    }

    /// Whether it holds suites of the same archive as `suite`: the main one or that of security updates.
    fn is_of_same_archive(&self, suite: &str) -> bool {
        self.offered.iter().any(|offered| is_security(offered) == is_security(suite))
    }
}

fn evidence(endpoint: &Endpoint, source: &Source, host: &Host) -> Evidence {
    let keyring = source.signed_by.as_deref().filter(|signed_by| signed_by.starts_with('/'));
    let keyring = keyring.map(|path| path.rsplit('/').next().unwrap_or(path));
    let of_host = |suite: &String| {
        host.is_debian
            && !host.codename.is_empty()
            && suite.strip_prefix(&host.codename).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    let in_path = |segment: &str| segment == "debian" || segment.starts_with("debian-");
    match keyring {
        Some(keyring) if keyring.starts_with("debian-archive") => Evidence::Debian,
        Some(_) => Evidence::Other,
        None if endpoint.url.path().split('/').any(in_path) || source.suites.iter().any(of_host) => Evidence::Debian,
        None => Evidence::Unknown,
    }
}

/// Adds an archive, or what it offers to a known one of the same address. Only those with the component `main` can
/// hold what is wanted.
pub(super) fn add(archives: &mut Vec<Archive>, archive: Archive) {
    if !archive.components.iter().any(|component| component == "main") {
        return;
    }
    match archives.iter_mut().find(|known| known.endpoint.url == archive.endpoint.url) {
        None => archives.push(archive),
        Some(known) => {
            known.offered.extend(archive.offered);
            known.endpoint.found_in = format!("{}, {}", known.endpoint.found_in, archive.endpoint.found_in);
            known.evidence = known.evidence.min(archive.evidence);
            let new: Vec<_> = archive.components.into_iter().filter(|name| !known.components.contains(name)).collect();
            known.components.extend(new);
        }
    }
}

/// The archives that serve a wanted suite, those that are surely Debian's first.
///
/// An archive of Debian holds all supported releases below one address: where the sources name another release than
/// the wanted one, the same address is asked. Another distribution's archive holds nothing of Debian.
pub(super) fn select(search: &mut Search, mut archives: Vec<Archive>, wanted: &[String]) -> Vec<DebianEndpoint> {
    archives.sort_by_key(|archive| archive.evidence);
    let mut suites: Vec<Vec<String>> = vec![Vec::new(); archives.len()];
    for suite in wanted {
        let exact: Vec<_> = (0..archives.len()).filter(|at| archives[*at].offers(suite)).collect();
        let surest = exact.first().map(|at| archives[*at].evidence);
        let serving: Vec<_> = match surest {
            Some(surest) => {
                let doubtful = |at: &usize| archives[*at].evidence == Evidence::Other && surest != Evidence::Other;
                exact.into_iter().filter(|at| !doubtful(at)).collect()
            }
            None => {
                let can = |at: &usize| {
                    let archive = &archives[*at];
                    archive.evidence == Evidence::Debian && archive.is_of_same_archive(suite)
                };
                (0..archives.len()).filter(can).collect()
            }
        };
        if surest == Some(Evidence::Other) {
            for at in &serving {
                let endpoint = &archives[*at].endpoint;
                search.warn(&endpoint.found_in, format!("{} is signed by another keyring than Debian's", endpoint.url));
            }
        }
        for at in serving {
            suites[at].push(suite.clone());
        }
    }
    let found = archives.into_iter().zip(suites).filter(|(_, suites)| !suites.is_empty());
    found.map(|(archive, suites)| debian_endpoint(archive, suites)).collect()
}

fn debian_endpoint(archive: Archive, suites: Vec<String>) -> DebianEndpoint {
    let mut endpoint = archive.endpoint;
    let inferred: Vec<_> = suites.iter().filter(|suite| !archive.offered.contains(suite)).map(String::as_str).collect();
    if !inferred.is_empty() {
        let (offered, inferred) = (archive.offered.join(" "), inferred.join(" "));
        endpoint.found_in =
            format!("{}, which names {offered}; as an archive of Debian it holds {inferred} too", endpoint.found_in);
    }
    DebianEndpoint {
        endpoint,
        suites,
        components: archive.components,
        architectures: archive.architectures,
        trusted: archive.trusted,
        signed_by: archive.signed_by,
    }
}
