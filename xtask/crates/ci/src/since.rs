//! What differs from another commit: what its files would be made into is compared with what this tree would be.

use std::{fs, io};

use anyhow::{Context as _, Result};
use camino::Utf8Path;
use catalog::{LockedCatalog, Platform};
use checkout::inputs::{Formats, Memo};
use command_line::CiMatrixArgs;
use matrix::{Because, Before, Graph, render::Since};

use crate::{
    images::{self, Tree},
    origin,
};

/// What makes images, besides the formats: it is no input.
const TOOL: [&str; 4] = ["xtask", "Cargo.toml", "Cargo.lock", ".cargo"];

/// The commit, and for each image why it comes out anew since then.
///
/// # Errors
/// There is no such commit, or git cannot read it. What cannot be understood of its files is no error: then all images count
/// as changed.
pub(crate) fn compare(
    tree: &Tree<'_>,
    graph: &Graph,
    platforms: &[Platform],
    reference: &str,
    args: &CiMatrixArgs,
) -> Result<(Since, Vec<Option<Because>>)> {
    let root = &tree.checkout.root;
    let commit = git::commit(root, reference).with_context(|| format!("--changed-since {reference}"))?;
    let tool_changed = git::differs(root, &commit, &TOOL)?;
    let folder = tempfile::Builder::new().prefix("spark-images-since-").tempdir().context("making a folder")?;
    let path = Utf8Path::from_path(folder.path()).context("a temporary folder whose name is not UTF-8")?;
    git::write_tree(root, &commit, &["docker", Formats::PATH], path)?;
    let because = match before(tree, path, platforms, args) {
        Ok(before) => matrix::affected(graph, &before),
        Err(error) => {
            let error = format!("{error:#}");
            eprintln!("warning: {reference} cannot be understood, so every image counts as changed: {error}");
            let change = format!("{reference} cannot be compared: {}", error.lines().next().unwrap_or_default());
            let changed = |root| Some(Because { changes: vec![change.clone()], through: vec![], root, anew: true });
            (0..graph.nodes().len()).map(changed).collect()
        }
    };
    Ok((Since { reference: reference.to_owned(), commit, tool_changed }, because))
}

fn before(tree: &Tree<'_>, root: &Utf8Path, platforms: &[Platform], args: &CiMatrixArgs) -> Result<Before> {
    let checkout = tree.checkout.at(root);
    let formats = match fs::read_to_string(root.join(Formats::PATH)) {
        Ok(text) => Formats::parse(&text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Formats::FIRST,
        Err(error) => return Err(error).with_context(|| format!("reading {}", Formats::PATH)),
    };
    let catalog = checkout.catalog_with(|_| Ok(None))?;
    let origin = origin(&catalog, args.origin.origin)?;
    let locked = LockedCatalog::new(catalog, checkout.lock()?, origin)?;
    let memo = Memo::default();
    let old = Tree { checkout: &checkout, locked: &locked, registries: tree.registries, formats, memo };
    let authorities = old.authorities()?;
    let proofs = images::proofs(&old, &images::smokes(locked.catalog()))?;
    let mut before = Before::new();
    for &platform in platforms {
        let states = images::states(&old, platform, &authorities, Some(&proofs))?;
        for (image, state) in locked.catalog().images().iter().zip(states) {
            before.insert((platform.to_string(), image.reference.to_string()), state);
        }
    }
    Ok(before)
}
