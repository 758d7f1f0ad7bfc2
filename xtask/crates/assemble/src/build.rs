//! From a request to an image: stages are ordered and run, layers written, documents stored.

mod graph;
mod memo;

use std::collections::BTreeMap;

use blob::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    context::Context,
    dockerfile::{Dockerfile, Expand, Instruction, Located},
    error::{Error, Problem, Problems, Result},
    image,
    layer::{
        tree::Tree,
        write::{self, Written},
    },
    layout::Layout,
    oci::{Container, Descriptor, ImageConfig, Manifest, Platform, media_type, rfc3339},
    run::Running,
    stage::{Layer, State, Surroundings, is_proxy, objection},
};

use graph::{Base, Graph, Node};

/// What is to be built. Everything that decides the image is in here or in the layout.
#[derive(Debug, Clone, Copy)]
pub struct Request<'r> {
    /// The text of the Dockerfile.
    pub dockerfile: &'r str,
    /// Its name in errors.
    pub name: &'r str,
    /// What COPY and ADD see.
    pub context: &'r Context,
    /// Values for ARGs.
    pub args: &'r BTreeMap<String, String>,
    /// The stage to build; the last one if nothing is said.
    pub target: Option<&'r str>,
    /// Names for FROM and `--from`, beside `scratch` and the names in the layout. All images must be in the layout.
    pub images: &'r BTreeMap<String, Descriptor>,
    /// Labels to add to those of the Dockerfile.
    pub labels: &'r BTreeMap<String, String>,
    /// The time of everything in the image, in seconds since 1970.
    pub epoch: i64,
    /// What the image is for.
    pub platform: &'r Platform,
    /// How many layers are written at once.
    pub jobs: usize,
    /// What runs commands; without it a RUN is refused.
    pub running: Option<&'r Running<'r>>,
}

/// An image that was built.
#[derive(Debug, Clone)]
pub struct Built {
    /// The image. It has no name yet; [`Layout::tag`] gives it one.
    pub image: Descriptor,
    /// Its configuration, with its history.
    pub config: ImageConfig,
    /// Its layers, lowest first.
    pub layers: Vec<BuiltLayer>,
    /// The given ARGs that no ARG instruction asked for.
    pub unused_args: Vec<String>,
}

/// A layer of an image that was built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltLayer {
    /// The blob.
    pub descriptor: Descriptor,
    /// The digest of the uncompressed layer.
    pub diff_id: Digest,
    /// The instruction that made it.
    pub created_by: String,
    /// How it came to be in the layout.
    pub origin: Origin,
}

impl BuiltLayer {
    fn new(Written { digest, size, cached }: Written, created_by: &str) -> Self {
        Self {
            descriptor: Descriptor::new(media_type::LAYER, digest, size),
            diff_id: digest,
            created_by: created_by.to_owned(),
            origin: if cached { Origin::Cached } else { Origin::Written },
        }
    }
}

/// How a layer came to be in the layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// It is a layer of the base image.
    Base,
    /// The same layer had been written before.
    Cached,
    /// It was written now.
    Written,
}

/// Builds an image into the layout.
///
/// # Errors
/// All that is wrong with the Dockerfile and its files, as [`Error::Dockerfile`]; or that something cannot be read or
/// written, or does not have the bytes that it should.
pub fn build(layout: &Layout, request: &Request<'_>) -> Result<Built> {
    let dockerfile = Dockerfile::parse(request.name, request.dockerfile)?;
    let builder = Builder { layout, request, dockerfile: &dockerfile };
    let mut problems = Vec::new();
    let globals = builder.globals(&mut problems);
    let graph = Graph::new(layout, request, &dockerfile, &globals, &mut problems)?;
    builder.object(&graph, &mut problems);
    // With a base that is not known there is no tree to look into, and all that came after would be guesses.
    builder.check(problems)?;
    let key = memo::key(request, &graph.images, builder.emulated(&graph)?)?;
    if let Some(built) = memo::find(layout, &key)? {
        return Ok(built);
    }
    let state = builder.run(&graph, &globals)?;
    let (layers, config) = builder.write(state)?;

    let manifest = Manifest {
        schema_version: 2,
        media_type: Some(media_type::MANIFEST.to_owned()),
        config: layout.put(media_type::CONFIG, &config)?,
        layers: layers.iter().map(|layer| layer.descriptor.clone()).collect(),
        annotations: BTreeMap::new(),
    };
    let image = layout.put(media_type::MANIFEST, &manifest)?;
    let built = Built { image, config, layers, unused_args: builder.unused(&graph.needed) };
    memo::store(layout, &key, &manifest, &built)?;
    Ok(built)
}

