//! The documents: what is written into them, and what is wrong with them.
//!
//! What stands between `<!-- table:NAME -->` and `<!-- /table -->` is rendered; nothing else of a document is changed. The
//! workflows of CI are rendered as a whole.

mod commands;
mod links;
mod map;
mod tables;
mod usage;

use std::{collections::BTreeMap, fs, io};

use anyhow::{Context as _, Result, bail};
use camino::{Utf8Path, Utf8PathBuf};
use catalog::Catalog;

use crate::{workflows, workspace::Workspace};

const OPEN: &str = "<!-- table:";
const CLOSE: &str = "<!-- /table -->";
/// Where documents lie. At these depths, because `**` would follow the links of an image's own files to anywhere.
const PLACES: [&str; 10] = [
    "*.md",
    "docs/*.md",
    "docs/*/*.md",
    "docker/*.md",
    "docker/*/*.md",
    "docker/*/*/*.md",
    "ci/*.md",
    "ci/*/*.md",
    "xtask/*.md",
    "xtask/crates/*/*.md",
];

/// What is rendered from.
struct Sources {
    catalog: Catalog,
    /// The documents as they are, by path.
    texts: BTreeMap<Utf8PathBuf, String>,
}

/// The documents of a checkout.
pub(crate) struct Documents {
    /// By path, relative to the checkout.
    pub(crate) all: BTreeMap<Utf8PathBuf, Document>,
    /// What is rendered as a whole, by path.
    pub(crate) workflows: BTreeMap<Utf8PathBuf, Document>,
}

/// A document.
pub(crate) struct Document {
    /// What is there; empty where nothing is.
    pub(crate) text: String,
    /// What should be.
    pub(crate) rendered: String,
}

impl Sources {
    fn read(workspace: &Workspace) -> Result<Self> {
        let read = |path: Utf8PathBuf| {
            let text = fs::read_to_string(workspace.root.join(&path)).with_context(|| format!("reading {path}"))?;
            Ok((path, text))
        };
        let texts = workspace.glob(&PLACES)?.into_iter().map(read).collect::<Result<_>>()?;
        Ok(Self { catalog: workspace.catalog()?, texts })
    }
}

impl Documents {
    /// Reads and renders them.
    ///
    /// # Errors
    /// A document cannot be read, or its markers are not understood.
    pub(crate) fn read(workspace: &Workspace) -> Result<Self> {
        let sources = Sources::read(workspace)?;
        let mut all = BTreeMap::new();
        for (path, text) in &sources.texts {
            let rendered = render(text, path, &sources).with_context(|| format!("rendering {path}"))?;
            all.insert(path.clone(), Document { text: text.clone(), rendered });
        }
        let mut workflows = BTreeMap::new();
        for (path, rendered) in workflows::render(&sources.catalog)? {
            let text = match fs::read_to_string(workspace.root.join(&path)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
                text => text.with_context(|| format!("reading {path}"))?,
            };
            workflows.insert(path, Document { text, rendered });
        }
        Ok(Self { all, workflows })
    }

    /// Those that are not as they should be.
    pub(crate) fn stale(&self) -> impl Iterator<Item = (&Utf8Path, &Document)> {
        let all = self.all.iter().chain(&self.workflows).map(|(path, document)| (path.as_path(), document));
        all.filter(|(_, document)| document.text != document.rendered)
    }

    /// What is wrong with the rendered documents, each as `FILE:LINE: PROBLEM`: links that lead nowhere, commands that
    /// there are not, and what the project map says that is not so.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub(crate) fn problems(&self, workspace: &Workspace) -> Result<Vec<String>> {
        let mut problems = links::problems(self, &workspace.root);
        problems.extend(usage::problems(self));
        problems.extend(map::problems(self, &workspace.root)?);
        Ok(problems)
    }
}

impl Document {
    /// Writes what should be.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write(&self, root: &Utf8Path, path: &Utf8Path) -> Result<()> {
        let file = root.join(path);
        // A repository without workflows has no folder for them.
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).with_context(|| format!("making the folder of {path}"))?;
        }
        blob::write(&file, self.rendered.as_bytes()).with_context(|| format!("writing {path}"))?;
        Ok(())
    }

    /// What would change.
    pub(crate) fn diff(&self, path: &Utf8Path) -> String {
        let Self { text, rendered } = self;
        similar::TextDiff::from_lines(text, rendered).unified_diff().header(path.as_str(), "rendered").to_string()
    }
}

/// The lines of a document that people write, with their numbers: what is neither rendered nor an example.
pub(crate) fn written(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let (mut rendered, mut fenced) = (false, false);
    text.lines().enumerate().filter_map(move |(index, line)| {
        rendered |= line.contains(OPEN);
        fenced ^= line.trim_start().starts_with("```");
        let written = !rendered && !fenced && !line.starts_with("    ");
        rendered &= !line.contains(CLOSE);
        written.then_some((index + 1, line))
    })
}

/// The text of a document with its tables rendered.
fn render(text: &str, path: &Utf8Path, sources: &Sources) -> Result<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN) {
        let Some((name, after)) = after.split_once(" -->") else { bail!("a table marker has no ` -->`") };
        let Some((_, after)) = after.split_once(CLOSE) else { bail!("the table `{name}` has no `{CLOSE}`") };
        let table = tables::table(name, path, sources)?;
        if table.contains(OPEN) || table.contains(CLOSE) {
            bail!("the table `{name}` would hold a marker itself, and be read otherwise the next time");
        }
        out.push_str(&format!("{before}{OPEN}{name} -->\n{table}{CLOSE}"));
        rest = after;
    }
    Ok(out + rest)
}

/// The line of a place in a text, counted from one.
fn line(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::Global;

    /// The documents of this repository are as they should be; to write them: `cargo xtask docs`.
    #[test]
    fn the_documents_are_up_to_date() {
        let workspace = Workspace::find(&Global::default()).unwrap();
        let documents = Documents::read(&workspace).unwrap();
        let stale: String = documents.stale().map(|(path, document)| document.diff(path)).collect();
        assert!(stale.is_empty(), "{stale}to write them: cargo xtask docs");
        assert_eq!(documents.problems(&workspace).unwrap(), Vec::<String>::new());
        assert!(documents.all.len() > 15, "{:?}", documents.all.keys());
    }

    #[test]
    fn only_what_stands_between_the_markers_is_replaced() {
        let workspace = Workspace::find(&Global::default()).unwrap();
        let sources = Sources::read(&workspace).unwrap();
        let text = "a <!-- table:commands -->old<!-- /table --> b";
        let rendered = render(text, Utf8Path::new("README.md"), &sources).unwrap();
        assert!(rendered.starts_with("a <!-- table:commands -->\n| command |"), "{rendered}");
        assert!(rendered.ends_with("|\n<!-- /table --> b"), "{rendered}");
        let error = |text| format!("{:#}", render(text, Utf8Path::new("README.md"), &sources).unwrap_err());
        assert!(error("<!-- table:nothing --><!-- /table -->").contains("there is no table `nothing`"));
        assert!(error("<!-- table:commands -->").contains("has no `<!-- /table -->`"));
        assert!(error("<!-- table:tags --><!-- /table -->").contains("has no image.toml"));
    }
}
