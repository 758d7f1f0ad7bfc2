//! Where the package registries of a machine are.
//!
//! Neither the table nor the lock names a registry: a lock of coordinates and hashes is the same behind every mirror.
//! So the addresses are a property of the machine, and [`discover`] reads them where the user states them to us, and
//! else where the clients that are installed keep theirs: Maven's `settings.xml` and super-POM, the configuration of
//! uv and pip and pip's default, apt's sources. Credentials and proxies come with them.
//!
//! This crate reads files and nothing else. It opens no connection, starts no process, writes nothing, and it contains
//! the address of no registry.

mod auth;
mod debian;
mod endpoint;
mod given;
mod kind;
mod machine;
mod maven;
mod netrc;
mod paths;
mod pypi;
mod registries;
mod registries_toml;
mod search;
mod text;
mod url;

pub use auth::{Auth, Proxy, Secret};
pub use endpoint::{DebianEndpoint, Endpoint};
pub use kind::{Kind, ParseKindError};
pub use machine::Machine;
pub use paths::{debian_path, maven_path, pypi_name, pypi_path};
pub use registries::{ExtraCa, Looked, Missing, MissingKind, Registries, UnreadableCa};
pub use url::{BaseUrl, UrlError};

use crate::{given::Sources, search::Search};

/// Finds the registries of `machine`.
///
/// `flags` are the values of `--registry`, each `KIND=URL` or `KIND=URL,URL`; `suites` are the Debian suites that are
/// wanted, such as `bookworm`, `bookworm-updates` and `bookworm-security`.
///
/// For each kind the first place that names any registry wins, in this order: the flags, `SPARK_IMAGES_MAVEN` (or
/// `_PYPI`, `_DEBIAN`), `SPARK_IMAGES_REGISTRIES`, `docker/registries.toml` in the repository, the user's
/// `spark-images/registries.toml`, the configuration of the clients, the defaults that the clients carry.
///
/// Nothing found is no error here: see [`Registries::require`]. A client's file that cannot be read or understood is a
/// warning, and the next place is looked at.
pub fn discover(machine: &Machine, flags: &[String], suites: &[String]) -> Registries {
    let mut search = Search::new(machine);
    let sources = Sources::read(&mut search, flags);
    let mut found = Registries::default();
    for kind in Kind::ALL {
        let outcome = sources.of(&mut search, kind).and_then(|given| match kind {
            Kind::Maven => endpoints(&mut search, &given, maven::find).map(|endpoints| found.maven = endpoints),
            Kind::Pypi => endpoints(&mut search, &given, pypi::find).map(|endpoints| found.pypi = endpoints),
            Kind::Debian if given.is_empty() => {
                found.debian = debian::find(&mut search, suites);
                Ok(())
            }
            Kind::Debian => debian::given(&mut search, &given, suites).map(|archives| found.debian = archives),
        });
        if let Err(problem) = outcome {
            found.broken.insert(kind, problem);
        }
    }
    found.extra_ca = sources.extra_ca;
    found.looked_at = search.looked;
    found.warnings = search.warnings;
    found
}

/// The certificates that the configuration adds. Looks at no client's files.
pub fn authorities(machine: &Machine, flags: &[String]) -> Vec<ExtraCa> {
    Sources::read(&mut Search::new(machine), flags).extra_ca
}

/// The endpoints that were stated, or if none were, those that the clients know.
fn endpoints(
    search: &mut Search,
    given: &[given::Given],
    of_clients: impl FnOnce(&mut Search) -> Vec<Endpoint>,
) -> Result<Vec<Endpoint>, String> {
    if given.is_empty() {
        return Ok(of_clients(search));
    }
    given.iter().map(|given| given.endpoint(search)).collect()
}
