//! Which images a command is about.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    catalog::Catalog,
    image::{Image, ImageRef},
    problem::nearest,
};

/// What a user asked for on the command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Ids (`custom`), names (`spark-k8s`), names with tags, or a prefix with `*`. Nothing: every image.
    pub images: Vec<String>,
    /// Spark versions or lines. Nothing: every supported version.
    pub sparks: Vec<String>,
    /// Groups that are switched on.
    pub with: Vec<String>,
}

/// A selection that names something that is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// No image of that name.
    #[error("no image is called `{name}`{hint}\nto see them all: cargo xtask list")]
    Image {
        /// What was asked for.
        name: String,
        /// What may have been meant.
        hint: String,
    },
    /// The image is there, but not for this version or group.
    #[error("`{name}` is left out: {why}")]
    LeftOut {
        /// What was asked for.
        name: String,
        /// By which other part of the selection.
        why: String,
    },
    /// A Spark version that is not built.
    #[error("{0}")]
    Spark(String),
    /// No group of that name.
    #[error("there is no group `{name}`; groups: {known}")]
    Group {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
}

impl Selection {
    /// The selected images and everything below them, parents first.
    ///
    /// # Errors
    /// A name, version or group that is not there.
    pub fn with_parents<'a>(&self, catalog: &'a Catalog) -> Result<Vec<&'a Image>, SelectError> {
        Ok(catalog.with_ancestors(&self.chosen(catalog)?.iter().map(|image| image.reference.clone()).collect()))
    }

    /// The selected images themselves, parents first.
    ///
    /// # Errors
    /// A name, version or group that is not there.
    pub fn chosen<'a>(&self, catalog: &'a Catalog) -> Result<Vec<&'a Image>, SelectError> {
        self.check_words(catalog)?;
        let all = self.sparks.is_empty() && catalog.local.is_none();
        let of_spark: BTreeSet<ImageRef> = catalog
            .images()
            .iter()
            .filter(|image| !all && image.spark.as_deref().is_some_and(|spark| self.wants(spark, catalog)))
            .map(|image| image.reference.clone())
            .collect();
        let below: BTreeSet<&ImageRef> =
            catalog.with_ancestors(&of_spark).into_iter().map(|image| &image.reference).collect();
        let spark_ok = |image: &Image| all || below.contains(&image.reference);
        let needed = needed_groups(catalog);
        let explicit = |image: &Image| self.images.iter().any(|name| names(name, image));
        let group_ok =
            |image: &Image| needed[&image.reference].iter().all(|group| self.with.iter().any(|with| with == group));
        let by_name = |image: &&Image| self.images.is_empty() || explicit(image);
        let chosen: Vec<&Image> =
            catalog.images().iter().filter(by_name).filter(|image| spark_ok(image) && group_ok(image)).collect();
        for name in &self.images {
            if !chosen.iter().any(|image| names(name, image)) {
                let image = catalog.images().iter().find(|image| names(name, image));
                let groups = image.map(|image| needed[&image.reference].clone()).unwrap_or_default();
                let missing: Vec<&str> =
                    groups.into_iter().filter(|group| !self.with.iter().any(|with| with == group)).collect();
                let why = match missing.first() {
                    Some(group) => format!("it is in the group `{group}`; add `--with {group}`"),
                    None => format!("it is not built for Spark {}", self.sparks.join(", ")),
                };
                return Err(SelectError::LeftOut { name: name.clone(), why });
            }
        }
        Ok(chosen)
    }

    /// Whether a version of the table is meant. A tree of the user's own is meant by its own version as well, and it is
    /// the only one meant where nothing is said.
    fn wants(&self, spark: &str, catalog: &Catalog) -> bool {
        let own = catalog.local.as_ref().filter(|local| local.spark == spark).map(|local| local.version.as_str());
        let is = |wanted: &String, version: &str| {
            version == wanted || version.strip_prefix(wanted.as_str()).is_some_and(|rest| rest.starts_with('.'))
        };
        match self.sparks.is_empty() {
            true => catalog.local.is_none() || own.is_some(),
            false => self.sparks.iter().any(|wanted| is(wanted, spark) || own.is_some_and(|own| is(wanted, own))),
        }
    }

    fn check_words(&self, catalog: &Catalog) -> Result<(), SelectError> {
        for wanted in &self.sparks {
            let selection = Selection { sparks: vec![wanted.clone()], ..Self::default() };
            if !catalog.table.sparks.keys().any(|spark| selection.wants(spark, catalog)) {
                return Err(SelectError::Spark(catalog.table.why_not(wanted)));
            }
        }
        for name in &self.with {
            if !catalog.table.groups.contains_key(name) {
                let known = catalog.table.groups.keys().cloned().collect::<Vec<_>>().join(", ");
                return Err(SelectError::Group { name: name.clone(), known });
            }
        }
        for name in &self.images {
            if !catalog.images().iter().any(|image| names(name, image)) {
                return Err(unknown(catalog, name));
            }
        }
        Ok(())
    }
}

fn unknown(catalog: &Catalog, name: &str) -> SelectError {
    if let Some((_, version)) = name.rsplit_once(':').filter(|(_, tag)| catalog.table.unsupported.contains_key(*tag)) {
        return SelectError::Spark(catalog.table.why_not(version));
    }
    let known: BTreeSet<String> = catalog
        .images()
        .iter()
        .flat_map(|image| [image.id.clone(), image.reference.name.clone(), image.reference.to_string()])
        .collect();
    let hint = nearest(name, known.iter().map(String::as_str))
        .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    SelectError::Image { name: name.to_owned(), hint }
}

/// Whether `name` means this image.
fn names(name: &str, image: &Image) -> bool {
    let all = image.references();
    let mut texts = all.map(ToString::to_string).chain([image.id.clone(), image.reference.name.clone()]);
    let variant = image.variant.as_ref().map(|variant| format!("{}:{variant}", image.id));
    match name.strip_suffix('*') {
        Some(prefix) => texts.chain(variant).any(|text| text.starts_with(prefix)),
        None => texts.any(|text| text == name) || variant.as_deref() == Some(name),
    }
}

/// The groups that must be switched on for each image: its own and those of what it stands on.
fn needed_groups(catalog: &Catalog) -> BTreeMap<&ImageRef, BTreeSet<&str>> {
    let mut needed: BTreeMap<&ImageRef, BTreeSet<&str>> = BTreeMap::new();
    for image in catalog.images() {
        let below = image.parents.values().filter_map(|parent| needed.get(parent)).flatten().copied();
        let groups = below.chain(image.group.as_deref()).collect();
        needed.insert(&image.reference, groups);
    }
    needed
}
