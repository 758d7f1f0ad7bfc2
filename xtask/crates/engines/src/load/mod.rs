//! Giving images of a layout to engines and clusters.
//!
//! A [`Destination`] is probed, which gives a [`Target`]; a target is looked at, which says of each image whether it is
//! there and of which blobs it needs to be told nothing; from that follow [`Step`]s, which can be shown or done. What came
//! of them is seen by looking again.

mod containerd;
mod docker;
mod kind;
mod minikube;
mod podman;
mod send;

use std::{collections::BTreeSet, fmt};

use assemble::{
    Layout,
    oci::{Descriptor, Manifest},
};
use blob::Digest;
use sandbox::Cancel;

pub use send::Sent;

use crate::{Client, Failure, Problem, Problems};
use containerd::Containerd;

/// Where images go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A Docker server.
    Docker,
    /// The storage of Podman and buildah.
    Podman,
    /// A containerd, into one of its namespaces.
    Containerd {
        /// `k8s.io` is that of Kubernetes.
        namespace: String,
    },
    /// A cluster of minikube.
    Minikube {
        /// Its name.
        profile: String,
    },
    /// A cluster of kind.
    Kind {
        /// Its name.
        cluster: String,
    },
    /// The containerd inside of k3s.
    K3s {
        /// `k8s.io` is that of Kubernetes.
        namespace: String,
    },
}

/// An image that is to be there.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// What it is to be called, `repository:tag` each.
    pub names: Vec<String>,
    /// The image.
    pub image: Descriptor,
    /// Its manifest.
    pub manifest: Manifest,
    /// The digests of its layers, lowest first, as its configuration has them.
    pub diff_ids: Vec<Digest>,
}

/// What a target has of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// All of it, under all of its names.
    There,
    /// All of it, without these names. By the first text the target knows it.
    Unnamed(String, Vec<String>),
    /// Not all of it.
    Absent,
}

/// What was seen of a target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Of each image that was asked for.
    pub states: Vec<State>,
    /// Blobs that can be left out of an archive with all that is absent.
    pub blobs: BTreeSet<Digest>,
}

/// One call of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A call that reads nothing.
    Call {
        /// The client.
        client: Client,
        /// Its arguments.
        arguments: Vec<String>,
        /// Whether it may fail.
        lenient: bool,
    },
    /// A call that reads an archive.
    Archive {
        /// The client.
        client: Client,
        /// Its arguments.
        arguments: Vec<String>,
        /// The images in the archive, by their place among those that are wanted.
        images: Vec<usize>,
        /// Blobs that are left out of it.
        there: BTreeSet<Digest>,
        /// Whether the client wants the archive as a file, whose name follows its arguments.
        file: bool,
    },
}

/// A destination that answered.
#[derive(Debug, Clone)]
pub struct Target(Place);

#[derive(Debug, Clone)]
enum Place {
    Docker(docker::Docker),
    Podman(podman::Podman),
    Containerd(Containerd),
    Minikube(minikube::Minikube),
    Kind(kind::Cluster),
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Docker => write!(f, "docker"),
            Self::Podman => write!(f, "podman"),
            Self::Containerd { namespace } => write!(f, "containerd (namespace {namespace})"),
            Self::Minikube { profile } => write!(f, "minikube ({profile})"),
            Self::Kind { cluster } => write!(f, "kind ({cluster})"),
            Self::K3s { namespace } => write!(f, "k3s (namespace {namespace})"),
        }
    }
}

impl Destination {
    /// Asks whether it is there and may be used.
    ///
    /// # Errors
    /// All that stands in the way.
    pub fn probe(&self) -> Result<Target, Problems> {
        Ok(Target(match self {
            Self::Docker => Place::Docker(docker::Docker::probe()?),
            Self::Podman => Place::Podman(podman::Podman::probe()?),
            Self::Containerd { namespace } => Place::Containerd(Containerd::probe(&["ctr"], namespace)?),
            Self::Minikube { profile } => Place::Minikube(minikube::Minikube::probe(profile)?),
            Self::Kind { cluster } => Place::Kind(kind::Cluster::probe(cluster)?),
            Self::K3s { namespace } => Place::Containerd(Containerd::probe(&["k3s", "ctr"], namespace)?),
        }))
    }
}

impl Wanted {
    /// An image of a layout, under these names.
    ///
    /// # Errors
    /// Its documents cannot be read.
    pub fn new(layout: &Layout, image: Descriptor, names: Vec<String>) -> assemble::Result<Self> {
        let manifest = layout.manifest(&image)?;
        let diff_ids = layout.config(&manifest)?.rootfs.diff_ids;
        Ok(Self { names, image, manifest, diff_ids })
    }

