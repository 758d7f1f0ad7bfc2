//! A catalog and the bytes it stands for.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::{
    catalog::Catalog,
    coordinate::Coordinate,
    image::{Content, Image, ImageRef, Stage},
    lock::{Artifact, Lock},
    platform::Platform,
    request::{Request, Requests, debian_key, python_key},
    shims::{self, UnfitShims},
    table::Origin,
};

/// A catalog of which every request is answered by the lock, with an artifact or with the reason why there is none.
#[derive(Debug, Clone)]
pub struct LockedCatalog {
    catalog: Catalog,
    lock: Lock,
    origins: Origins,
}

/// Where Spark distributions come from, for each version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origins {
    /// For every version that nothing else is said of.
    pub default: Origin,
    /// For these versions.
    pub of: BTreeMap<String, Origin>,
}

impl Origins {
    /// The origin of a Spark version.
    pub fn of(&self, spark: &str) -> Origin {
        self.of.get(spark).copied().unwrap_or(self.default)
    }
}

impl From<Origin> for Origins {
    fn from(default: Origin) -> Self {
        Self { default, of: BTreeMap::new() }
    }
}

/// The lock answers other requests than the catalog has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Stale {
    /// Requests without an answer, by key.
    pub missing: Vec<String>,
    /// Sets and artifacts that nobody asks for.
    pub left_over: Vec<String>,
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "docker/versions.lock does not answer what docker/versions.toml and the image files ask for")?;
        let mut show = |what: &str, list: &[String]| -> fmt::Result {
            for line in list.iter().take(10) {
                writeln!(f, "  {what}: {line}")?;
            }
            if list.len() > 10 { writeln!(f, "  … and {} more", list.len() - 10) } else { Ok(()) }
        };
        show("not in the lock", &self.missing)?;
        show("asked for by nobody", &self.left_over)?;
        write!(f, "to bring it up to date: cargo xtask lock")
    }
}

