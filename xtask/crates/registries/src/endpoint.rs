//! A registry that was found: its address, how to get to it, and who said so.

use crate::{
    auth::{Auth, Proxy},
    url::BaseUrl,
};

/// One registry. Several of a kind are mirrors to be asked in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// A short name for messages: the one that the client's configuration gives it, or its kind.
    pub id: String,
    /// Its address. For Python packages that of the simple index, for Debian that of the archive, which holds `dists/`.
    pub url: BaseUrl,
    /// The credentials to send, if it needs any.
    pub auth: Option<Auth>,
    /// Where those credentials stand, for people; the credentials themselves never.
    pub auth_found_in: Option<String>,
    /// How to get to it.
    pub proxy: Proxy,
    /// Where it was found, for people: file, line, and what stands there.
    pub found_in: String,
}

impl Endpoint {
    /// The address of a path in this registry (see [`crate::maven_path`], [`crate::pypi_path`],
    /// [`crate::debian_path`]).
    pub fn join(&self, path: &str) -> String {
        self.url.join(path)
    }
}

/// A Debian archive, and what it is known to offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebianEndpoint {
    /// The archive.
    pub endpoint: Endpoint,
    /// Those of the wanted suites that it offers, in the order in which they were wanted. Where the machine is of
    /// another release this is what a Debian archive can be expected to offer; `found_in` then says so.
    pub suites: Vec<String>,
    /// The components that the sources name (`main`).
    pub components: Vec<String>,
    /// The architectures that the sources are limited to; empty where they are not.
    pub architectures: Vec<String>,
    /// The sources say `trusted=yes`: apt does not ask for a signature there. Information only.
    pub trusted: bool,
    /// The keyring that apt checks this archive's signature with. Information only.
    pub signed_by: Option<String>,
}

impl DebianEndpoint {
    /// Whether it offers a suite.
    pub fn offers(&self, suite: &str) -> bool {
        self.suites.iter().any(|offered| offered == suite)
    }
}
