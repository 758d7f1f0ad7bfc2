//! What the lock is asked for: the canonical set of requests that follows from table and image files.
//!
//! A comment, the order of keys or a new image without new bytes change nothing here, so they do not make a lock stale.

use std::{collections::BTreeMap, fmt};

use blob::Digest;

use crate::{
    catalog::Catalog,
    coordinate::{Coordinate, Maven},
    image::{Content, Jar, PythonSet},
    platform::Platform,
    shims::{self, Shims},
    table::{Archive, Debian},
};

/// One thing that the lock has to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A Maven artifact. Its version never moves by itself.
    Maven(Maven),
    /// The versions of Spark that a plugin's jar knows.
    Shims {
        /// The jar.
        jar: Maven,
        /// The path in it that names a version: see [`crate::Shims`].
        files: String,
    },
    /// The source distribution of a Python project.
    Sdist {
        /// Project.
        name: String,
        /// Version.
        version: String,
    },
    /// Python packages that are resolved together.
    Python {
        /// The set.
        set: PythonSet,
        /// Version of CPython, `3.11.2`.
        python: String,
        /// Version of the C library, `2.36`.
        glibc: String,
        /// What the wheels run on.
        platform: Platform,
    },
    /// Debian packages of one kind of image, and what they depend on.
    Debian {
        /// Id of the image.
        image: String,
        /// Packages asked for, sorted.
        packages: Vec<String>,
        /// The archive.
        debian: Debian,
        /// What the packages are for.
        platform: Platform,
    },
    /// A file of the user's own.
    File(String),
    /// An archive with addresses of its own.
    Archive(Archive),
}

impl Request {
    /// The name under which the lock keeps the answer.
    pub fn key(&self) -> String {
        match self {
            Request::Maven(maven) => Coordinate::Maven(maven.clone()).to_string(),
            Request::Shims { jar, .. } => shims::key(jar),
            Request::Sdist { name, version } => format!("sdist {name}=={version}"),
            Request::Python { set, platform, .. } => python_key(&set.name, *platform),
            Request::Debian { image, platform, .. } => debian_key(image, *platform),
            Request::File(path) => Coordinate::File(path.clone()).to_string(),
            Request::Archive(archive) => Coordinate::Archive(archive.name.clone()).to_string(),
        }
    }

    /// What is asked, in one line: equal lines have equal answers.
    fn canonical(&self) -> String {
        match self {
            Request::Maven(_) | Request::Sdist { .. } | Request::File(_) => self.key(),
            Request::Python { set, python, glibc, platform } => {
                let architecture = platform.architecture();
                format!("python {set:?} for {python} on glibc {glibc} {architecture}")
            }
            Request::Debian { packages, debian, platform, .. } => {
                let Debian { suites, components, .. } = debian;
                let architecture = platform.architecture();
                format!("debian {packages:?} of {suites:?} {components:?} {architecture}")
            }
            Request::Shims { jar, files } => format!("shims {jar} {files}"),
            Request::Archive(archive) => format!("archive {} sha512 {:?}", archive.name, archive.sha512),
        }
    }

    /// The digest of what is asked.
    pub fn digest(&self) -> Digest {
        Digest::of(self.canonical().as_bytes())
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key())
    }
}

/// The key of the Debian packages of the images of this id.
pub(crate) fn debian_key(image: &str, platform: Platform) -> String {
    platform.marked(format!("debian {image}"))
}

/// The key of a set of Python packages.
pub fn python_key(set: &str, platform: Platform) -> String {
    platform.marked(format!("python {set}"))
}

/// All requests of a catalog, by key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requests(BTreeMap<String, Request>);

impl Requests {
    /// What the images of `catalog` need on any of the table's platforms, whatever the origin that is built from.
    pub fn of(catalog: &Catalog) -> Self {
        let mut requests = Self::default();
        let debian = &catalog.table.debian;
        let platforms = &catalog.table.platforms;
        let stages = catalog.images().iter().flat_map(|image| image.stages.iter().map(move |stage| (image, stage)));
        let on_all =
            platforms.iter().flat_map(|&platform| stages.clone().map(move |(image, stage)| (platform, image, stage)));
        for (platform, image, stage) in on_all.filter(|(platform, _, stage)| stage.is_for(*platform)) {
            match &stage.content {
                Content::Maven(jars) => jars.iter().for_each(|jar| requests.jar(jar)),
                Content::File(path) => requests.add(Request::File(path.clone())),
                Content::Python(set) => requests.add(Request::Python {
                    set: set.clone(),
                    python: debian.python.clone(),
                    glibc: debian.glibc.clone(),
                    platform,
                }),
                Content::Debian { packages, .. } => requests.debian(&image.id, packages, debian, platform),
                Content::Spark { .. } | Content::Folder(_) | Content::Links(_) | Content::Texts(_) => {}
            }
        }
        for spark in catalog.table.sparks.values() {
            requests.add(Request::Sdist { name: "pyspark".into(), version: spark.version.clone() });
            if let Some(source) = &spark.source {
                requests.add(Request::Archive(source.archive.clone()));
            }
        }
        requests
    }

    fn jar(&mut self, jar: &Jar) {
        self.add(Request::Maven(jar.maven.clone()));
        if let Some(Shims { files, .. }) = &jar.shims {
            self.add(Request::Shims { jar: jar.maven.clone(), files: files.clone() });
        }
    }

    fn add(&mut self, request: Request) {
        self.0.insert(request.key(), request);
    }

    /// What the images of one kind ask for is resolved together, whatever their Spark version: they share a layer.
    fn debian(&mut self, image: &str, packages: &[String], debian: &Debian, platform: Platform) {
        let request = self.0.entry(debian_key(image, platform)).or_insert_with(|| Request::Debian {
            image: image.to_owned(),
            packages: Vec::new(),
            debian: debian.clone(),
            platform,
        });
        if let Request::Debian { packages: all, .. } = request {
            all.extend(packages.iter().cloned());
            all.sort();
            all.dedup();
        }
    }

    /// The requests, by key.
    pub fn iter(&self) -> impl Iterator<Item = &Request> {
        self.0.values()
    }

    /// The request of this key.
    pub fn get(&self, key: &str) -> Option<&Request> {
        self.0.get(key)
    }

    /// The digest that the lock keeps, so that it is seen to be stale without asking anybody.
    pub fn digest(&self) -> Digest {
        let lines: Vec<String> = self.0.values().map(Request::canonical).collect();
        Digest::of(lines.join("\n").as_bytes())
    }
}
