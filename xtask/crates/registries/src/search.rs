//! What one discovery has seen so far: the places it looked at, and what it has to warn of.

use std::io;

use camino::Utf8Path;

use crate::{
    auth::{Auth, Proxy},
    endpoint::Endpoint,
    kind::Kind,
    machine::Machine,
    netrc::Netrc,
    registries::Looked,
    url::{BaseUrl, UrlError},
};

/// Credentials, and where they stand, for people.
pub(crate) type Found = (Auth, String);

/// A discovery under way.
pub(crate) struct Search<'m> {
    pub(crate) machine: &'m Machine,
    pub(crate) looked: Vec<Looked>,
    pub(crate) warnings: Vec<String>,
    netrc: Netrc,
}

impl<'m> Search<'m> {
    /// Begins: reads `~/.netrc`, whose credentials serve registries of every kind.
    pub(crate) fn new(machine: &'m Machine) -> Self {
        let mut search = Self { machine, looked: Vec::new(), warnings: Vec::new(), netrc: Netrc::default() };
        if let Some(path) = machine.netrc() {
            match machine.read(&path).map(|text| Netrc::parse(&text)) {
                Ok(Ok(netrc)) => search.netrc = netrc,
                Ok(Err(problem)) => search.warn(machine.show(&path), problem),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => search.warn(format!("reading {}", machine.show(&path)), error),
            }
        }
        search
    }

    /// Notes what a place had to say about a kind.
    pub(crate) fn note(&mut self, kind: Kind, place: impl Into<String>, found: impl Into<String>) {
        self.looked.push(Looked { kind, place: place.into(), found: found.into() });
    }

    /// Notes something that the user should know.
    pub(crate) fn warn(&mut self, place: impl std::fmt::Display, problem: impl std::fmt::Display) {
        let warning = format!("{place}: {problem}");
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Reads a file. The error is what to note of its place: one that is missing is nothing special, one that cannot
    /// be read is a warning as well, and counts as missing.
    pub(crate) fn open(&mut self, path: &Utf8Path) -> Result<String, String> {
        let place = self.machine.show(path);
        match self.machine.read(path) {
            Ok(text) => {
                if text.contains('\u{fffd}') {
                    self.warn(&place, "not all of it is UTF-8; a value that is not will be wrong");
                }
                Ok(text)
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Err("no such file".to_owned())
            }
            Err(error) => {
                self.warn(format!("reading {place}"), &error);
                Err(error.to_string())
            }
        }
    }

    /// Reads a file that may say where registries of a kind are; if there is none, that is noted.
    pub(crate) fn read(&mut self, kind: Kind, path: &Utf8Path) -> Option<String> {
        self.open(path).map_err(|found| self.note(kind, self.machine.show(path), found)).ok()
    }

    /// Makes an endpoint of an address. [`Search::complete`] has to follow.
    pub(crate) fn endpoint(&self, id: &str, url: &str, found_in: &str) -> Result<Endpoint, UrlError> {
        let (url, auth) = BaseUrl::parse(url)?;
        let auth_found_in = auth.as_ref().map(|_| format!("the address itself, in {found_in}"));
        let (id, found_in) = (id.to_owned(), found_in.to_owned());
        Ok(Endpoint { id, url, auth, auth_found_in, proxy: Proxy::Environment, found_in })
    }

    /// Settles the credentials of an endpoint: those in its address go before those that its configuration has beside
    /// the address, and both before those of `~/.netrc`. Warns of an address that anybody on the way can read or change.
    pub(crate) fn complete(&mut self, kind: Kind, endpoint: &mut Endpoint, beside: Option<Found>) {
        let netrc = || {
            let path = self.machine.netrc()?;
            Some((self.netrc.auth(endpoint.url.host())?, self.machine.show(&path)))
        };
        if endpoint.auth.is_none() {
            (endpoint.auth, endpoint.auth_found_in) = beside.or_else(netrc).unzip();
        }
        if endpoint.url.is_secure() || endpoint.url.is_local() {
            return;
        }
        if endpoint.auth.is_some() {
            self.warn(&endpoint.found_in, format!("credentials are sent in clear to {}", endpoint.url));
        } else if kind != Kind::Debian {
            // An archive's files are chained to its signed InRelease; what Maven and PyPI send is not signed.
            let problem = format!("{} is not encrypted; what it says while locking can be forged", endpoint.url);
            self.warn(&endpoint.found_in, problem);
        }
    }
}

/// Adds an endpoint to a list. Of two with one address the first counts, with the credentials of either.
pub(crate) fn add(endpoints: &mut Vec<Endpoint>, endpoint: Endpoint) {
    match endpoints.iter_mut().find(|known| known.url == endpoint.url) {
        Some(known) if known.auth.is_none() => {
            (known.auth, known.auth_found_in) = (endpoint.auth, endpoint.auth_found_in);
        }
        Some(_) => {}
        None => endpoints.push(endpoint),
    }
}
