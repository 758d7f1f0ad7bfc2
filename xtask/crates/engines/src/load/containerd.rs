//! containerd: `ctr images import`, without the blobs that its namespace has.
//!
//! An image that is listed need not be whole: an import that failed leaves its name. `ctr images check` tells.

use std::collections::{BTreeMap, BTreeSet};

use assemble::export::full_name;
use blob::Digest;

use super::{Found, Problems, State, Step, Wanted, missing, words};
use crate::{Client, Failure};

#[derive(Debug, Clone)]
pub(super) struct Containerd {
    pub(super) client: Client,
    namespace: String,
}

impl Containerd {
    pub(super) fn probe(words: &[&str], namespace: &str) -> Result<Self, Problems> {
        let client = Client::new(words.iter().copied());
        client.ask(&["version"]).map_err(|failure| match words {
            ["k3s", ..] => missing(
                &failure,
                "install k3s, as its own documentation says, or name another destination with --to",
                "start it (systemctl start k3s); its socket is root's: run this as root",
            ),
            _ => missing(
                &failure,
                "apt-get install containerd",
                "start it (systemctl start containerd), or name its socket in CONTAINERD_ADDRESS; it is root's: run this \
                 as root",
            ),
        })?;
        Ok(Self::new(client, namespace))
    }

    /// One that answers.
    pub(super) fn new(client: Client, namespace: &str) -> Self {
        Self { client, namespace: namespace.to_owned() }
    }

    fn arguments(&self, rest: &[&str]) -> Vec<String> {
        words(&[&["--namespace", &self.namespace], rest].concat())
    }

    fn ask(&self, rest: &[&str]) -> Result<String, Failure> {
        let arguments = self.arguments(rest);
        self.client.ask(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    pub(super) fn look(&self, wanted: &[Wanted]) -> Result<Found, Failure> {
        let checked = self.ask(&["images", "check"])?;
        let whole: BTreeMap<&str, &str> = checked.lines().filter_map(whole).collect();
        let state = |wanted: &Wanted| {
            let digest = wanted.image.digest.to_string();
            let known = whole.iter().find(|(_, found)| **found == digest);
            let has = |name: &str| whole.get(full_name(name).as_str()).is_some_and(|found| *found == digest);
            known.map_or(State::Absent, |(known, _)| wanted.named(known, has))
        };
        let states: Vec<State> = wanted.iter().map(state).collect();
        let mut blobs = BTreeSet::new();
        if states.contains(&State::Absent) {
            let content = self.ask(&["content", "ls", "--quiet"])?;
            let there: BTreeSet<Digest> = content.lines().filter_map(|line| line.trim().parse().ok()).collect();
            // Documents are small, and the index of the archive is nothing without them.
            let layers = wanted.iter().flat_map(|wanted| &wanted.manifest.layers).map(|layer| layer.digest);
            blobs.extend(layers.filter(|layer| there.contains(layer)));
        }
        Ok(Found { states, blobs })
    }

    pub(super) fn import(&self) -> Vec<String> {
        self.arguments(&["images", "import", "-"])
    }

    pub(super) fn tags<'a>(&self, unnamed: impl Iterator<Item = (&'a str, &'a [String])>) -> Vec<Step> {
        let tag = |known: &str, name: &String| Step::Call {
            client: self.client.clone(),
            arguments: self.arguments(&["images", "tag", "--force", known, &full_name(name)]),
            lenient: false,
        };
        unnamed.flat_map(|(known, names)| names.iter().map(move |name| tag(known, name))).collect()
    }
}

/// Name and digest of an image that is whole and unpacked, from a line of `ctr images check`: REF, TYPE, DIGEST, STATUS,
/// SIZE, UNPACKED.
fn whole(line: &str) -> Option<(&str, &str)> {
    let columns: Vec<&str> = line.split_whitespace().collect();
    let is_whole = columns.get(3) == Some(&"complete") && columns.last() == Some(&"true");
    is_whole.then(|| Some((*columns.first()?, *columns.get(2)?)))?
}
