//! `[legacy]` in the table: files and images of the tree that was there before, which `cargo xtask cleanup-legacy` removes.
//!
//! Nothing that this section does not name is ever removed, so it is read with suspicion: no path may leave the repository,
//! no pattern may match everything, and nothing may be called legacy that an image of the table is made of or called.

use std::fmt;

use glob::{MatchOptions, Pattern};

use crate::{
    image::{Content, Image},
    reader::{At, Section, Sink},
};

/// What stood in a repository before.
#[derive(Debug, Clone, Default)]
pub struct Legacy {
    /// Files that may name what is gone, because they tell of it: a changelog.
    pub told_in: Vec<String>,
    /// Folders and files.
    pub paths: Vec<LegacyPath>,
    /// Images in an engine.
    pub images: Vec<LegacyImages>,
}

/// A folder, or files, that something else has replaced.
#[derive(Debug, Clone)]
pub struct LegacyPath {
    /// What it is about.
    pub what: LegacyFiles,
    /// A file is meant only if one of these texts occurs in it; any file, if there are none.
    pub holds: Vec<String>,
    /// A file in which one of these texts occurs is not meant.
    pub lacks: Vec<String>,
    /// Why it is legacy.
    pub reason: String,
    /// What replaces it.
    pub instead: String,
}

/// Where legacy files lie, relative to the repository.
#[derive(Debug, Clone)]
pub enum LegacyFiles {
    /// One folder with all that is in it.
    Folder(PathPattern),
    /// Files, and never a folder, whose path matches one of these.
    Files(Vec<PathPattern>),
}

/// Names of images that something else has replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyImages {
    /// `repository:tag`, as an engine prints it. Never a pattern.
    pub names: Vec<String>,
    /// Why they are legacy.
    pub reason: String,
    /// What replaces them.
    pub instead: String,
}

/// A path relative to the repository, with a pattern for each of its parts: `docker/docker-intermediate/*/build*.sh`. No
/// wildcard matches a `/`, or the dot that a name begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    parts: Vec<Pattern>,
}

impl PathPattern {
    /// Reads a pattern. `wildcards` says whether it may be more than a path.
    fn parse(text: &str, wildcards: bool) -> Result<Self, String> {
        if text.is_empty() || text.starts_with('/') || text.contains(['\\', '\0', '\n']) {
            return Err(format!("`{}` is no path inside of the repository", text.escape_debug()));
        }
        let mut parts = Vec::new();
        for part in text.split('/') {
            if ["", ".", "..", ".git"].contains(&part) {
                return Err(format!("`{text}` has the part `{part}`"));
            }
            if part.contains("**") || (!wildcards && Pattern::escape(part) != part) {
                return Err(format!("`{text}` has the wildcard `{part}`"));
            }
            parts.push(Pattern::new(part).map_err(|error| format!("`{text}` is no pattern: {}", error.msg))?);
        }
        let last = text.rsplit('/').next().unwrap_or(text);
        if !last.contains(|c: char| c.is_alphanumeric()) {
            return Err(format!("`{text}` matches whatever lies there"));
        }
        Ok(Self { parts })
    }

    /// How many parts a path has that matches.
    pub fn depth(&self) -> usize {
        self.parts.len()
    }

    /// Whether `name` can be the part with this number, counted from 0, of a path that matches.
    pub fn part_matches(&self, number: usize, name: &str) -> bool {
        let options =
            MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };
        self.parts.get(number).is_some_and(|part| part.matches_with(name, options))
    }

    /// The part with this number, if it is a name and no pattern.
    pub fn literal(&self, number: usize) -> Option<&str> {
        self.parts.get(number).map(Pattern::as_str).filter(|part| Pattern::escape(part) == **part)
    }

    /// Whether a path, given by its parts, matches or lies below one that does.
    pub fn covers(&self, path: &[impl AsRef<str>]) -> bool {
        let above = path.get(..self.depth()).unwrap_or_default();
        !above.is_empty() && above.iter().enumerate().all(|(number, part)| self.part_matches(number, part.as_ref()))
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<&str> = self.parts.iter().map(Pattern::as_str).collect();
        f.write_str(&parts.join("/"))
    }
}

impl LegacyPath {
    /// The patterns of its paths.
    pub fn patterns(&self) -> &[PathPattern] {
        match &self.what {
            LegacyFiles::Folder(pattern) => std::slice::from_ref(pattern),
            LegacyFiles::Files(patterns) => patterns,
        }
    }

    /// Why a file is not meant, by the text in it; nothing if it is meant.
    pub fn not_meant(&self, text: &str) -> Option<String> {
        if !self.holds.is_empty() && !self.holds.iter().any(|word| text.contains(word)) {
            let words: Vec<String> = self.holds.iter().map(|word| format!("`{word}`")).collect();
            return Some(format!("in it stands none of {}", words.join(", ")));
        }
        self.lacks.iter().find(|word| text.contains(*word)).map(|word| format!("in it stands `{word}`"))
    }
}

