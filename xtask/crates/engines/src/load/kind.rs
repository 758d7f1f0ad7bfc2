//! kind: `kind load image-archive`. Its nodes are containers with a containerd each, which are asked what they have.

use std::{collections::BTreeSet, env};

use blob::Digest;

use super::{Found, Problems, State, Wanted, containerd::Containerd, missing, words};
use crate::{Client, Failure, Problem};

#[derive(Debug, Clone)]
pub(super) struct Cluster {
    pub(super) client: Client,
    name: String,
    nodes: Vec<Containerd>,
}

impl Cluster {
    pub(super) fn probe(name: &str) -> Result<Self, Problems> {
        let client = Client::new(["kind"]);
        let printed = client.ask(&["get", "nodes", "--name", name]).map_err(|failure| {
            missing(
                &failure,
                "install kind, as its own documentation says, or name another destination with --to",
                "see `kind get clusters`; the engine that runs its nodes must answer",
            )
        })?;
        // The engine that runs the nodes, as kind itself finds it.
        let engine = env::var("KIND_EXPERIMENTAL_PROVIDER").unwrap_or_else(|_| "docker".to_owned());
        let node = |node: &str| Containerd::new(Client::new([engine.as_str(), "exec", "-i", node, "ctr"]), "k8s.io");
        // A load balancer in front of several control planes holds no images.
        let names = printed.split_whitespace().filter(|node| !node.ends_with("-external-load-balancer"));
        let nodes: Vec<Containerd> = names.map(node).collect();
        if nodes.is_empty() {
            return Err(Problem::new(
                format!("kind has no cluster {name}"),
                format!("make it: kind create cluster --name {name}; or name another one with --cluster"),
            )
            .into());
        }
        Ok(Self { client, name: name.to_owned(), nodes })
    }

    /// What all of its nodes have.
    pub(super) fn look(&self, wanted: &[Wanted]) -> Result<Found, Failure> {
        let found: Vec<Found> = self.nodes.iter().map(|node| node.look(wanted)).collect::<Result<_, _>>()?;
        let state = |index: usize| {
            let there = found.iter().all(|found| found.states.get(index) == Some(&State::There));
            if there { State::There } else { State::Absent }
        };
        let states: Vec<State> = (0..wanted.len()).map(state).collect();
        // A node that has all images was not asked for blobs.
        let asked = found.iter().filter(|found| found.states.contains(&State::Absent));
        let blobs = asked.map(|found| found.blobs.clone()).reduce(|one, other| &one & &other);
        let blobs: BTreeSet<Digest> = blobs.unwrap_or_default();
        Ok(Found { states, blobs })
    }

    pub(super) fn load(&self) -> Vec<String> {
        let mut arguments = words(&["load", "image-archive", "--name", &self.name]);
        if !self.wants_file() {
            arguments.push("/dev/stdin".to_owned());
        }
        arguments
    }

    /// Whether a stream is not enough: each node reads the archive.
    pub(super) fn wants_file(&self) -> bool {
        self.nodes.len() > 1
    }
}
