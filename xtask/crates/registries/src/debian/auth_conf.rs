//! apt's credentials: `auth.conf` (apt_auth.conf(5)), whose format is that of `~/.netrc`.

use camino::Utf8PathBuf;

use crate::{
    netrc::{Entry, Netrc},
    search::{Found, Search},
    url::BaseUrl,
};

/// The entries of all files; the first that matches counts.
#[derive(Default)]
pub(super) struct AuthConf(Vec<(String, Entry)>);

impl AuthConf {
    /// Reads `auth.conf` and `auth.conf.d`.
    pub(super) fn read(search: &mut Search) -> Self {
        let parts = search.machine.glob("/etc/apt/auth.conf.d/*".into());
        let parts = parts.into_iter().filter(|path| matches!(path.extension(), None | Some("conf")));
        let mut entries = Vec::new();
        for path in [Utf8PathBuf::from("/etc/apt/auth.conf")].into_iter().chain(parts) {
            let Ok(text) = search.open(&path) else { continue };
            match Netrc::parse(&text) {
                Ok(netrc) => {
                    let place = search.machine.show(&path);
                    entries.extend(netrc.0.into_iter().map(|entry| (place.clone(), entry)));
                }
                Err(problem) => search.warn(format!("reading {}", search.machine.show(&path)), problem),
            }
        }
        Self(entries)
    }

    /// The credentials for an archive.
    pub(super) fn of(&self, url: &BaseUrl) -> Option<Found> {
        let names = |entry: &Entry| entry.machine.as_deref().is_some_and(|machine| matches(machine, url));
        let (place, entry) = self.0.iter().find(|(_, entry)| names(entry))?;
        Some((entry.auth()?, place.clone()))
    }
}

/// Whether `[scheme://]host[:port][/path]` takes in an address: the path as a prefix, and without a scheme only `https`,
/// so that no password goes out in clear by accident.
fn matches(machine: &str, url: &BaseUrl) -> bool {
    let (scheme, rest) = machine.split_once("://").unwrap_or(("https", machine));
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    // A bare host stands for all its ports, but with a path no port means none.
    let any_port = port.is_none() && path.is_empty();
    let same_port = any_port || port.map(str::to_owned) == url.port().map(|port| port.to_string());
    // The address carries no slash at its end, the entry may.
    let below = format!("{}/", url.path()).starts_with(path);
    scheme.eq_ignore_ascii_case(url.scheme()) && host.eq_ignore_ascii_case(url.host()) && same_port && below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_match_as_apt_has_them() {
        for (machine, url, expected) in [
            ("archive.example", "https://archive.example/debian", true),
            ("Archive.example", "https://archive.example", true),
            ("archive.example", "http://archive.example/debian", false),
            ("http://archive.example", "http://archive.example/debian", true),
            ("archive.example/debian/", "https://archive.example/debian", true),
            ("archive.example/deb", "https://archive.example/debian", true),
            ("archive.example/other", "https://archive.example/debian", false),
            ("archive.example:8443", "https://archive.example:8443/debian", true),
            ("archive.example:8443", "https://archive.example/debian", false),
            ("archive.example", "https://archive.example:8443/debian", true),
            ("archive.example/", "https://archive.example:8443/debian", false),
            ("archive.example:8443/deb", "https://archive.example:8443/debian", true),
            ("example", "https://archive.example/debian", false),
        ] {
            assert_eq!(matches(machine, &BaseUrl::parse(url).unwrap().0), expected, "{machine} {url}");
        }
    }
}