/// Why a lock does not make a catalog one that can be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It answers other requests.
    #[error(transparent)]
    Stale(#[from] Stale),
    /// A plugin does not know the Spark that it is put beside, and nobody says what to do, or says it in vain.
    #[error(transparent)]
    Shims(#[from] UnfitShims),
}

/// The requests that the lock does not answer, and what it holds that nobody asks for.
fn compare(requests: &Requests, lock: &Lock) -> Stale {
    let answered = |request: &&Request| {
        let key = request.key();
        let set_fits = lock.sets.get(&key).is_some_and(|set| set.request == request.digest());
        let single = key.parse::<Coordinate>().is_ok_and(|id| lock.artifacts.contains_key(&id));
        lock.unresolved.contains_key(&key) || lock.shims.contains_key(&key) || set_fits || single
    };
    let members: Vec<&Coordinate> = lock.sets.values().flat_map(|set| &set.members).collect();
    let artifacts = lock.artifacts.keys().filter(|id| !members.contains(id)).map(ToString::to_string);
    let others = lock.sets.keys().chain(lock.shims.keys()).chain(lock.unresolved.keys());
    let left_over = artifacts.chain(others.cloned());
    Stale {
        missing: requests.iter().filter(|request| !answered(request)).map(Request::key).collect(),
        left_over: left_over.filter(|key| requests.get(key).is_none()).collect(),
    }
}

impl LockedCatalog {
    /// Joins a catalog with its lock.
    ///
    /// # Errors
    /// The lock is stale: what it lacks and what it has too much. A plugin does not fit its Spark.
    pub fn new(catalog: Catalog, lock: Lock, origins: impl Into<Origins>) -> Result<Self, Unfit> {
        let requests = Requests::of(&catalog);
        if !lock.answers(&requests) {
            return Err(compare(&requests, &lock).into());
        }
        shims::check(&catalog, &lock)?;
        Ok(Self { catalog, lock, origins: origins.into() })
    }

    /// The catalog.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The lock.
    pub fn lock(&self) -> &Lock {
        &self.lock
    }

    /// Takes Spark distributions from elsewhere.
    pub fn set_origins(&mut self, origins: Origins) {
        self.origins = origins;
    }

    /// Where this run takes the Spark distribution of an image from. What has no Spark has the default.
    pub fn origin(&self, image: &Image) -> Origin {
        image.spark.as_deref().map_or(self.origins.default, |spark| self.origins.of(spark))
    }

    /// Whether the Spark of an image comes from a tree of the user's own.
    pub fn is_local(&self, image: &Image) -> bool {
        self.catalog.local.as_ref().is_some_and(|local| image.spark.as_ref() == Some(&local.spark))
    }

    /// The stages of an image that count under this origin and on this platform.
    pub fn stages<'a>(&self, platform: Platform, image: &'a Image) -> impl Iterator<Item = &'a Stage> {
        let origin = self.origin(image);
        let of_origin = image.stages.iter().filter(move |stage| stage.origin.is_none_or(|only| only == origin));
        of_origin.filter(move |stage| stage.is_for(platform))
    }

    /// The requests of a stage.
    fn keys(&self, platform: Platform, image: &Image, stage: &Stage) -> Vec<String> {
        match &stage.content {
            Content::Maven(jars) => jars.iter().map(|jar| Coordinate::Maven(jar.maven.clone()).to_string()).collect(),
            Content::File(path) => vec![Coordinate::File(path.clone()).to_string()],
            Content::Python(set) => vec![python_key(&set.name, platform)],
            Content::Debian { .. } => vec![debian_key(&image.id, platform)],
            Content::Spark { .. } => self.spark_keys(image),
            Content::Folder(_) | Content::Links(_) | Content::Texts(_) => Vec::new(),
        }
    }

    /// What a Spark distribution is made of: the official source distribution, or the archive that is compiled.
    fn spark_keys(&self, image: &Image) -> Vec<String> {
        let Some(spark) = image.spark.as_ref().and_then(|spark| self.catalog.table.sparks.get(spark)) else {
            return Vec::new();
        };
        match (self.origin(image), &spark.source) {
            (Origin::Release, _) => vec![format!("sdist pyspark=={}", spark.version)],
            (Origin::Source, Some(source)) if !self.is_local(image) => {
                vec![Coordinate::Archive(source.archive.name.clone()).to_string()]
            }
            (Origin::Source, _) => Vec::new(),
        }
    }

    /// The artifacts of one stage, in the order of the lock's sets. What is unresolved is left out: see
    /// [`LockedCatalog::blocked`].
    pub fn artifacts(&self, platform: Platform, image: &Image, stage: &Stage) -> Vec<&Artifact> {
        let of_key = |key: String| -> Vec<&Artifact> {
            match self.lock.sets.get(&key) {
                Some(set) => set.members.iter().filter_map(|id| self.lock.artifacts.get(id)).collect(),
                None => key.parse().ok().and_then(|id: Coordinate| self.lock.artifacts.get(&id)).into_iter().collect(),
            }
        };
        self.keys(platform, image, stage).into_iter().flat_map(of_key).collect()
    }

    /// What an image itself needs and the lock has no answer to, by key.
    pub fn unresolved(&self, platform: Platform, image: &Image) -> Vec<String> {
        let keys = self.stages(platform, image).flat_map(|stage| self.keys(platform, image, stage));
        keys.filter(|key| self.lock.unresolved.contains_key(key)).collect()
    }

    /// Why images cannot be built for a platform, by image: an artifact of theirs is unresolved, or a parent is blocked.
    pub fn blocked(&self, platform: Platform) -> BTreeMap<ImageRef, Vec<String>> {
        let mut blocked: BTreeMap<ImageRef, Vec<String>> = BTreeMap::new();
        for image in self.catalog.images() {
            let keys = self.stages(platform, image).flat_map(|stage| self.keys(platform, image, stage));
            let mut reasons: Vec<String> = keys
                .filter_map(|key| self.lock.unresolved.get(&key))
                .map(|entry| format!("{}: {}", entry.request, entry.reason))
                .collect();
            let parents = image.parents.values().filter(|parent| blocked.contains_key(parent));
            reasons.extend(parents.map(|parent| format!("{parent} is blocked")));
            if !reasons.is_empty() {
                reasons.dedup();
                blocked.insert(image.reference.clone(), reasons);
            }
        }
        blocked
    }

    /// Labels that say what the origin did: the origin itself and every substitution, with its reason.
    pub fn origin_labels(&self, platform: Platform, image: &Image) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::new();
        let mut substituted = Vec::new();
        for stage in self.stages(platform, image) {
            match &stage.content {
                Content::Spark { .. } => {
                    labels.insert("io.spark-images.origin".to_owned(), self.origin(image).to_string());
                }
                Content::Maven(jars) => {
                    let replaced = jars.iter().filter_map(|jar| Some((jar, jar.instead_of.as_ref()?)));
                    substituted.extend(
                        replaced.map(|(jar, (asked, reason))| {
                            format!("{asked} replaced by {}: {reason}", jar.maven.version)
                        }),
                    );
                }
                _ => {}
            }
        }
        if !substituted.is_empty() {
            labels.insert("io.spark-images.substitutes".to_owned(), substituted.join("; "));
        }
        labels
    }

    /// Labels that say which plugins of an image, or of one that it is made from, are told to take a shim that is not the one
    /// of this Spark.
    pub fn shim_labels(&self, image: &Image) -> BTreeMap<String, String> {
        let spark = image.spark.as_ref().and_then(|version| self.catalog.table.sparks.get(version));
        if spark.is_none_or(|spark| spark.shims.is_empty()) {
            return BTreeMap::new();
        }
        shims::labels(&self.catalog, &self.catalog.with_ancestors(&BTreeSet::from([image.reference.clone()])))
    }
}
