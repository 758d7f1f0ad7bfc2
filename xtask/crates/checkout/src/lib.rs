//! The repository that this program works on: where its files lie, what they say, and what was built of them.
//!
//! Both binaries stand on this crate, and a command that needs nothing else lives here ([`list`]). So it must stay cheap to
//! build: no network, no processes, nothing that puts an image together.

pub mod inputs;
pub mod list;
pub mod records;
pub mod text;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use anyhow::{Context as _, Result, bail};
use camino::{Utf8Path, Utf8PathBuf};
use catalog::{Catalog, Local, Lock, Source, Table};
use oci::Layout;

/// A checkout.
#[derive(Debug)]
pub struct Checkout {
    /// The folder that holds `docker/versions.toml`.
    pub root: Utf8PathBuf,
    /// Folders of image folders outside of the checkout, by the name that stands for them in paths: `@own`.
    outside: BTreeMap<String, Utf8PathBuf>,
}

impl Checkout {
    /// The checkout around the current folder or, outside of any, the one that this program was built from.
    /// `images` are folders of further image folders.
    ///
    /// # Errors
    /// There is no checkout, or no such folder.
    pub fn find(images: &[Utf8PathBuf]) -> Result<Self> {
        let here = here()?;
        let built_from = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).map(Utf8Path::to_owned);
        let root = here
            .ancestors()
            .map(Utf8Path::to_owned)
            .chain(built_from)
            .find(|folder| folder.join("docker/versions.toml").is_file());
        let Some(root) = root else {
            bail!("no docker/versions.toml in {here} or above it\nrun this in a checkout of the repository");
        };
        Self::in_folder(root, images)
    }

    /// The checkout in the folder `root`; `images` as for [`Checkout::find`].
    ///
    /// # Errors
    /// There is no such folder of images.
    pub fn in_folder(root: Utf8PathBuf, images: &[Utf8PathBuf]) -> Result<Self> {
        let here = here()?;
        let mut outside = BTreeMap::new();
        for folder in images {
            let path = here.join(folder);
            let Ok(path) = path.canonicalize_utf8() else { bail!("--images {folder}: there is no such folder") };
            let name = format!("@{}", path.file_name().unwrap_or_default());
            if let Some(other) = outside.insert(name, path.clone()) {
                bail!(
                    "--images {other} and --images {path} have the same name\nrename one: the lock calls their files by it"
                );
            }
        }
        Ok(Self { root, outside })
    }

    /// The same with the files of the repository below `root`: those of another commit, or of a draft.
    pub fn at(&self, root: &Utf8Path) -> Self {
        Self { root: root.to_owned(), outside: self.outside.clone() }
    }

    /// The folders of `--images`.
    pub fn outside(&self) -> impl Iterator<Item = &Utf8Path> {
        self.outside.values().map(Utf8PathBuf::as_path)
    }

    /// Where built images lie: an OCI image layout.
    pub fn layout(&self) -> Utf8PathBuf {
        self.target().join("images")
    }

    /// Opens the layout of built images. Says so where it has to be waited for.
    ///
    /// # Errors
    /// There is none.
    pub fn open_layout(&self) -> oci::Result<Layout> {
        let path = self.layout();
        Layout::open_or_wait(&path, &|holder| eprintln!("waiting   {holder} removes things from {path}"))
    }

    /// Where the bake file and its contexts lie.
    pub fn bake(&self) -> Utf8PathBuf {
        self.target().join("bake")
    }

    /// Where lies what belongs to builds with an engine.
    pub fn engine(&self, name: &str) -> Utf8PathBuf {
        self.target().join("engines").join(name)
    }

    /// Where logs and reports lie.
    pub fn logs(&self) -> Utf8PathBuf {
        self.target().join("logs")
    }

    /// Where a change of several files is prepared before any of them is written: in the checkout itself, since what was
    /// begun there must be completed there.
    pub fn draft(&self) -> Utf8PathBuf {
        self.root.join("target/spark-images/draft")
    }

    /// Where what is made once of fetched files is kept when the store cannot be written to.
    pub fn kept(&self) -> Utf8PathBuf {
        self.target().join("kept")
    }

    /// Where lies all that is made of this checkout.
    pub fn target(&self) -> Utf8PathBuf {
        let folder = std::env::var("SPARK_IMAGES_OUT").unwrap_or_else(|_| "target/spark-images".into());
        self.root.join(folder)
    }

    /// Where a file lies that messages, records and the lock call so: relative to the checkout, or below one of the
    /// folders of `--images`, whose place on this machine must not stand in the lock.
    pub fn path(&self, relative: &str) -> Utf8PathBuf {
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
    ///
    /// # Errors
    /// A pattern is none, or a folder cannot be read.
    pub fn glob(&self, patterns: &[&str]) -> Result<Vec<Utf8PathBuf>> {
        let mut paths = BTreeSet::new();
        for pattern in patterns {
            for path in glob(&self.root, pattern)? {
                paths.insert(path.strip_prefix(&self.root)?.to_owned());
            }
        }
        Ok(paths.into_iter().collect())
    }

    /// Table and image files, checked. `local` sees the table, and may name a Spark tree of the user's that takes the place
    /// of one of its versions.
    ///
    /// # Errors
    /// A file that cannot be read; all that is wrong with them; what `local` reports.
    pub fn catalog_with(&self, local: impl FnOnce(&Table) -> Result<Option<Local>>) -> Result<Catalog> {
        Catalog::read_with(&self.read("docker/versions.toml")?, &self.image_files()?, local)
    }

    /// The lock, empty if there is none.
    ///
    /// # Errors
    /// It cannot be read or understood.
    pub fn lock(&self) -> Result<Lock> {
        let path = self.lock_path();
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Lock::parse(&text)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Lock::default()),
            Err(error) => Err(error).with_context(|| format!("reading {path}")),
        }
    }

    /// Where the lock lies.
    pub fn lock_path(&self) -> Utf8PathBuf {
        self.root.join("docker/versions.lock")
    }

    /// Writes the lock.
    ///
    /// # Errors
    /// It cannot be written; the old one is then still there.
    pub fn write_lock(&self, lock: &Lock) -> Result<()> {
        blob::write(&self.lock_path(), lock.to_text()?.as_bytes()).context("writing docker/versions.lock")?;
        Ok(())
    }
}

/// The current folder.
///
/// # Errors
/// It was removed, or its path is not UTF-8.
pub fn here() -> Result<Utf8PathBuf> {
    Ok(Utf8PathBuf::try_from(std::env::current_dir().context("finding the current folder")?)?)
}

/// The paths below `folder` that match a pattern, sorted.
fn glob(folder: &Utf8Path, pattern: &str) -> Result<Vec<Utf8PathBuf>> {
    let pattern = format!("{}/{pattern}", glob::Pattern::escape(folder.as_str()));
    let doing = || format!("looking for {pattern}");
    let paths = glob::glob(&pattern).with_context(doing)?;
    paths.map(|path| Ok(Utf8PathBuf::try_from(path.with_context(doing)?)?)).collect()
}
