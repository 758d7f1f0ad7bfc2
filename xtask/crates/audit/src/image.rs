//! An image as its layers make it: which file of which layer a container sees, and which bytes nobody sees.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use assemble::{Kind, LayerEntry, clean};
use blob::Digest;
use oci::{Descriptor, ImageConfig, Layout, Manifest};

use crate::{
    Error, Result,
    finding::Place,
    layer::{JarState, Layer},
};

/// An image that is judged.
#[derive(Debug)]
pub struct Image {
    /// Its name.
    pub name: String,
    /// Its layers, lowest first.
    pub layers: Vec<Arc<Layer>>,
    /// The instruction that made each layer.
    pub instructions: Vec<String>,
    /// Its configuration.
    pub config: ImageConfig,
}

/// The documents of an image.
#[derive(Debug)]
pub struct Documents {
    manifest: Manifest,
    config: ImageConfig,
}

impl Documents {
    /// Reads the documents of an image.
    ///
    /// # Errors
    /// They are missing or damaged, or contradict each other.
    pub fn read(layout: &Layout, image: &Descriptor) -> Result<Self> {
        let (manifest, config) = layout.documents(image)?;
        Ok(Self { manifest, config })
    }

    /// The layers, lowest first.
    pub fn layers(&self) -> &[Descriptor] {
        &self.manifest.layers
    }

    /// The image, with the layers that were read.
    ///
    /// # Errors
    /// A layer was not read.
    pub fn image(self, name: impl Into<String>, layers: &HashMap<Digest, Arc<Layer>>) -> Result<Image> {
        let find =
            |layer: &Descriptor| layers.get(&layer.digest).cloned().ok_or(Error::NotRead { layer: layer.digest });
        let layers = self.manifest.layers.iter().map(find).collect::<Result<Vec<_>>>()?;
        Ok(Image { name: name.into(), instructions: assemble::instructions(&self.config), layers, config: self.config })
    }
}

/// A file in a layer of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    /// Which layer, lowest first.
    pub layer: usize,
    /// Its place in the layer.
    pub entry: usize,
}

/// What a container of an image sees.
#[derive(Debug)]
pub struct Files<'i> {
    image: &'i Image,
    /// By path, links not followed.
    pub seen: BTreeMap<&'i str, At>,
    /// Files of lower layers that upper ones replace or remove: their bytes are carried and cannot be read. With the layer
    /// that hides each.
    pub hidden: Vec<(At, usize)>,
}

impl Image {
    /// An entry.
    pub fn entry(&self, at: At) -> &LayerEntry {
        &self.layers[at.layer].entries[at.entry]
    }

    /// Where an entry lies, for a finding.
    pub fn place(&self, at: At) -> Place {
        let mut place = self.layer_place(at.layer);
        place.path = self.entry(at).path.clone();
        place
    }

    /// A whole layer, for a finding.
    pub fn layer_place(&self, layer: usize) -> Place {
        Place {
            path: String::new(),
            line: None,
            layer: Some(self.layers[layer].digest),
            instruction: Some(self.instructions[layer].clone()).filter(|instruction| !instruction.is_empty()),
        }
    }

    /// The value of a variable of the image.
    pub fn env(&self, name: &str) -> Option<&str> {
        self.config.config.env.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
    }

    /// Puts the layers on top of each other, as
    /// <https://github.com/opencontainers/image-spec/blob/main/layer.md> says.
    pub fn files(&self) -> Files<'_> {
        let mut files = Files { image: self, seen: BTreeMap::new(), hidden: Vec::new() };
        for layer in 0..self.layers.len() {
            files.apply(layer);
        }
        files
    }
}

impl<'i> Files<'i> {
    fn apply(&mut self, layer: usize) {
        let entries = &self.image.layers[layer].entries;
        // Whiteouts hide what lower layers hold, never what this layer brings.
        for entry in entries {
            let (folder, name) = entry.path.rsplit_once('/').unwrap_or(("", &entry.path));
            match name.strip_prefix(".wh.") {
                Some(".wh..opq") => self.hide_below(folder, layer),
                Some(hidden) if !hidden.starts_with(".wh.") => {
                    let path = if folder.is_empty() { hidden.to_owned() } else { format!("{folder}/{hidden}") };
                    self.hide_below(&path, layer);
                    self.hide(&path, layer);
                }
                _ => {}
            }
        }
        for (place, entry) in entries.iter().enumerate() {
            let name = entry.path.rsplit('/').next().unwrap_or_default();
            if entry.path.is_empty() || name.starts_with(".wh.") {
                continue;
            }
            if entry.kind != Kind::Dir {
                self.hide_below(&entry.path, layer);
            }
            if let Some(before) = self.seen.insert(&entry.path, At { layer, entry: place }) {
                self.hidden.push((before, layer));
            }
        }
    }

    fn hide(&mut self, path: &str, by: usize) {
        if let Some(at) = self.seen.remove(path) {
            self.hidden.push((at, by));
        }
    }

    fn hide_below(&mut self, folder: &str, by: usize) {
        let gone: Vec<&str> = self.below(folder).map(|(path, _)| path).collect();
        for path in gone {
            self.hide(path, by);
        }
    }

    /// Everything below a folder; all there is below the root, the empty path.
    pub fn below<'s>(&'s self, folder: &'s str) -> impl Iterator<Item = (&'i str, At)> + 's {
        let from = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let range = self.seen.range::<str, _>((std::ops::Bound::Included(from.as_str()), std::ops::Bound::Unbounded));
        let range: Vec<_> =
            range.map(|(path, at)| (*path, *at)).take_while(|(path, _)| path.starts_with(&from)).collect();
        range.into_iter()
    }

    /// The regular file that a path leads to, if links are followed in its last part.
    pub fn file(&self, path: &str) -> Option<At> {
        let mut path = path.to_owned();
        // As many links as Linux follows.
        for _ in 0..40 {
            let at = *self.seen.get(path.as_str())?;
            match &self.image.entry(at).kind {
                Kind::File { .. } => return Some(at),
                Kind::Symlink { target } => path = resolve(&path, target),
                Kind::Hardlink { target } => path = target.clone(),
                _ => return None,
            }
        }
        None
    }

    /// The jars that are files, by path.
    pub fn jars(&self) -> impl Iterator<Item = (&'i str, At, &'i JarState)> + '_ {
        let jar = |(path, at): (&&'i str, &At)| Some((*path, *at, &**self.image.layers[at.layer].jars.get(&at.entry)?));
        self.seen.iter().filter_map(jar)
    }

    /// The jar that lies there.
    pub fn jar(&self, at: At) -> Option<&'i JarState> {
        self.image.layers[at.layer].jars.get(&at.entry).map(|jar| &**jar)
    }

    /// The text of the file that a path leads to.
    pub fn text(&self, path: &str) -> Option<String> {
        let at = self.file(path)?;
        self.image.layers[at.layer].text(at.entry)
    }
}

/// The path that the link at `path` leads to.
fn resolve(path: &str, target: &str) -> String {
    match (target.starts_with('/'), path.rsplit_once('/')) {
        (false, Some((folder, _))) => clean(&format!("{folder}/{target}")),
        _ => clean(target),
    }
}
