//! The checkout, and the Spark tree of `--source-dir` that a run puts in the place of one of its versions.

use std::{
    ops::Deref,
    panic,
    sync::{Mutex, OnceLock, PoisonError},
    thread::{self, JoinHandle},
};

use anyhow::{Context as _, Result, bail};
use blob::Digest;
use camino::Utf8Path;
use catalog::{Catalog, Local, Table};
use checkout::Checkout;
use spark_source::{Error, Identity, Pom, Tree};

use crate::{
    flags::Global,
    machine::{kept_folder, open_store},
};

/// Digits of a tree's digest that its tags end in.
const HASH: usize = 12;

/// A checkout with what the flags add to it. It is used as the checkout that it is.
#[derive(Debug)]
pub(crate) struct Workspace {
    checkout: Checkout,
    /// The Spark tree of `--source-dir`.
    pub(crate) source: Option<SourceDir>,
}

impl Deref for Workspace {
    type Target = Checkout;

    fn deref(&self) -> &Checkout {
        &self.checkout
    }
}

/// The Spark tree of `--source-dir`, as it was when this run began.
#[derive(Debug)]
pub(crate) struct SourceDir {
    pub(crate) tree: Tree,
    identity: OnceLock<Identity>,
    /// It has some 20,000 files to look at: everything else is read meanwhile.
    looking: Mutex<Option<JoinHandle<Result<Identity, Error>>>>,
}

impl From<Checkout> for Workspace {
    fn from(checkout: Checkout) -> Self {
        Self { checkout, source: None }
    }
}

impl Workspace {
    /// The checkout, and the Spark tree of `--source-dir`.
    pub(crate) fn find(global: &Global) -> Result<Self> {
        let mut workspace = Self { checkout: Checkout::find(&global.images)?, source: None };
        if let Some(folder) = &global.source_dir {
            workspace.source = Some(SourceDir::look(&workspace, &checkout::here()?.join(folder))?);
        }
        Ok(workspace)
    }

    /// The checkout alone, for commands about the table: a Spark tree of the user's is none of their business.
    pub(crate) fn of_table(global: &Global) -> Result<Self> {
        Self::find(&Global { source_dir: None, ..global.clone() })
    }

    /// The same with the files of another folder.
    pub(crate) fn at(&self, root: &Utf8Path) -> Self {
        Self { checkout: self.checkout.at(root), source: None }
    }

    /// Table and image files, checked, with the Spark tree in the place of the version of its line.
    pub(crate) fn catalog(&self) -> Result<Catalog> {
        let Some(source) = &self.source else { return self.checkout.catalog_with(|_| Ok(None)) };
        self.checkout.catalog_with(|table| source.local(table).map(Some))
    }
}

impl SourceDir {
    /// Takes the tree, and begins to look at its files.
    fn look(workspace: &Workspace, folder: &Utf8Path) -> Result<Self> {
        let tree = Tree::open(folder)?;
        let name = format!("{}.memo", Digest::of(tree.root().as_str().as_bytes()).hex());
        // What is remembered of its files.
        let memo = kept_folder(workspace, &open_store()?).join("source-dirs").join(name);
        let looking = thread::spawn({
            let tree = tree.clone();
            move || tree.identity(&memo)
        });
        Ok(Self { tree, identity: OnceLock::new(), looking: Mutex::new(Some(looking)) })
    }

    /// The digest of its files; none before the catalog was read.
    pub(crate) fn digest(&self) -> Option<Digest> {
        self.identity.get().map(|identity| identity.digest)
    }

    /// What its files are, as this run found them. All were read, unless they are as they were the last time.
    fn identity(&self) -> Result<Identity> {
        if let Some(looking) = self.looking.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let found = looking.join().unwrap_or_else(|panic| panic::resume_unwind(panic));
            let found = found.with_context(|| format!("reading the Spark tree {}", self.tree.root()))?;
            return Ok(*self.identity.get_or_init(|| found));
        }
        self.identity.get().copied().with_context(|| format!("{} could not be read", self.tree.root()))
    }

    /// How the tree stands in the catalog: in the place of the version of its line.
    fn local(&self, table: &Table) -> Result<Local> {
        let Pom { version, scala_binary, pyspark, .. } = self.tree.pom();
        let sparks = &table.sparks;
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
        let hash = self.identity()?.digest.hex()[..HASH].to_owned();
        Ok(Local { spark: spark.version.clone(), version: version.clone(), pyspark: pyspark.clone(), hash })
    }
}
