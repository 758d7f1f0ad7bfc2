//! What is pushed: built images, their names in the registry, and whether they may leave this machine.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use assemble::{
    Layout,
    oci::{Descriptor, ImageConfig, Manifest},
};
use blob::Digest;
use camino::Utf8PathBuf;
use catalog::{Catalog, Image, Platform};

use super::proof::Proof;
use checkout::{records::Records, text::count};

use crate::{
    platform::{flags, label, oci},
    workspace::Workspace,
};

/// The label that says where an image's Spark comes from.
const ORIGIN: &str = "io.spark-images.origin";
/// Paths of the checkout that images are made of, and by.
const SOURCES: [&str; 4] = ["docker", "xtask", "Cargo.toml", "Cargo.lock"];

/// An image that is pushed.
pub(crate) struct Item<'c> {
    pub(crate) image: &'c Image,
    /// The image in the layout.
    pub(crate) found: Descriptor,
    pub(crate) manifest: Manifest,
    pub(crate) config: ImageConfig,
    /// What it was made of.
    pub(crate) fingerprint: Digest,
    /// The names that it gets.
    pub(crate) tags: Vec<String>,
    /// The same image for further platforms, by its place among the items: the names mean an index of all of them then.
    pub(crate) others: Vec<usize>,
    /// What messages and reports call it.
    pub(crate) label: String,
    /// Repositories that may have its layers already: those of the images below it.
    pub(crate) neighbours: BTreeMap<Digest, String>,
}

impl Item<'_> {
    pub(crate) fn name(&self) -> String {
        self.label.clone()
    }
}

/// What has to hold before anything is pushed.
pub(crate) struct Conditions {
    pub(crate) allow_release: bool,
    pub(crate) allow_dirty: bool,
    pub(crate) smoke: Option<Utf8PathBuf>,
}

/// The tag under which other machines find an image by what it is made of.
pub(crate) fn fingerprint_tag(fingerprint: &Digest) -> String {
    format!("fp-{}", fingerprint.hex())
}

/// Images, chosen and ready.
pub(crate) struct Chosen<'c>(pub(crate) Vec<Item<'c>>);