impl Legacy {
    pub(crate) fn read(root: &Section<'_>) -> Self {
        let Some(section) = root.section("legacy") else { return Self::default() };
        let told_in = section.strings("told-in");
        for at in &told_in {
            pattern(&section, at, false);
        }
        let legacy = Self {
            told_in: values(told_in),
            paths: section.list("path").into_iter().filter_map(path).collect(),
            images: section.list("image").into_iter().map(images).collect(),
        };
        section.finish();
        legacy
    }

    /// Notes what is called legacy here and belongs to an image of the table.
    pub(crate) fn check(&self, table: &str, images: &[Image], sink: &Sink) {
        let note = |message: String, help: &str| {
            sink.borrow_mut().add(table, 0..0, message).help(help);
        };
        for image in images {
            let staged = image.stages.iter().filter_map(|stage| match &stage.content {
                Content::File(path) | Content::Folder(path) => Some(path),
                _ => None,
            });
            for file in [&image.file, &image.dockerfile].into_iter().chain(staged) {
                let parts: Vec<&str> = file.split('/').collect();
                let patterns = self.paths.iter().flat_map(LegacyPath::patterns);
                for pattern in patterns.filter(|pattern| pattern.covers(&parts)) {
                    let message =
                        format!("[legacy] calls `{pattern}` legacy, and {} is made of {file}", image.reference);
                    note(message, "make the pattern narrower: what it matches is removed");
                }
            }
            for name in image.references().map(ToString::to_string) {
                if self.images.iter().any(|images| images.names.contains(&name)) {
                    note(
                        format!("[legacy] calls the image {name} legacy, and {} says that it is built", image.file),
                        "take the name out of [[legacy.image]]",
                    );
                }
            }
        }
    }
}

fn path(section: Section<'_>) -> Option<LegacyPath> {
    let files = section.strings("files");
    let what = match section.string("folder") {
        Some(at) if files.is_empty() => pattern(&section, &at, false).map(LegacyFiles::Folder),
        None if !files.is_empty() => {
            Some(LegacyFiles::Files(files.iter().filter_map(|at| pattern(&section, at, true)).collect()))
        }
        _ => {
            section.note(
                section.span(),
                "an entry of [[legacy.path]] names one `folder`, or `files`",
                "add `folder = \"docker/old\"` or `files = [\"docker/old/build*.sh\"]`, and one of them alone",
            );
            None
        }
    };
    let (holds, lacks) = (values(section.strings("holds")), values(section.strings("lacks")));
    if matches!(what, Some(LegacyFiles::Folder(_))) && !(holds.is_empty() && lacks.is_empty()) {
        section.note(
            section.span(),
            "`holds` and `lacks` are about `files`",
            "take them out: a folder goes with all that is in it",
        );
    }
    let path = LegacyPath {
        what: what?,
        holds,
        lacks,
        reason: section.required("reason", "\"why it is legacy\"").value,
        instead: section.required("instead", "\"what replaces it\"").value,
    };
    section.finish();
    Some(path)
}

fn images(section: Section<'_>) -> LegacyImages {
    let names = section.strings("names");
    if names.is_empty() {
        section.note(section.span(), "`names` in [[legacy.image]] names nothing", "add `names = [\"old-image:1.0\"]`");
    }
    for at in names.iter().filter(|at| !is_image(&at.value)) {
        let message = format!("`{}` is no image with its tag", at.value.escape_debug());
        section.note(at.span.clone(), message, "write the whole name, as `old-image:1.0`: patterns are not taken");
    }
    let images = LegacyImages {
        names: values(names),
        reason: section.required("reason", "\"why they are legacy\"").value,
        instead: section.required("instead", "\"what replaces them\"").value,
    };
    section.finish();
    images
}

/// Whether a text is `repository:tag`, in the characters that engines take. It never begins with a dash, so that no client
/// takes it for a flag.
fn is_image(text: &str) -> bool {
    let of = |part: &str, more: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    text.rsplit_once(':').is_some_and(|(name, tag)| of(name, "._-/:") && of(tag, "._-"))
}

fn pattern(section: &Section<'_>, at: &At<String>, wildcards: bool) -> Option<PathPattern> {
    let note = |message| {
        section.note(at.span.clone(), message, "write a path relative to the repository, as `docker/old/build.sh`");
    };
    PathPattern::parse(&at.value, wildcards).map_err(note).ok()
}

fn values(list: Vec<At<String>>) -> Vec<String> {
    list.into_iter().map(|at| at.value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_part_by_part() {
        let pattern = PathPattern::parse("docker/*/build*.sh", true).unwrap();
        for (path, expected) in [
            ("docker/a/build.sh", true),
            ("docker/a b/build-3.5.7.sh", true),
            ("docker/a/build.sh/below", true),
            ("docker/a/b/build.sh", false),
            ("docker/.a/build.sh", false),
            ("docker/build.sh", false),
            ("ci/a/build.sh", false),
        ] {
            assert_eq!(pattern.covers(&path.split('/').collect::<Vec<_>>()), expected, "{path}");
        }
        assert_eq!((pattern.literal(0), pattern.literal(1), pattern.depth()), (Some("docker"), None, 3));
    }
}
