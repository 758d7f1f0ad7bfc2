//! A folder that is a Spark source tree.

use std::{sync::atomic::AtomicBool, time::SystemTime};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{Error, Identity, Pom, copy, memo};

/// A folder with the sources of Apache Spark. It may be the user's own: nothing is ever written into it.
#[derive(Debug, Clone)]
pub struct Tree {
    root: Utf8PathBuf,
    pom: Pom,
}

impl Tree {
    /// Takes a folder that is a Spark source tree.
    ///
    /// # Errors
    /// It cannot be read, or is something else: the error says what, if that can be told. Its pom.xml lacks something; file
    /// and line are named.
    pub fn open(root: &Utf8Path) -> Result<Self, Error> {
        let root = root.canonicalize_utf8().map_err(Error::io("reading", root))?;
        if !is_tree(&root) {
            let found = what_else(&root)?;
            return Err(Error::NotSpark { root, found });
        }
        match Pom::read(&root)? {
            Some(pom) => Ok(Self { root, pom }),
            None => Err(Error::NotSpark { root, found: "a pom.xml that is not that of spark-parent".into() }),
        }
    }

    /// The folder, as an absolute path without links.
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// What the tree says of itself.
    pub fn pom(&self) -> &Pom {
        &self.pom
    }

    /// The identity of what counts of the tree. `memo` is a file of the caller's in which this remembers sizes, times
    /// and digests, so that only what changed is read the next time; it may be missing, damaged or of another tree.
    ///
    /// Where the tree is the top of a git checkout, git says what counts: what is tracked and there, and what is neither
    /// tracked nor ignored. Of the latter, as of all where there is no git, these are left out: `.git`, folders of
    /// editors, `dist` at the top, and `target` where no `src` is above it.
    /// A submodule's files count as those of a folder without git; another repository within the tree does not count.
    ///
    /// # Errors
    /// Something cannot be read, is neither file nor folder nor link, has a name that is not UTF-8, or changes all the
    /// time; git does not answer; the memo cannot be written.
    pub fn identity(&self, memo: &Utf8Path) -> Result<Identity, Error> {
        self.identity_at(memo, SystemTime::now())
    }

    /// As [`Tree::identity`], at a time of the caller's. What changed less than two seconds before it, or after it, is
    /// read again the next time: a time in the future makes a memo that can be wrong about files that are being written.
    ///
    /// # Errors
    /// As [`Tree::identity`].
    pub fn identity_at(&self, memo: &Utf8Path, now: SystemTime) -> Result<Identity, Error> {
        memo::identity(&self.root, memo, now)
    }

    /// Copies what counts of the tree to `dest`, which must not exist and appears only when it is whole. Files get the
    /// mode 0644 or 0755. Returns the identity of what was copied: it differs from an earlier one if the tree changed.
    /// `progress` is told the number of bytes, again and again.
    ///
    /// # Errors
    /// As [`Tree::identity`]; a link leads out of the tree; `dest` cannot be written; `cancel` was set.
    pub fn copy_to(&self, dest: &Utf8Path, cancel: &AtomicBool, progress: &dyn Fn(u64)) -> Result<Identity, Error> {
        copy::copy(&self.root, dest, cancel, progress)
    }
}

fn is_tree(folder: &Utf8Path) -> bool {
    folder.join("pom.xml").is_file() && folder.join("dev/make-distribution.sh").is_file()
}

/// What a folder is that is no source tree, for the error.
fn what_else(root: &Utf8Path) -> Result<String, Error> {
    let has = |name: &str| root.join(name).exists();
    if !root.is_dir() {
        return Ok("a file: unpack it if it is an archive".into());
    }
    if has("jars") && has("bin/spark-submit") {
        return Ok("a binary distribution, which is compiled already".into());
    }
    if has("setup.py") && has("pyspark") {
        return Ok("a Python source distribution, which is compiled already".into());
    }
    let mut below = Vec::new();
    for entry in root.read_dir_utf8().map_err(Error::io("reading", root))? {
        let path = entry.map_err(Error::io("reading", root))?.into_path();
        if is_tree(&path) {
            below.push(path);
        }
    }
    below.sort();
    if let Some(path) = below.first() {
        return Ok(format!("one below it: {path}"));
    }
    if let Some(above) = root.ancestors().skip(1).find(|folder| is_tree(folder)) {
        return Ok(format!("a part of one: {above}"));
    }
    Ok(if has("pom.xml") { "another Maven project" } else { "neither" }.into())
}
