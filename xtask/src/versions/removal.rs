//! A version goes from the table without a trace.

use anyhow::{Context as _, Result, bail};
use git::Git;

use super::{
    Prepared, Version, catalog_of, image_files,
    images::{self, derived},
    table,
};
use crate::{change::Draft, flags::Global, generate, machine::Machine, report::progress::Board, workspace::Workspace};

/// How a version is removed.
pub(crate) struct Remove {
    pub(crate) version: Version,
    /// Why it is not supported: it stays in the table as such.
    pub(crate) reason: Option<String>,
    /// Whether files go that nobody could bring back.
    pub(crate) force: bool,
}

/// Prepares the removal of a version.
///
/// # Errors
/// It does not stand in the table, or is the only one; files would be lost; a file cannot be read.
pub(crate) fn remove(
    workspace: &Workspace,
    global: &Global,
    draft: Draft,
    remove: &Remove,
    board: &Board,
) -> Result<Prepared> {
    let there = workspace.at(&draft.root());
    let version = remove.version;
    // A version that was added with open questions can be removed as well.
    if let Ok(catalog) = catalog_of(&there)?
        && !catalog.table.sparks.contains_key(&version.to_string())
    {
        bail!("{}", catalog.table.why_not(&version.to_string()));
    }
    let text = draft.read(table::PATH.into())?.context("the table is gone")?;
    let mut document = table::parse(&text, table::PATH)?;
    let others: Vec<Version> = table::versions(&document).into_iter().filter(|other| *other != version).collect();
    if others.is_empty() {
        bail!("Spark {version} is the only version of {}, and a table without any builds nothing", table::PATH);
    }
    let mut said = vec![format!("Spark {version} goes")];
    table::remove(&mut document, version);
    table::unsubstitute(&mut document, version);
    if let Some(entry) = unsupported(workspace, remove)? {
        let reason = entry.get("reason").and_then(toml_edit::Item::as_str).unwrap_or_default();
        said.push(format!("  it stays as not supported: {reason}"));
        table::unsupport(&mut document, version, entry)?;
    }
    draft.write_text(table::PATH.into(), &document.to_string())?;
    images::remove(&draft, &image_files(&there)?, version)?;
    let mut prepared = Prepared::new(draft, version.nearest(others.iter().copied()).unwrap_or(version), said);
    match catalog_of(&there)? {
        Err(questions) => prepared.questions = Some(questions),
        Ok(catalog) => {
            let lock = there.lock()?;
            let machine = Machine::look(workspace, global, &catalog)?;
            prepared.lock(&there, &machine, &catalog, &lock, board)?;
            generate::all(&there)?;
        }
    }
    prepared.changes = prepared.draft.changes()?;
    if !remove.force {
        let lost = lost(workspace, &prepared, version, &others)?;
        if !lost.is_empty() {
            bail!(
                "these files would go, and neither git has them as they are nor would add-version write them so:\n  {}\n\
                 commit them, or remove them all the same: --force",
                lost.join("\n  ")
            );
        }
    }
    Ok(prepared)
}

/// The entry that says why the version is not supported from now on: with the reason that was given, else the last commit's.
fn unsupported(workspace: &Workspace, remove: &Remove) -> Result<Option<toml_edit::Table>> {
    if let Some(reason) = &remove.reason {
        return Ok(Some(table::not_supported(reason)));
    }
    let Some(git) = Git::around(&workspace.root) else { return Ok(None) };
    let Some(text) = committed(&git, table::PATH)? else { return Ok(None) };
    Ok(text.parse().ok().and_then(|document| table::unsupported(&document, remove.version)))
}

/// A file as the last commit has it, if that has it. `path` is relative to the folder of `git`.
fn committed(git: &Git, path: &str) -> Result<Option<String>> {
    if !git.has_commit()? || git.ask(["ls-tree", "--name-only", "HEAD", "--", path])?.is_empty() {
        return Ok(None);
    }
    let bytes = git.ask(["show", &format!("HEAD:./{path}")])?;
    String::from_utf8(bytes).map(Some).with_context(|| format!("{path} is not UTF-8 in the last commit"))
}

/// Files that would be removed and that nothing could bring back.
fn lost(workspace: &Workspace, prepared: &Prepared, version: Version, others: &[Version]) -> Result<Vec<String>> {
    let mut lost = Vec::new();
    let gone = prepared.changes.0.iter().filter(|(_, change)| change.after.is_none());
    for (path, change) in gone {
        let Some(content) = &change.before else { continue };
        let copied = others.iter().any(|&other| {
            let (source, _) = derived(path, content, version, other);
            let source = workspace.root.join(&source);
            let of_other = crate::change::content(&source).ok().flatten();
            of_other.is_some_and(|of_other| derived(path, &of_other, other, version).1 == *content)
        });
        let committed =
            Git::around(&workspace.root).is_some() && git::changes(&workspace.root, &[path.as_str()])?.is_empty();
        if !copied && !committed {
            lost.push(path.to_string());
        }
    }
    Ok(lost)
}
