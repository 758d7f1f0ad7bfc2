//! Which stages a target needs, and what every name in FROM and `--from` means. No image is opened here.

use std::collections::{BTreeMap, BTreeSet};

use super::{Platform, Request};
use crate::{
    dockerfile::{Dockerfile, Expand, Instruction},
    error::{Problem, Result},
    layout::Layout,
    oci::Descriptor,
};

/// The stages of a Dockerfile that are needed, and the images that they need.
pub(super) struct Graph {
    pub(super) target: usize,
    /// By index, which is also an order in which they can be run.
    pub(super) needed: BTreeMap<usize, Node>,
    /// The images that are named, by name.
    pub(super) images: BTreeMap<String, Descriptor>,
}

/// A stage that is needed.
pub(super) struct Node {
    pub(super) base: Base,
    /// What the `--from` of an instruction and the `from` of its mounts name, by the instruction's place in the stage and
    /// the mount's in the instruction.
    pub(super) sources: BTreeMap<(usize, usize), Base>,
}

/// What a name means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Base {
    Scratch,
    Stage(usize),
    Image(String),
}

impl Graph {
    pub(super) fn new(
        layout: &Layout,
        request: &Request<'_>,
        dockerfile: &Dockerfile,
        globals: &BTreeMap<String, String>,
        problems: &mut Vec<Problem>,
    ) -> Result<Self> {
        let resolver = Resolver { dockerfile, globals, platform: request.platform };
        let last = dockerfile.stages.len() - 1;
        let target = match request.target {
            None => last,
            Some(name) => resolver.stage(name).unwrap_or_else(|| {
                let message = format!("there is no stage `{name}` to build; {}", resolver.names());
                problems.push(Problem { line: dockerfile.stages[last].line, message });
                last
            }),
        };
        let mut graph = Self { target, needed: BTreeMap::new(), images: BTreeMap::new() };
        let mut todo = BTreeSet::from([target]);
        while let Some(index) = todo.pop_last() {
            let node = resolver.node(index, problems);
            for base in node.sources.values().chain([&node.base]) {
                if let Base::Stage(stage) = base {
                    todo.insert(*stage);
                }
            }
            graph.needed.insert(index, node);
        }
        graph.find_images(layout, request, dockerfile, problems)?;
        Ok(graph)
    }

    fn find_images(
        &mut self,
        layout: &Layout,
        request: &Request<'_>,
        dockerfile: &Dockerfile,
        problems: &mut Vec<Problem>,
    ) -> Result<()> {
        let tagged = layout.list()?;
        for (&index, node) in &self.needed {
            let stage = &dockerfile.stages[index];
            let lines = node.sources.iter().map(|(&(number, _), source)| (source, stage.instructions[number].line));
            for (base, line) in lines.chain([(&node.base, stage.line)]) {
                let Base::Image(name) = base else { continue };
                if self.images.contains_key(name) {
                    continue;
                }
                let found = match request.images.get(name).or_else(|| tagged.get(name)) {
                    Some(image) => choose(layout, name, image, request.platform)?,
                    None => Err(format!(
                        "`{name}` is neither a stage before this nor an image in the layout; build it first"
                    )),
                };
                match found {
                    Ok(image) => drop(self.images.insert(name.clone(), image)),
                    Err(message) => problems.push(Problem { line, message }),
                }
            }
        }
        Ok(())
    }
}

/// The image for `platform` among those that `named` stands for, or why there is none.
fn choose(layout: &Layout, name: &str, named: &Descriptor, platform: &Platform) -> Result<Result<Descriptor, String>> {
    let images = layout.images_of(named)?;
    Ok(match images.iter().find(|(found, _)| platform.takes(found)) {
        Some((_, image)) => Ok(image.clone()),
        None => {
            let there: Vec<String> = images.iter().map(|(found, _)| found.to_string()).collect();
            Err(format!(
                "`{name}` is in the layout for {}, not for {platform}; build it for that first",
                there.join(", ")
            ))
        }
    })
}

struct Resolver<'r> {
    dockerfile: &'r Dockerfile,
    globals: &'r BTreeMap<String, String>,
    platform: &'r Platform,
}

impl Resolver<'_> {
    fn node(&self, index: usize, problems: &mut Vec<Problem>) -> Node {
        let stage = &self.dockerfile.stages[index];
        let mut sources = BTreeMap::new();
        for (number, instruction) in stage.instructions.iter().enumerate() {
            let names: Vec<_> = match &instruction.value {
                Instruction::Copy(copy) => vec![&copy.from],
                Instruction::Run(run) => run.mounts.iter().map(|mount| &mount.from).collect(),
                _ => Vec::new(),
            };
            for (place, from) in names.into_iter().enumerate() {
                let Some(from) = from else { continue };
                match self.source(from, index) {
                    Ok(source) => {
                        sources.insert((number, place), source);
                    }
                    Err(message) => problems.push(Problem { line: instruction.line, message }),
                }
            }
        }
        let base = self.base(index).unwrap_or_else(|message| {
            problems.push(Problem { line: stage.line, message });
            Base::Scratch
        });
        Node { base, sources }
    }

    /// What the FROM of a stage names.
    fn base(&self, index: usize) -> Result<Base, String> {
        let stage = &self.dockerfile.stages[index];
        let expand = Expand { escape: self.dockerfile.escape, variables: self.globals };
        if let Some(platform) = &stage.platform {
            let wanted: Platform = expand.word(platform)?.parse()?;
            if wanted != *self.platform {
                return Err(format!("--platform={wanted} is not what is built, which is {}", self.platform));
            }
        }
        let name = expand.word(&stage.base)?;
        match name.as_str() {
            "" => Err(format!("`{}` names no image; give the ARG in it a value", stage.base)),
            "scratch" => Ok(Base::Scratch),
            // FROM knows stages by name only, and in the case in which they are kept.
            name => {
                let earlier = self.dockerfile.stages[..index].iter();
                let stage = earlier.clone().position(|stage| stage.name.as_deref() == Some(name));
                Ok(stage.map_or_else(|| Base::Image(name.to_owned()), Base::Stage))
            }
        }
    }

    /// What a `--from` in the stage names.
    fn source(&self, from: &str, index: usize) -> Result<Base, String> {
        if from.contains('$') {
            return Err(format!("--from={from} cannot have variables; make it a stage: FROM {from} AS name"));
        }
        match self.stage(from) {
            Some(stage) if stage < index => Ok(Base::Stage(stage)),
            Some(_) => Err(format!("stage `{from}` does not come before the stage that copies from it; move it up")),
            None if from.parse::<usize>().is_ok() => Err(format!("there is no stage {from}; {}", self.names())),
            None if from == "scratch" => Ok(Base::Scratch),
            None => Ok(Base::Image(from.to_owned())),
        }
    }

    /// The stage with this name or number.
    fn stage(&self, name: &str) -> Option<usize> {
        let stages = &self.dockerfile.stages;
        match name.parse::<usize>() {
            Ok(number) => (number < stages.len()).then_some(number),
            Err(_) => stages.iter().position(|stage| stage.name.as_deref() == Some(&name.to_ascii_lowercase())),
        }
    }

    /// The stages there are, for who named another.
    fn names(&self) -> String {
        let names: Vec<_> = self.dockerfile.stages.iter().filter_map(|stage| stage.name.as_deref()).collect();
        if names.is_empty() { "no stage has a name".to_owned() } else { format!("there are {}", names.join(", ")) }
    }
}
