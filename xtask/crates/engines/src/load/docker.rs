//! Docker: `docker load`, without the layers that it has.
//!
//! A server reads the file of a layer only if it has no layer of the same chain: of the same digest on top of the same
//! layers. So what its images have in common with ours from the lowest layer on can be left out. (Docker's own image store;
//! where images lie in containerd's, all is sent.)

use std::collections::BTreeSet;

use blob::Digest;
use serde::Deserialize;

use super::{Found, Problems, State, Step, Wanted, missing, words};
use crate::{Client, Failure, build, engine::digest};

#[derive(Debug, Clone)]
pub(super) struct Docker {
    pub(super) client: Client,
    /// Whether images lie in containerd's store, and are known by the digest of their manifest.
    containerd: bool,
}

/// What `docker image inspect` says of an image.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    id: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(rename = "RootFS", default)]
    root: Root,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Root {
    #[serde(default)]
    layers: Option<Vec<Digest>>,
}

impl Docker {
    pub(super) fn probe() -> Result<Self, Problems> {
        let client = Client::new(["docker"]);
        match client.ask(&["info", "--format", "{{json .DriverStatus}}"]) {
            Ok(status) => Ok(Self { client, containerd: status.contains("io.containerd.snapshotter") }),
            Err(Failure::Refused { said, .. }) => Err(build::unreachable(&said).into()),
            Err(failure) => Err(missing(&failure, "apt-get install docker.io", "see `docker info`").into()),
        }
    }

    pub(super) fn look(&self, wanted: &[Wanted]) -> Result<Found, Failure> {
        let ids = self.client.ask(&["image", "ls", "--all", "--quiet", "--no-trunc"])?;
        let ids: BTreeSet<&str> = ids.lines().map(str::trim).filter(|id| !id.is_empty()).collect();
        let ids: Vec<&str> = ids.into_iter().collect();
        let mut images: Vec<Inspected> = Vec::new();
        // A command line has room for some thousands.
        for ids in ids.chunks(1000) {
            let arguments = [&["image", "inspect"][..], ids].concat();
            let printed = match self.client.ask(&arguments) {
                // An image that was removed meanwhile is an error, and the others are printed.
                Err(Failure::Refused { printed, .. }) if printed.trim_start().starts_with('[') => printed,
                other => other?,
            };
            images.extend(serde_json::from_str::<Vec<Inspected>>(&printed).unwrap_or_default());
        }
        let chains: BTreeSet<Digest> =
            images.iter().flat_map(|image| self::chains(image.root.layers.as_deref().unwrap_or_default())).collect();
        let states: Vec<State> = wanted.iter().map(|wanted| state(&images, wanted)).collect();
        let blobs = if self.containerd { BTreeSet::new() } else { left_out(wanted, &states, &chains) };
        Ok(Found { states, blobs })
    }

    pub(super) fn load(&self) -> Vec<String> {
        words(&["load", "--quiet"])
    }

    pub(super) fn tags<'a>(&self, unnamed: impl Iterator<Item = (&'a str, &'a [String])>) -> Vec<Step> {
        let tag = |id: &str, name: &String| Step::Call {
            client: self.client.clone(),
            arguments: words(&["tag", id, name]),
            lenient: false,
        };
        unnamed.flat_map(|(id, names)| names.iter().map(move |name| tag(id, name))).collect()
    }
}

fn state(images: &[Inspected], wanted: &Wanted) -> State {
    let ids = [wanted.manifest.config.digest, wanted.image.digest];
    let image = images.iter().find(|image| digest(&image.id).is_some_and(|id| ids.contains(&id)));
    let Some(image) = image else { return State::Absent };
    let tags = image.repo_tags.as_deref().unwrap_or_default();
    wanted.named(&image.id, |name| tags.iter().any(|tag| tag == name))
}

/// The chain id of each layer: <https://github.com/opencontainers/image-spec/blob/main/config.md#layer-chainid>.
fn chains(layers: &[Digest]) -> Vec<Digest> {
    let mut chains: Vec<Digest> = Vec::with_capacity(layers.len());
    for layer in layers {
        let chain = chains.last().map_or(*layer, |below| Digest::of(format!("{below} {layer}").as_bytes()));
        chains.push(chain);
    }
    chains
}

/// The blobs that no absent image needs on layers that are not there.
fn left_out(wanted: &[Wanted], states: &[State], there: &BTreeSet<Digest>) -> BTreeSet<Digest> {
    let (mut known, mut needed) = (BTreeSet::new(), BTreeSet::new());
    for (wanted, _) in wanted.iter().zip(states).filter(|(_, state)| **state == State::Absent) {
        for (layer, chain) in wanted.manifest.layers.iter().zip(chains(&wanted.diff_ids)) {
            if there.contains(&chain) { &mut known } else { &mut needed }.insert(layer.digest);
        }
    }
    &known - &needed
}