impl<'c> Chosen<'c> {
    /// Looks the images up. `tags` are templates in place of the images' own; `named` says which images get names: the
    /// others are pushed for those that look for their fingerprint.
    ///
    /// # Errors
    /// An image is not built, or two would get one name.
    pub(crate) fn new(
        workspace: &Workspace,
        catalog: &'c Catalog,
        images: &[&'c Image],
        platforms: &[Platform],
        tags: &[String],
        named: impl Fn(&Image) -> bool,
    ) -> Result<Self> {
        let Ok(layout) = workspace.open_layout() else {
            bail!("nothing is built\nto build: cargo xtask build-layers");
        };
        let (mut items, mut missing) = (Vec::<Item<'_>>::new(), Vec::new());
        let all = images.iter().flat_map(|&image| platforms.iter().map(move |&platform| (image, platform)));
        for (image, platform) in all {
            let records = Records::of(&layout, platform);
            let name = image.reference.to_string();
            let built = layout.lookup_for(&name, &oci(platform))?.and_then(|found| Some((found, records.get(image)?)));
            let Some((found, built)) = built.filter(|(found, built)| found.digest == built.record.manifest) else {
                missing.push(format!("{name}{}", flags(catalog, platform, &[image])));
                continue;
            };
            let manifest = layout.manifest(&found)?;
            let config = layout.config(&manifest)?;
            let place = items.len();
            let tags = match items.iter_mut().find(|item| item.image.reference == image.reference) {
                Some(first) if named(image) => {
                    first.others.push(place);
                    Vec::new()
                }
                None if named(image) => tags_of(image, tags)?,
                _ => Vec::new(),
            };
            let fingerprint = built.record.inputs.fingerprint();
            let neighbours = neighbours(&layout, catalog, image, platform)?;
            items.push(Item {
                image,
                found,
                manifest,
                config,
                fingerprint,
                tags,
                others: Vec::new(),
                label: label(catalog, platform, image),
                neighbours,
            });
        }
        match missing.as_slice() {
            [] => {}
            [one] => bail!("{one} is not built\nto build it: cargo xtask build-layers {one}"),
            many => {
                bail!("these images are not built\n  {}\nto build them: cargo xtask build-layers", many.join("\n  "))
            }
        }
        let mut names: BTreeMap<(String, String), String> = BTreeMap::new();
        for item in &items {
            for tag in &item.tags {
                let name = (item.image.reference.name.clone(), tag.clone());
                if let Some(other) = names.insert(name, item.name()) {
                    bail!(
                        "--tag: {other} and {} would both be {}:{tag}\nput {{tag}} into it, which stands for the image's own",
                        item.name(),
                        item.image.reference.name
                    );
                }
            }
        }
        Ok(Self(items))
    }

    /// Checks all conditions and reports all that do not hold.
    pub(crate) fn check(&self, workspace: &Workspace, conditions: &Conditions) -> Result<()> {
        let mut problems = Vec::new();
        let release: Vec<String> = self
            .0
            .iter()
            .filter(|item| item.config.config.labels.get(ORIGIN).is_some_and(|origin| origin == "release"))
            .map(Item::name)
            .collect();
        if !conditions.allow_release && !release.is_empty() {
            problems.push(format!(
                "{} of origin `release`, which is for trying things out: {}\n\
                 to build what is shipped: cargo xtask build-layers --origin source; to push these: --allow-release",
                count(release.len(), "image"),
                release.join(", ")
            ));
        }
        if !conditions.allow_dirty {
            let mut changes = git::changes(&workspace.root, &SOURCES)?;
            for folder in workspace.outside() {
                changes.extend(git::changes(folder, &[])?.iter().map(|change| format!("{change} (in {folder})")));
            }
            if !changes.is_empty() {
                let more = changes.len().saturating_sub(5);
                let mut lines: Vec<String> =
                    changes.into_iter().take(5).map(|change| format!("\n  {change}")).collect();
                if more > 0 {
                    lines.push(format!("\n  … and {more} more"));
                }
                problems.push(format!(
                    "the checkout differs from its last commit, so nobody else can build these images:{}\n\
                     commit it, or push it all the same: --allow-dirty",
                    lines.concat()
                ));
            }
        }
        if let Some(path) = &conditions.smoke {
            problems.extend(Proof::read(path)?.problems(&self.0));
        }
        match problems.as_slice() {
            [] => Ok(()),
            problems => bail!("{}", problems.join("\n")),
        }
    }
}

/// The tags of an image, from templates or its own.
fn tags_of(image: &Image, templates: &[String]) -> Result<Vec<String>> {
    let own: Vec<&str> = image.references().map(|reference| reference.tag.as_str()).collect();
    if templates.is_empty() {
        return Ok(own.into_iter().map(str::to_owned).collect());
    }
    let mut tags = Vec::new();
    for template in templates {
        for own in &own {
            let tag = template.replace("{tag}", own);
            if !is_tag(&tag) {
                bail!(
                    "--tag {template}: `{tag}` is no tag: up to 128 letters, digits, `_`, `.`, `-`, not beginning with `.` or `-`"
                );
            }
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
    }
    Ok(tags)
}

/// The specification's `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
fn is_tag(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.starts_with(word) && text.len() <= 128 && text.chars().all(|c| word(c) || ".-".contains(c))
}

/// For each layer, the repository of the lowest image below that has it.
fn neighbours(
    layout: &Layout,
    catalog: &Catalog,
    image: &Image,
    platform: Platform,
) -> Result<BTreeMap<Digest, String>> {
    let mut neighbours = BTreeMap::new();
    for below in catalog.with_ancestors(&[image.reference.clone()].into()) {
        if below.reference.name == image.reference.name {
            continue;
        }
        let Some(found) = layout.lookup_for(&below.reference.to_string(), &oci(platform))? else { continue };
        for layer in layout.manifest(&found)?.layers {
            neighbours.entry(layer.digest).or_insert_with(|| below.reference.name.clone());
        }
    }
    Ok(neighbours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_what_the_specification_says() {
        for good in ["1", "_a", "3.5-3.5.7", "fp-0", &"a".repeat(128)] {
            assert!(is_tag(good), "{good}");
        }
        for bad in ["", ".a", "-a", "a:b", "a/b", "é", &"a".repeat(129)] {
            assert!(!is_tag(bad), "{bad}");
        }
    }
}
