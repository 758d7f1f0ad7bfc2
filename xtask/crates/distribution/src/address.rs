//! What a user calls a registry: a host, a port, a path.

use std::{fmt, net::IpAddr, str::FromStr};

/// A registry, and the path below which repositories lie there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// Host and port, as written: what the clients' files call it.
    pub host: String,
    /// Path below which repositories lie, without slashes at its ends; may be empty.
    pub path: String,
    plain: bool,
}

/// A text that names no registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` names no registry: {reason}; expected HOST[:PORT][/PATH], as in registry.example/team")]
pub struct BadAddress {
    text: String,
    reason: &'static str,
}

/// Docker Hub's name, and the host that answers for it. Docker itself has this exception.
const HUB: (&str, &str) = ("docker.io", "registry-1.docker.io");

impl Address {
    /// The address in `text`. `plain_http` says that it is asked without TLS. A loopback address is, unless `https://`
    /// stands before it: nobody is between it and us, and a registry for tests seldom has a certificate.
    ///
    /// # Errors
    /// It is no address, or begins with `http://` and nobody said `plain_http`.
    pub fn parse(text: &str, plain_http: bool) -> Result<Self, BadAddress> {
        let bad = |reason| BadAddress { text: text.to_owned(), reason };
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme @ ("http" | "https"), rest)) => (Some(scheme), rest),
            Some(_) => return Err(bad("its scheme is neither https nor http")),
            None => (None, text),
        };
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = path.trim_end_matches('/');
        if host.contains('@') {
            return Err(bad("credentials do not belong there, where the list of processes shows them"));
        }
        let known = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
        if host.is_empty() || !host.chars().all(known) {
            return Err(bad("its host is none"));
        }
        if scheme.is_none() && !host.contains(['.', ':']) && host != "localhost" {
            return Err(bad("a host has a dot or a port"));
        }
        if !path.is_empty() && !path.split('/').all(is_component) {
            return Err(bad("a path has lower-case letters and digits, with single `.`, `_` or `-` between them"));
        }
        let plain = match scheme {
            Some("https") => false,
            Some("http") if plain_http || is_loopback(host) => true,
            Some(_) => return Err(bad("it would be asked without TLS; say so with --plain-http")),
            None => plain_http || is_loopback(host),
        };
        let host = if host == "index.docker.io" { HUB.0 } else { host };
        Ok(Self { host: host.to_owned(), path: path.to_owned(), plain })
    }

    /// Whether it is asked without TLS.
    pub fn is_plain(&self) -> bool {
        self.plain
    }

    /// Scheme and host that are asked.
    pub fn origin(&self) -> String {
        let scheme = if self.plain { "http" } else { "https" };
        let host = if self.host == HUB.0 { HUB.1 } else { &self.host };
        format!("{scheme}://{host}")
    }

    /// The name of a repository below the path, as the registry knows it.
    pub fn repository(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}/{name}", self.path) }
    }
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text, false)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.host) } else { write!(f, "{}/{}", self.host, self.path) }
    }
}

/// Whether a host is this machine. The port does not matter.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// A part of a repository's name, as the specification has it:
/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
fn is_component(part: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let separators: Vec<&str> = part.split(plain).filter(|between| !between.is_empty()).collect();
    let sound = |between: &&str| matches!(*between, "." | "_" | "__") || between.chars().all(|c| c == '-');
    part.starts_with(plain) && part.ends_with(plain) && separators.iter().all(sound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        for (text, host, path, origin) in [
            ("registry.example", "registry.example", "", "https://registry.example"),
            ("registry.example:5000/a/b-c__d/", "registry.example:5000", "a/b-c__d", "https://registry.example:5000"),
            ("localhost:5000/a", "localhost:5000", "a", "http://localhost:5000"),
            ("127.0.0.1:5000", "127.0.0.1:5000", "", "http://127.0.0.1:5000"),
            ("[::1]:5000", "[::1]:5000", "", "http://[::1]:5000"),
            ("https://localhost:5000", "localhost:5000", "", "https://localhost:5000"),
            ("http://127.1.2.3", "127.1.2.3", "", "http://127.1.2.3"),
            ("docker.io/me", "docker.io", "me", "https://registry-1.docker.io"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!((&*address.host, &*address.path, &*address.origin()), (host, path, origin), "{text}");
        }
        assert_eq!(Address::parse("registry.example", true).unwrap().origin(), "http://registry.example");
        assert_eq!("r.example/a".parse::<Address>().unwrap().repository("b"), "a/b");
    }

    #[test]
    fn what_names_no_registry_says_why() {
        for (text, reason) in [
            ("", "its host is none"),
            ("spark", "a host has a dot or a port"),
            ("ftp://registry.example", "its scheme"),
            ("http://registry.example", "--plain-http"),
            ("me:secret@registry.example", "credentials do not belong there"),
            ("registry.example/Team", "a path has lower-case letters"),
            ("registry.example/a//b", "a path has lower-case letters"),
            ("registry.example/a..b", "a path has lower-case letters"),
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
