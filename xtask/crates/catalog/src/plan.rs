//! What has to be built, and why: a value that is printed, run or drawn, never computed twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use blob::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    image::{Image, ImageRef},
    platform::Platform,
};

/// What the names of parents begin with among the inputs.
const PARENT: &str = "image ";

/// All that an image is made of, by name: a file, an artifact, a build argument, a parent; each with its identity.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs(BTreeMap<String, String>);

impl Inputs {
    /// Notes an input and what identifies its content.
    pub fn add(&mut self, name: impl Into<String>, identity: impl fmt::Display) {
        self.0.insert(name.into(), identity.to_string());
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, identity)| (name.as_str(), identity.as_str()))
    }

    /// The digest over all inputs.
    pub fn fingerprint(&self) -> Digest {
        let lines: Vec<String> = self.0.iter().map(|(name, identity)| format!("{name}\0{identity}\n")).collect();
        Digest::of(lines.concat().as_bytes())
    }

    /// The same without the parents.
    pub fn own(&self) -> Self {
        let own = self.0.iter().filter(|(name, _)| !name.starts_with(PARENT));
        Self(own.map(|(name, identity)| (name.clone(), identity.clone())).collect())
    }

    /// What is different from `before`, by name.
    pub fn changes(&self, before: &Inputs) -> Vec<Reason> {
        let names: BTreeSet<&String> = self.0.keys().chain(before.0.keys()).collect();
        let reason = |name: &String| match (before.0.get(name), self.0.get(name)) {
            (None, Some(_)) => Some(Reason::Added(name.clone())),
            (Some(_), None) => Some(Reason::Removed(name.clone())),
            (old, new) => (old != new).then(|| Reason::Changed(name.clone())),
        };
        names.into_iter().filter_map(reason).collect()
    }
}

/// What each of `images` (parents first) is made of, and its fingerprint: the digest of all that, the fingerprints of its
/// parents among it. So it is known before anything is built. A parent that is not among `images` counts by its name alone.
///
/// `inputs` gives what an image is made of besides its parents.
///
/// # Errors
/// The first one of `inputs`.
pub fn fingerprints<E>(
    images: &[&Image],
    mut inputs: impl FnMut(&Image) -> Result<Inputs, E>,
) -> Result<BTreeMap<ImageRef, (Inputs, Digest)>, E> {
    let mut known: BTreeMap<ImageRef, (Inputs, Digest)> = BTreeMap::new();
    for image in images {
        let mut inputs = inputs(image)?;
        for parent in image.parents.values() {
            if let Some((_, fingerprint)) = known.get(parent) {
                inputs.add(format!("{PARENT}{parent}"), fingerprint);
            }
        }
        let fingerprint = inputs.fingerprint();
        known.insert(image.reference.clone(), (inputs, fingerprint));
    }
    Ok(known)
}

/// What the last build of an image was made of, and what came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The inputs.
    pub inputs: Inputs,
    /// Digest of the image's manifest.
    pub manifest: Digest,
}

/// Why an image is built.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case", tag = "why", content = "what")]
pub enum Reason {
    /// It was never built here.
    New,
    /// Its record is there; its bytes, or its name, are not.
    Gone,
    /// This input is other than at the last build.
    Changed(String),
    /// This input was not there at the last build.
    Added(String),
    /// This input was there at the last build.
    Removed(String),
    /// This parent is built too. If it comes out as before, the image is not built after all.
    Parent(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::New => write!(f, "never built here"),
            Reason::Gone => write!(f, "it is no longer there"),
            Reason::Changed(name) => write!(f, "{name} changed"),
            Reason::Added(name) => write!(f, "{name} is new"),
            Reason::Removed(name) => write!(f, "{name} was removed"),
            Reason::Parent(name) => write!(f, "{name} is built"),
        }
    }
}

/// What happens to an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing: it is there, made of the same inputs.
    Cached(Digest),
    /// It is built, for these reasons.
    Build(Vec<Reason>),
    /// It cannot be built, for these reasons.
    Blocked(Vec<String>),
}

/// An image of a plan.
#[derive(Debug, Clone)]
pub struct Planned<'a> {
    /// The image.
    pub image: &'a Image,
    /// What happens to it.
    pub decision: Decision,
    /// What it is made of, but for parents whose digest is not known yet.
    pub inputs: Inputs,
}

/// What happens to each of the selected images, parents first. A plan is for one platform; a build for several has one of
/// each.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    /// What the images are for.
    pub platform: Platform,
    /// The images.
    pub images: Vec<Planned<'a>>,
}

impl<'a> Plan<'a> {
    /// Decides for each image of `images` (parents first).
    ///
    /// `inputs` gives what an image is made of besides its parents; `record` what its last build was made of, if its
    /// bytes and names are still there (`Err` if they are not).
    pub fn new(
        platform: Platform,
        images: &[&'a Image],
        blocked: &BTreeMap<ImageRef, Vec<String>>,
        mut inputs: impl FnMut(&Image) -> Inputs,
        mut record: impl FnMut(&Image) -> Option<Result<Record, Record>>,
    ) -> Self {
        let mut digests: BTreeMap<&ImageRef, Digest> = BTreeMap::new();
        let mut planned = Vec::new();
        for &image in images {
            let mut inputs = inputs(image);
            let decision = if let Some(reasons) = blocked.get(&image.reference) {
                Decision::Blocked(reasons.clone())
            } else {
                let unknown = add_parents(&mut inputs, image, &digests);
                decide(&inputs, unknown, record(image))
            };
            if let Decision::Cached(digest) = decision {
                digests.insert(&image.reference, digest);
            }
            planned.push(Planned { image, decision, inputs });
        }
        Plan { platform, images: planned }
    }
}

/// Notes the parents whose digest is known as inputs and gives the names of the others.
fn add_parents(inputs: &mut Inputs, image: &Image, digests: &BTreeMap<&ImageRef, Digest>) -> Vec<String> {
    let mut unknown = Vec::new();
    for parent in image.parents.values() {
        match digests.get(parent) {
            Some(digest) => inputs.add(format!("{PARENT}{parent}"), digest),
            None => unknown.push(parent.to_string()),
        }
    }
    unknown
}

fn decide(inputs: &Inputs, unknown: Vec<String>, record: Option<Result<Record, Record>>) -> Decision {
    let (record, mut reasons) = match record {
        None => return Decision::Build(vec![Reason::New]),
        Some(Err(record)) => (record, vec![Reason::Gone]),
        Some(Ok(record)) => (record, Vec::new()),
    };
    let hidden = |reason: &Reason| matches!(reason, Reason::Removed(name) if unknown.iter().any(|parent| name.strip_prefix(PARENT) == Some(parent)));
    reasons.extend(inputs.changes(&record.inputs).into_iter().filter(|reason| !hidden(reason)));
    reasons.extend(unknown.iter().cloned().map(Reason::Parent));
    if reasons.is_empty() { Decision::Cached(record.manifest) } else { Decision::Build(reasons) }
}

impl Planned<'_> {
    /// The decision once every parent's digest is known: an image whose parents came out as before is not built.
    ///
    /// Returns the complete inputs with it.
    pub fn settle(&self, parents: &BTreeMap<&ImageRef, Digest>, record: Option<Record>) -> (Decision, Inputs) {
        let mut inputs = self.inputs.clone();
        let unknown = add_parents(&mut inputs, self.image, parents);
        let record = match (&self.decision, record) {
            (Decision::Build(reasons), record) if reasons.contains(&Reason::Gone) => record.map(Err),
            (_, record) => record.map(Ok),
        };
        (decide(&inputs, unknown, record), inputs)
    }
}
