//! Whether a registry answers: it is asked once for something that it should have.

use std::{
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use catalog::{Coordinate, Maven};
use registries::{Endpoint, Kind, Registries};
use store::{Content, Exchange, Http, HttpError, Location, Method};

use crate::machine::{Machine, location, maven_path};

/// What a registry of each kind is asked for.
#[derive(Debug, Default, Clone)]
pub(crate) struct Samples {
    /// An artifact; without one the address itself is asked for.
    pub(crate) maven: Option<Maven>,
    /// A project; `pip`, if none is needed.
    pub(crate) pypi: Option<String>,
}

impl Samples {
    /// Something of each kind among these.
    pub(crate) fn of<'a>(ids: impl IntoIterator<Item = &'a Coordinate>) -> Self {
        let mut samples = Self::default();
        for id in ids {
            match id {
                Coordinate::Maven(maven) if samples.maven.is_none() => samples.maven = Some(maven.clone()),
                Coordinate::Pypi { name, .. } if samples.pypi.is_none() => samples.pypi = Some(name.clone()),
                _ => {}
            }
        }
        samples
    }
}

/// What a registry said.
pub(crate) struct Reach {
    pub(crate) kind: Kind,
    /// Its place among the registries of its kind.
    pub(crate) number: usize,
    pub(crate) answer: Answer,
    /// Seconds by which this machine's clock is ahead of the registry's.
    pub(crate) ahead: Option<i64>,
}

/// What came of the question.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// It has what it was asked for.
    Serves,
    /// It answers, and has no such thing: this is the status.
    Lacks(u16),
    /// It refuses, with this status.
    Refuses(u16),
    /// It does not answer.
    Fails(HttpError),
}

/// Asks all registries at once.
pub(crate) fn all(machine: &Machine, samples: Samples) -> Vec<Reach> {
    let asked = endpoints(&machine.registries);
    thread::scope(|scope| {
        let samples = &samples;
        let handles: Vec<_> = asked
            .map(|(kind, number, endpoint, suite)| {
                scope.spawn(move || {
                    let (answer, ahead) = one(&machine.http, kind, endpoint, suite, samples);
                    Reach { kind, number, answer, ahead }
                })
            })
            .collect();
        handles
            .into_iter()
            .map(|handle| handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

/// All registries: kind, place among those of its kind, and the first suite of a Debian archive.
pub(crate) fn endpoints(registries: &Registries) -> impl Iterator<Item = (Kind, usize, &Endpoint, &str)> {
    let maven = registries.maven.iter().enumerate().map(|(number, one)| (Kind::Maven, number, one, ""));
    let pypi = registries.pypi.iter().enumerate().map(|(number, one)| (Kind::Pypi, number, one, ""));
    let debian = registries.debian.iter().enumerate().map(|(number, archive)| {
        (Kind::Debian, number, &archive.endpoint, archive.suites.first().map_or("stable", String::as_str))
    });
    maven.chain(pypi).chain(debian)
}

/// Asks one registry.
pub(crate) fn one(
    http: &Http,
    kind: Kind,
    endpoint: &Endpoint,
    suite: &str,
    samples: &Samples,
) -> (Answer, Option<i64>) {
    let path = match kind {
        Kind::Maven => samples.maven.as_ref().map(maven_path).unwrap_or_default(),
        Kind::Pypi => registries::pypi_path(samples.pypi.as_deref().unwrap_or("pip")),
        Kind::Debian => registries::debian_path(suite, "InRelease"),
    };
    let mut place = location(endpoint, &path);
    if kind == Kind::Pypi {
        place.headers.push(("Accept".into(), python::simple::ACCEPT.into()));
    }
    match head(http, &place) {
        Err(error) => (Answer::Fails(error), None),
        Ok(exchange) => {
            let answer = match exchange.status() {
                200 | 405 | 501 => Answer::Serves,
                status @ (401 | 403 | 407) => Answer::Refuses(status),
                500..=599 => Answer::Fails(exchange.error()),
                status => Answer::Lacks(status),
            };
            (answer, ahead(&exchange))
        }
    }
}

/// What the address of a registry is that of.
pub(crate) fn place(kind: Kind) -> &'static str {
    match kind {
        Kind::Maven => "repository, below which `org/` lies",
        Kind::Pypi => "simple index, below which `pip/` lies",
        Kind::Debian => "archive, below which `dists/` lies",
    }
}

/// What a server says of a location, asked once more if it failed for a moment.
pub(super) fn head(http: &Http, place: &Location) -> Result<Exchange, HttpError> {
    let mut failures = 0;
    loop {
        let error = match http.exchange(&Method::HEAD, place, &[], Content::Nothing, None) {
            Ok(exchange) if matches!(exchange.status(), 408 | 429 | 502..=504) => exchange.error(),
            Ok(exchange) => return Ok(exchange),
            Err(error) => error,
        };
        failures += 1;
        match http.wait_after(&error, failures) {
            Some(wait) if http.wait(wait) => {}
            _ => return Err(error),
        }
    }
}

/// By how many seconds this machine is ahead of who answered.
fn ahead(exchange: &Exchange) -> Option<i64> {
    let there = i64::try_from(debian::release::date(&exchange.header("date")?)?).ok()?;
    let here = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    Some(i64::try_from(here).ok()? - there)
}
