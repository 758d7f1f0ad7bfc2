//! A change of several files of the checkout: prepared in a draft, shown, and then written whole or not at all.
//!
//! The draft is a second tree of the checkout's files, so whatever reads a checkout can read it and whatever renders files
//! can write into it. What differs in the end is the change.

mod draft;
mod journal;

use std::{collections::BTreeMap, fmt::Write as _};

use camino::Utf8PathBuf;

pub(crate) use self::draft::{Draft, content};

/// A file, or that there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) bytes: Vec<u8>,
    pub(crate) executable: bool,
}

/// What happens to one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// What is there.
    pub(crate) before: Option<Content>,
    /// What will be.
    pub(crate) after: Option<Content>,
}

/// What happens to the files of the checkout, by path relative to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Changes(pub(crate) BTreeMap<Utf8PathBuf, Change>);

impl Changes {
    /// All of it as `git apply` takes it.
    pub(crate) fn diff(&self) -> String {
        let mut out = String::new();
        for (path, change) in &self.0 {
            let mode = |content: &Content| if content.executable { "100755" } else { "100644" };
            let side = |content: &Option<Content>, name: char| match content {
                Some(_) => format!("{name}/{path}"),
                None => "/dev/null".to_owned(),
            };
            // Writing to a string cannot fail.
            let _ = writeln!(out, "diff --git a/{path} b/{path}");
            match (&change.before, &change.after) {
                (None, Some(after)) => drop(writeln!(out, "new file mode {}", mode(after))),
                (Some(before), None) => drop(writeln!(out, "deleted file mode {}", mode(before))),
                _ => {}
            }
            let text = |content: &Option<Content>| match content {
                Some(content) => String::from_utf8(content.bytes.clone()).ok(),
                None => Some(String::new()),
            };
            let (old, new) = (side(&change.before, 'a'), side(&change.after, 'b'));
            match (text(&change.before), text(&change.after)) {
                (Some(before), Some(after)) => {
                    let diff = similar::TextDiff::from_lines(&before, &after);
                    out.push_str(&diff.unified_diff().header(&old, &new).to_string());
                }
                _ => drop(writeln!(out, "Binary files {old} and {new} differ")),
            }
        }
        out
    }

    /// `new`, `changed` or `removed`, and the path, for each file.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(path, change)| {
            let word = match (&change.before, &change.after) {
                (None, _) => "new    ",
                (Some(_), Some(_)) => "changed",
                (Some(_), None) => "removed",
            };
            format!("{word}  {path}")
        })
    }
}

#[cfg(test)]
mod tests;
