//! The repository this program works on: where its files lie, and what they say.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use anyhow::{Context as _, Result, bail};
use blob::Digest;
use camino::{Utf8Path, Utf8PathBuf};
use catalog::{Catalog, Local, Lock, Source};
use spark_source::{Identity, Pom, Tree};

use store::Store;

use crate::{
    flags::Global,
    machine::{kept_folder, store_folder},
};

/// Digits of a tree's digest that its tags end in.
const HASH: usize = 12;

/// A checkout.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The folder that holds `docker/versions.toml`.
    pub(crate) root: Utf8PathBuf,
    /// Folders of image folders outside of the checkout, by the name that stands for them in paths: `@own`.
    outside: BTreeMap<String, Utf8PathBuf>,
    /// The Spark tree of `--source-dir`.
    pub(crate) source: Option<SourceDir>,
}

/// The Spark tree of `--source-dir`, as it was when this run began.
#[derive(Debug)]
pub(crate) struct SourceDir {
    pub(crate) tree: Tree,
    pub(crate) pom: Pom,
    pub(crate) identity: Identity,
}

impl Workspace {
    /// The checkout that this program was built from or, where that was moved away, the one around the current folder.
    pub(crate) fn find(global: &Global) -> Result<Self> {
        let here = Utf8PathBuf::try_from(std::env::current_dir().context("finding the current folder")?)?;
        let built_from = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Utf8Path::to_owned);
        let root = here
            .ancestors()
            .map(Utf8Path::to_owned)
            .chain(built_from)
            .find(|folder| folder.join("docker/versions.toml").is_file());
        let Some(root) = root else {
            bail!("no docker/versions.toml in {here} or above it\nrun this in a checkout of the repository");
        };
        let mut outside = BTreeMap::new();
        for folder in &global.images {
            let path = here.join(folder);
            let Ok(path) = path.canonicalize_utf8() else { bail!("--images {folder}: there is no such folder") };
            let name = format!("@{}", path.file_name().unwrap_or_default());
            if let Some(other) = outside.insert(name, path.clone()) {
                bail!(
                    "--images {other} and --images {path} have the same name\nrename one: the lock calls their files by it"
                );
            }
        }
        let mut workspace = Self { root, outside, source: None };
        if let Some(folder) = &global.source_dir {
            workspace.source = Some(SourceDir::look(&workspace, &here.join(folder))?);
        }
        Ok(workspace)
    }

    /// The checkout alone, for commands about the table: a Spark tree of the user's is none of their business.
    pub(crate) fn of_table(global: &Global) -> Result<Self> {
        Self::find(&Global { source_dir: None, ..global.clone() })
    }

    /// Where built images lie: an OCI image layout.
    pub(crate) fn layout(&self) -> Utf8PathBuf {
        self.target().join("images")
    }

    /// Where logs and reports lie.
    pub(crate) fn logs(&self) -> Utf8PathBuf {
        self.target().join("logs")
    }

    /// Where what is made once of fetched files is kept when the store cannot be written to.
    pub(crate) fn kept(&self) -> Utf8PathBuf {
        self.target().join("kept")
    }

    fn target(&self) -> Utf8PathBuf {
        let folder = std::env::var("SPARK_IMAGES_OUT").unwrap_or_else(|_| "target/spark-images".into());
        self.root.join(folder)
    }

    /// Where a file lies that messages, records and the lock call so: relative to the checkout, or below one of the
    /// folders of `--images`, whose place on this machine must not stand in the lock.
    pub(crate) fn path(&self, relative: &str) -> Utf8PathBuf {
        let outside = relative.split_once('/').and_then(|(name, rest)| Some(self.outside.get(name)?.join(rest)));
        outside.unwrap_or_else(|| self.root.join(relative))
    }

    fn read(&self, relative: &str) -> Result<Source> {
        let bytes = fs::read(self.path(relative)).with_context(|| format!("reading {relative}"))?;
        let Ok(text) = String::from_utf8(bytes) else {
            bail!("{relative} is not UTF-8: save it as UTF-8");
        };
        Ok(Source { path: relative.to_owned(), text })
    }

    /// The image files, sorted.
    fn image_files(&self) -> Result<Vec<Source>> {
        let mut paths = BTreeSet::new();
        let docker = ("docker".to_owned(), self.root.join("docker"));
        for (name, folder) in std::iter::once(&docker).map(|(name, folder)| (name, folder)).chain(&self.outside) {
            // At these depths, because `**` would follow the links of an image's own files to anywhere.
            for depth in ["image.toml", "*/image.toml", "*/*/image.toml"] {
                for path in glob(folder, depth)? {
                    paths.insert(Utf8Path::new(name).join(path.strip_prefix(folder)?));
                }
            }
        }
        paths.iter().map(|path| self.read(path.as_str())).collect()
    }

    /// The files of the checkout that match one of these patterns, relative to it and sorted.
    pub(crate) fn glob(&self, patterns: &[&str]) -> Result<Vec<Utf8PathBuf>> {
        let mut paths = BTreeSet::new();
        for pattern in patterns {
            for path in glob(&self.root, pattern)? {
                paths.insert(path.strip_prefix(&self.root)?.to_owned());
            }
        }
        Ok(paths.into_iter().collect())
    }

    /// Table and image files, checked.
    pub(crate) fn catalog(&self) -> Result<Catalog> {
        let table = self.read("docker/versions.toml")?;
        let files = self.image_files()?;
        let catalog = Catalog::read(&table, &files)?;
        let Some(source) = &self.source else { return Ok(catalog) };
        let local = source.local(&catalog)?;
        Ok(Catalog::read_with(&table, &files, Some(local))?)
    }

    /// The lock, empty if there is none.
    pub(crate) fn lock(&self) -> Result<Lock> {
        let path = self.lock_path();
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Lock::parse(&text)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Lock::default()),
            Err(error) => Err(error).with_context(|| format!("reading {path}")),
        }
    }

    /// Where the lock lies.
    pub(crate) fn lock_path(&self) -> Utf8PathBuf {
        self.root.join("docker/versions.lock")
    }

    /// Writes the lock.
    pub(crate) fn write_lock(&self, lock: &Lock) -> Result<()> {
        blob::write(&self.lock_path(), lock.to_text()?.as_bytes()).context("writing docker/versions.lock")?;
        Ok(())
    }
}