    /// The state of an image of which a target says: it has it as `known`, under the names that `has` knows.
    fn named(&self, known: &str, has: impl Fn(&str) -> bool) -> State {
        let missing: Vec<String> = self.names.iter().filter(|name| !has(name)).cloned().collect();
        if missing.is_empty() { State::There } else { State::Unnamed(known.to_owned(), missing) }
    }
}

impl Target {
    /// What it has of these images.
    ///
    /// # Errors
    /// What its client said.
    pub fn look(&self, wanted: &[Wanted]) -> Result<Found, Failure> {
        match &self.0 {
            Place::Docker(docker) => docker.look(wanted),
            Place::Podman(podman) => podman.look(wanted),
            Place::Containerd(containerd) => containerd.look(wanted),
            Place::Minikube(minikube) => minikube.look(wanted),
            Place::Kind(cluster) => cluster.look(wanted),
        }
    }

    /// What has to be done, so that all of them are there.
    pub fn steps(&self, layout: &Layout, wanted: &[Wanted], found: &Found) -> Vec<Step> {
        let absent: Vec<usize> =
            (0..wanted.len()).filter(|&index| found.states.get(index) == Some(&State::Absent)).collect();
        let archive = |client: &Client, arguments: Vec<String>, file: bool| {
            let (images, there) = (absent.clone(), found.blobs.clone());
            (!images.is_empty()).then(|| Step::Archive { client: client.clone(), arguments, images, there, file })
        };
        let unnamed = found.states.iter().filter_map(|state| match state {
            State::Unnamed(known, names) => Some((known.as_str(), names.as_slice())),
            _ => None,
        });
        match &self.0 {
            Place::Docker(docker) => {
                archive(&docker.client, docker.load(), false).into_iter().chain(docker.tags(unnamed)).collect()
            }
            Place::Podman(podman) if !podman::Podman::reads(layout) => {
                let renames = absent.iter().flat_map(|&index| podman.rename(&wanted[index]));
                let archive = archive(&podman.client, podman.load(), false).into_iter();
                archive.chain(renames).chain(podman.tags(unnamed)).collect()
            }
            Place::Podman(podman) => {
                let absent = absent.iter().map(|&index| &wanted[index]);
                absent.flat_map(|image| podman.pull(layout, image)).chain(podman.tags(unnamed)).collect()
            }
            Place::Containerd(containerd) => {
                let archive = archive(&containerd.client, containerd.import(), false);
                archive.into_iter().chain(containerd.tags(unnamed)).collect()
            }
            Place::Minikube(minikube) => archive(&minikube.client, minikube.load(), false).into_iter().collect(),
            Place::Kind(cluster) => {
                archive(&cluster.client, cluster.load(), cluster.wants_file()).into_iter().collect()
            }
        }
    }

    /// Does one of its steps. `sent` is told of the bytes of an archive.
    ///
    /// # Errors
    /// What the client said; a blob is damaged; `cancel` was used.
    pub fn take(
        &self,
        step: &Step,
        layout: &Layout,
        wanted: &[Wanted],
        sent: &(dyn Fn(Sent) + Sync),
        cancel: &Cancel,
    ) -> Result<(), Failure> {
        send::take(step, layout, wanted, sent, cancel)
    }
}

impl Step {
    /// The call as a shell takes it.
    pub fn shown(&self) -> String {
        let (client, arguments, end) = match self {
            Self::Call { client, arguments, .. } => (client, arguments, None),
            Self::Archive { client, arguments, file, .. } => (client, arguments, file.then_some("ARCHIVE")),
        };
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain(end).collect();
        let end = if matches!(self, Self::Call { lenient: true, .. }) { " || true" } else { "" };
        client.shown(&arguments) + end
    }

    /// Bytes of the blobs in its archive; nothing if it reads none.
    pub fn bytes(&self, wanted: &[Wanted]) -> Option<u64> {
        let Self::Archive { images, there, .. } = self else { return None };
        let blobs = images.iter().flat_map(|&index| {
            let Wanted { image, manifest, .. } = &wanted[index];
            manifest.layers.iter().chain([image, &manifest.config])
        });
        let sizes: std::collections::BTreeMap<Digest, u64> =
            blobs.filter(|blob| !there.contains(&blob.digest)).map(|blob| (blob.digest, blob.size)).collect();
        Some(sizes.values().sum())
    }
}

/// A client that is not there, or that does not answer.
fn missing(failure: &Failure, install: &str, start: &str) -> Problem {
    match failure {
        Failure::Missing(program) => Problem::new(format!("{program} is not installed"), install),
        other => Problem::new(format!("it does not answer: {}", other.said()), start),
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}
