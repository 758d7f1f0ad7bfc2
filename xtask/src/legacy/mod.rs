//! What `cleanup-legacy` removes: found, judged, and taken away.
//!
//! The version table says what is legacy ([`catalog::Legacy`]). [`tree`] finds it in a checkout and [`remove`] takes it
//! away, both by open folders and never through a link; [`kept`] says what git could not bring back, [`names`] who still
//! names it, [`images`] what an engine has of it. Nothing here prints.

pub(crate) mod images;
pub(crate) mod kept;
mod line;
pub(crate) mod names;
pub(crate) mod remove;
pub(crate) mod tree;

use std::path::Path;

/// A path on one line, as people can read it: what is not plain is escaped as in a string.
pub(crate) fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| !c.is_control() && c != char::REPLACEMENT_CHARACTER;
    if text.chars().all(plain) { text.into_owned() } else { format!("{path:?}") }
}

/// The begin of a text that somebody else wrote, on one line and without what a terminal would obey.
pub(crate) fn plain(text: &str) -> String {
    text.trim().chars().take(160).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
