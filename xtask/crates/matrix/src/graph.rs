//! Images and what each is made of.

use blob::Digest;
use catalog::Inputs;

/// An image for one platform.
#[derive(Debug, Clone)]
pub struct Node {
    /// Name and tag, `spark-k8s:3.5.7-hadoop3.4.2`. Together with the platform it is unique.
    pub image: String,
    /// `linux/amd64`
    pub platform: String,
    /// What ids call it: its kind and variant, `runtime-iceberg`.
    pub kind: String,
    /// What ids of its platform end in; empty for the main one.
    pub suffix: String,
    /// The Spark version.
    pub spark: Option<String>,
    /// Scala's binary version.
    pub scala: Option<String>,
    /// `release` or `source`.
    pub origin: String,
    /// Places of its parents, each once. All are lower than its own.
    pub parents: Vec<usize>,
    /// What it is made of.
    pub state: State,
    /// Digest over the locked files of the image and of all below it.
    pub files: Digest,
    /// Digest over what its Spark is compiled of, if it compiles one.
    pub distribution: Option<Digest>,
    /// Why it cannot be built; empty if it can.
    pub blocked: Vec<String>,
    /// Seconds of a build.
    pub seconds: f64,
    /// Whether they were measured, not estimated.
    pub measured: bool,
    /// Starts of a process that prove it.
    pub smoke_runs: u32,
    /// Whether anything proves it, with or without a process.
    pub tested: bool,
    /// The name of the runners that it is tested on, where not every runner will do.
    pub runner: Option<String>,
}

/// What an image is made of, and what proves it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// The fingerprint: all inputs, the fingerprints of the parents among them.
    pub key: Option<Digest>,
    /// The inputs without the parents. They explain a change; without them a changed image only says that it is one.
    pub own: Inputs,
    /// What proves the image: changing that builds nothing, and tests it again.
    pub proof: Inputs,
}

/// Images, every parent before its children.
#[derive(Debug, Clone)]
pub struct Graph {
    nodes: Vec<Node>,
    levels: Vec<usize>,
}

/// An image stands before one of its parents.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{image} stands before its parent number {parent}")]
pub struct OutOfOrder {
    /// The image.
    pub image: String,
    /// The parent's place.
    pub parent: usize,
}

impl Graph {
    /// A graph of these images.
    ///
    /// # Errors
    /// An image stands before one of its parents.
    pub fn new(nodes: Vec<Node>) -> Result<Self, OutOfOrder> {
        let mut levels: Vec<usize> = Vec::with_capacity(nodes.len());
        for (place, node) in nodes.iter().enumerate() {
            if let Some(&parent) = node.parents.iter().find(|&&parent| parent >= place) {
                return Err(OutOfOrder { image: node.image.clone(), parent });
            }
            levels.push(node.parents.iter().map(|&parent| levels[parent] + 1).max().unwrap_or(0));
        }
        Ok(Self { nodes, levels })
    }

    /// The images.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The longest way from an image without parents to each image.
    pub fn levels(&self) -> &[usize] {
        &self.levels
    }
}
