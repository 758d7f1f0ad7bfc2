//! Debian: the archives that apt would ask for the wanted suites.

mod apt_conf;
mod archive;
mod auth_conf;
mod sources;

use camino::Utf8PathBuf;

use crate::{
    endpoint::{DebianEndpoint, Endpoint},
    given::Given,
    kind::Kind,
    search::Search,
    url::without_credentials,
};
use apt_conf::AptConf;
use archive::{Archive, Host};
use auth_conf::AuthConf;
use sources::Source;

/// The archives in apt's sources that offer a wanted suite.
pub(crate) fn find(search: &mut Search, wanted: &[String]) -> Vec<DebianEndpoint> {
    let sources = read_sources(search);
    if sources.is_empty() {
        return Vec::new();
    }
    let host = Host::read(search);
    let conf = AptConf::read(search);
    let auth = AuthConf::read(search);
    let mut archives: Vec<Archive> = Vec::new();
    for (place, source) in sources {
        for uri in addresses(search, &place, &source) {
            let Some(mut endpoint) = endpoint(search, &uri, &place) else { continue };
            endpoint.proxy = conf.proxy(&endpoint.url);
            let auth = auth.of(&endpoint.url);
            search.complete(Kind::Debian, &mut endpoint, auth);
            archive::add(&mut archives, Archive::new(endpoint, &source, &host));
        }
    }
    let mut found = archive::select(search, archives, wanted);
    found.extend(security_siblings(&found, wanted));
    let unserved = wanted.iter().filter(|suite| !found.iter().any(|archive| archive.offers(suite)));
    let unserved: Vec<_> = unserved.map(String::as_str).collect();
    if !unserved.is_empty() {
        let problem = format!("no archive of Debian among them for {}", unserved.join(", "));
        search.note(Kind::Debian, "apt's sources", &problem);
        search.warn("apt's sources", problem);
    }
    found
}

/// The archives that the user stated. One whose path speaks of security offers the security suites and the others the
/// rest; where none does, each is taken to offer all.
pub(crate) fn given(search: &mut Search, given: &[Given], wanted: &[String]) -> Result<Vec<DebianEndpoint>, String> {
    let mut found = Vec::new();
    for given in given {
        let endpoint = given.endpoint(search)?;
        let stated = given.suites.iter().flatten();
        let suites = stated.filter(|suite| wanted.contains(suite)).cloned().collect();
        found.push(DebianEndpoint {
            endpoint,
            suites,
            components: vec!["main".to_owned()],
            architectures: Vec::new(),
            trusted: false,
            signed_by: None,
        });
    }
    let speaks_of_security = |archive: &DebianEndpoint| archive.endpoint.url.path().contains("security");
    let apart = found.iter().any(speaks_of_security);
    for (archive, given) in found.iter_mut().zip(given) {
        if given.suites.is_none() {
            let offers = |suite: &&String| !apart || is_security(suite) == speaks_of_security(archive);
            archive.suites = wanted.iter().filter(offers).cloned().collect();
        }
    }
    if !apart {
        found.extend(security_siblings(&found, wanted));
    }
    Ok(found)
}

/// Whether a suite is one of the security archive: `bookworm-security`, and `buster/updates` of old.
fn is_security(suite: &str) -> bool {
    suite.ends_with("-security") || suite.ends_with("/updates")
}

/// Mirrors of Debian carry its two archives side by side, as `/debian` and `/debian-security`. So for a wanted
/// security suite that no archive is known to hold apart, the neighbour of each is a place to ask.
fn security_siblings(found: &[DebianEndpoint], wanted: &[String]) -> Vec<DebianEndpoint> {
    let known = |suite: &String| {
        let mut offering = found.iter().filter(|archive| archive.offers(suite));
        offering.any(|archive| !archive.endpoint.url.path().ends_with("/debian"))
    };
    let missing: Vec<_> = wanted.iter().filter(|suite| is_security(suite) && !known(suite)).cloned().collect();
    let neighbours = found.iter().filter(|archive| archive.endpoint.url.path().ends_with("/debian"));
    if missing.is_empty() {
        return Vec::new();
    }
    neighbours
        .map(|archive| {
            let url = archive.endpoint.url.with_suffix("-security");
            let found_in = format!("{}; the security archive beside it", archive.endpoint.found_in);
            let endpoint = Endpoint { url, found_in, ..archive.endpoint.clone() };
            DebianEndpoint { endpoint, suites: missing.clone(), ..archive.clone() }
        })
        .collect()
}

fn endpoint(search: &mut Search, uri: &str, place: &str) -> Option<Endpoint> {
    match search.endpoint("apt", uri, place) {
        Ok(endpoint) => Some(endpoint),
        Err(error) => {
            search.warn(place, error);
            None
        }
    }
}

/// All sources, each with the place where it stands.
fn read_sources(search: &mut Search) -> Vec<(String, Source)> {
    let machine = search.machine;
    let parts = machine.glob("/etc/apt/sources.list.d/*".into());
    let parts = parts.into_iter().filter(|path| matches!(path.extension(), Some("list" | "sources")));
    let mut found = Vec::new();
    for path in [Utf8PathBuf::from("/etc/apt/sources.list")].into_iter().chain(parts) {
        let Some(text) = search.read(Kind::Debian, &path) else { continue };
        let place = machine.show(&path);
        let (sources, problems) = match path.extension() {
            Some("sources") => sources::parse_deb822(&text),
            _ => sources::parse_list(&text),
        };
        for problem in problems {
            search.warn(format!("reading {place}"), problem);
        }
        if sources.is_empty() {
            search.note(Kind::Debian, &place, "no source of binary packages");
        }
        for source in sources {
            let place = format!("{place} line {}", source.line);
            let uris: Vec<_> = source.uris.iter().map(|uri| without_credentials(uri)).collect();
            search.note(Kind::Debian, &place, format!("{} at {}", source.suites.join(" "), uris.join(" ")));
            found.push((place, source));
        }
    }
    if found.is_empty() {
        search.note(Kind::Debian, "/etc/apt/sources.list.d", "no source of binary packages");
    }
    found
}

/// The addresses of a source; those that a `mirror+file:` URI lists in its place. Others that are not HTTP are warned
/// of and left out.
fn addresses(search: &mut Search, place: &str, source: &Source) -> Vec<String> {
    let mut addresses = Vec::new();
    for uri in &source.uris {
        let scheme = uri.split(':').next().unwrap_or_default().to_ascii_lowercase();
        match scheme.as_str() {
            "http" | "https" => addresses.push(uri.clone()),
            "mirror+file" => {
                let path = Utf8PathBuf::from(uri["mirror+file:".len()..].trim_start_matches("//"));
                let text = search.read(Kind::Debian, &path).unwrap_or_default();
                // One mirror per line; what follows a tab is about which to prefer.
                let lines = text.lines().filter(|line| !line.starts_with('#'));
                addresses.extend(lines.filter_map(|line| line.split_whitespace().next()).map(str::to_owned));
            }
            _ => search.warn(place, format!("`{scheme}:` is not supported and left out; name an http mirror")),
        }
    }
    addresses
}