impl SourceDir {
    /// Reads the tree; all of it, unless it is as it was the last time.
    fn look(workspace: &Workspace, folder: &Utf8Path) -> Result<Self> {
        let tree = Tree::open(folder)?;
        let pom = tree.pom()?;
        let name = format!("{}.json", Digest::of(tree.root().as_str().as_bytes()).hex());
        let memo = kept_folder(workspace, &Store::open(store_folder()?)?).join("source-dirs").join(name);
        let identity = tree.identity(&memo).with_context(|| format!("reading the Spark tree {}", tree.root()))?;
        Ok(Self { tree, pom, identity })
    }

    /// How the tree stands in the catalog: in the place of the version of its line.
    fn local(&self, catalog: &Catalog) -> Result<Local> {
        let Pom { version, scala_binary, .. } = &self.pom;
        let sparks = &catalog.table.sparks;
        let Some(spark) = sparks.values().find(|spark| version.starts_with(&format!("{}.", spark.line))) else {
            let lines = sparks.values().map(|spark| spark.line.as_str()).collect::<Vec<_>>().join(", ");
            bail!(
                "{} is Spark {version}, and docker/versions.toml has no version of its line; it has {lines}",
                self.tree.root()
            );
        };
        if *scala_binary != spark.scala {
            bail!(
                "{} is built for Scala {scala_binary}, and docker/versions.toml says {} for Spark {}\n\
                 to change the tree: dev/change-scala-version.sh {}",
                self.tree.root(),
                spark.scala,
                spark.version,
                spark.scala
            );
        }
        let hash = self.identity.digest.hex()[..HASH].to_owned();
        let pyspark = self.pom.pyspark.clone();
        Ok(Local { spark: spark.version.clone(), version: version.clone(), pyspark, hash })
    }
}

/// The paths below `folder` that match a pattern, sorted.
fn glob(folder: &Utf8Path, pattern: &str) -> Result<Vec<Utf8PathBuf>> {
    let pattern = format!("{}/{pattern}", glob::Pattern::escape(folder.as_str()));
    let doing = || format!("looking for {pattern}");
    let paths = glob::glob(&pattern).with_context(doing)?;
    paths.map(|path| Ok(Utf8PathBuf::try_from(path.with_context(doing)?)?)).collect()
}