struct Builder<'b> {
    layout: &'b Layout,
    request: &'b Request<'b>,
    dockerfile: &'b Dockerfile,
}

impl Builder<'_> {
    /// Runs all stages that the target needs, and gives the target's state.
    fn run(&self, graph: &Graph, globals: &BTreeMap<String, String>) -> Result<State> {
        let mut images = BTreeMap::new();
        for (name, image) in &graph.images {
            images.insert(name, image::load(self.layout, image)?);
        }
        let (context, empty) = (self.request.context.tree(self.request.epoch), Tree::default());
        let around = Surroundings {
            file: self.request.name,
            layout: self.layout,
            escape: self.dockerfile.escape,
            epoch: self.request.epoch,
            args: self.request.args,
            globals,
            context: &context,
        };
        let mut problems = Vec::new();
        let mut done: BTreeMap<usize, State> = BTreeMap::new();
        for (&index, node) in &graph.needed {
            let mut state = match &node.base {
                Base::Scratch => self.scratch(),
                Base::Stage(base) => done[base].child(),
                Base::Image(name) => images[name].state(),
            };
            let tree = |source: &Base| match source {
                Base::Scratch => &empty,
                Base::Stage(stage) => &done[stage].tree,
                Base::Image(name) => &images[name].tree,
            };
            for (number, Located { line, value }) in self.dockerfile.stages[index].instructions.iter().enumerate() {
                let from = node.sources.range((number, 0)..=(number, usize::MAX));
                let from: BTreeMap<usize, &Tree> = from.map(|((_, place), source)| (*place, tree(source))).collect();
                if let (Instruction::Run(run), Some(running)) = (value, self.request.running) {
                    // Nothing is run while something is known to be wrong.
                    self.check(std::mem::take(&mut problems))?;
                    let run = Located { line: *line, value: run };
                    state.execute(&run, &from, &around, running, self.request.jobs)?;
                } else if let Err(message) = state.run(value, from.get(&0).copied(), &around) {
                    problems.push(Problem { line: *line, message });
                }
            }
            done.insert(index, state);
        }
        self.check(problems)?;
        Ok(done.remove(&graph.target).unwrap_or_else(|| self.scratch()))
    }

    /// Finds what is wrong with any RUN that is needed, before the first is run.
    fn object(&self, graph: &Graph, problems: &mut Vec<Problem>) {
        for instruction in graph.needed.keys().flat_map(|&index| &self.dockerfile.stages[index].instructions) {
            if let Instruction::Run(run) = &instruction.value
                && let Some(message) = objection(run, self.request.running)
            {
                problems.push(Problem { line: instruction.line, message });
            }
        }
    }

    /// Whether commands run with one mapped user, if any is to run: what they make may then belong to others.
    fn emulated(&self, graph: &Graph) -> Result<Option<bool>> {
        let mut needed = graph.needed.keys().flat_map(|&index| &self.dockerfile.stages[index].instructions);
        let run = needed.find(|instruction| matches!(instruction.value, Instruction::Run(_)));
        let Some((run, running)) = run.zip(self.request.running) else { return Ok(None) };
        running.runner.uid_emulated().map(Some).map_err(|source| Error::Runner {
            file: self.request.name.to_owned(),
            line: run.line,
            command: "RUN".to_owned(),
            source,
        })
    }

    fn check(&self, mut problems: Vec<Problem>) -> Result<()> {
        if problems.is_empty() {
            return Ok(());
        }
        problems.sort();
        Err(Error::Dockerfile(Problems { file: self.request.name.to_owned(), problems }))
    }

    /// The values that may be used in FROM, and in stages that ask for them with ARG.
    fn globals(&self, problems: &mut Vec<Problem>) -> BTreeMap<String, String> {
        let platform = self.request.platform;
        let mut globals = BTreeMap::new();
        // There is no machine that builds: what is built for and what builds are the same here.
        for side in ["BUILD", "TARGET"] {
            globals.insert(format!("{side}PLATFORM"), platform.to_string());
            globals.insert(format!("{side}OS"), platform.os.clone());
            globals.insert(format!("{side}ARCH"), platform.architecture.clone());
            globals.insert(format!("{side}VARIANT"), platform.variant.clone().unwrap_or_default());
        }
        for args in &self.dockerfile.args {
            for arg in &args.value {
                let expand = Expand { escape: self.dockerfile.escape, variables: &globals };
                let value = match (self.request.args.get(&arg.name), &arg.default) {
                    (Some(given), _) => Ok(given.clone()),
                    (None, Some(default)) => expand.word(default),
                    (None, None) => continue,
                };
                match value {
                    Ok(value) => {
                        globals.insert(arg.name.clone(), value);
                    }
                    Err(message) => problems.push(Problem { line: args.line, message }),
                }
            }
        }
        globals
    }

    fn scratch(&self) -> State {
        let Platform { os, architecture, variant } = self.request.platform.clone();
        let config = Container { working_dir: "/".to_owned(), ..Container::default() };
        State::new(
            ImageConfig { os, architecture, variant, config, ..ImageConfig::default() },
            Vec::new(),
            Tree::default(),
        )
    }

    fn unused(&self, needed: &BTreeMap<usize, Node>) -> Vec<String> {
        let instructions = needed.keys().flat_map(|&index| &self.dockerfile.stages[index].instructions);
        let in_stages = instructions.filter_map(|instruction| match &instruction.value {
            Instruction::Arg(args) => Some(args),
            _ => None,
        });
        let declared: Vec<&str> = (self.dockerfile.args.iter().map(|args| &args.value))
            .chain(in_stages)
            .flatten()
            .map(|arg| arg.name.as_str())
            .collect();
        let unused = |name: &&String| !declared.contains(&name.as_str()) && !is_proxy(name);
        self.request.args.keys().filter(unused).cloned().collect()
    }

    /// Writes the layers that are not there yet, and completes the configuration.
    fn write(&self, state: State) -> Result<(Vec<BuiltLayer>, ImageConfig)> {
        let plans = state.layers.iter().filter_map(|layer| match layer {
            Layer::Planned { plan, .. } => Some(&**plan),
            Layer::Inherited { .. } | Layer::Made { .. } => None,
        });
        let plans: Vec<_> = plans.collect();
        let mut written = write::write_all(self.layout, &plans, self.request.jobs)?.into_iter();
        let mut layers = Vec::with_capacity(state.layers.len());
        for layer in &state.layers {
            layers.push(match layer {
                Layer::Inherited { descriptor, diff_id, created_by } => BuiltLayer {
                    descriptor: descriptor.clone(),
                    diff_id: *diff_id,
                    created_by: created_by.clone(),
                    origin: Origin::Base,
                },
                Layer::Planned { created_by, .. } => {
                    let Some(written) = written.next() else { continue };
                    BuiltLayer::new(written, created_by)
                }
                Layer::Made { written, created_by } => BuiltLayer::new(*written, created_by),
            });
        }
        let mut config = state.config;
        config.created = Some(rfc3339(self.request.epoch));
        config.rootfs.diff_ids = layers.iter().map(|layer| layer.diff_id).collect();
        config.config.labels.extend(self.request.labels.clone());
        Ok((layers, config))
    }
}
