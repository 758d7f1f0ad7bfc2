//! Requirements: `name[extra]>=1,<2; python_version < "3.12"`, alone and as lines of a requirements file.
//!
//! Source: PyPA's [dependency specifiers](https://packaging.python.org/en/latest/specifications/dependency-specifiers/)
//! (PEP 508). Requirements by address (`name @ https://…`) are refused: what enters an image has a version and a digest
//! on an index.

mod marker;

use std::{collections::BTreeSet, fmt, str::FromStr};

use pep440_rs::VersionSpecifiers;

use crate::name::PackageName;

pub use marker::{Environment, Marker};

/// What is asked of a project: which versions, which extras, and where it is asked at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The project.
    pub name: PackageName,
    /// The extras that are asked for with it.
    pub extras: BTreeSet<PackageName>,
    /// The versions that will do; empty stands for any.
    pub versions: VersionSpecifiers,
    /// The condition under which the requirement holds.
    pub marker: Option<Marker>,
}

/// A text that is no requirement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no requirement: {why}")]
pub struct ParseRequirementError {
    text: String,
    why: String,
}

/// A line of a requirements file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct LineError {
    /// The line, counted from 1; of a continued line the first.
    pub line: usize,
    /// What is wrong with it, and what to write instead.
    pub why: String,
}

impl Requirement {
    /// Whether the requirement holds in `environment`, asked by a project's `extra` or by the project itself.
    pub fn holds(&self, environment: &Environment, extra: Option<&PackageName>) -> bool {
        self.marker.as_ref().is_none_or(|marker| marker.holds(environment, extra))
    }
}

impl FromStr for Requirement {
    type Err = ParseRequirementError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |why: String| ParseRequirementError { text: text.trim().to_owned(), why };
        let (head, marker) = match text.split_once(';') {
            Some((head, marker)) => (head, Some(Marker::parse(marker).map_err(error)?)),
            None => (text, None),
        };
        let head = head.trim();
        let in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let (name, rest) = head.split_at(head.find(|c| !in_name(c)).unwrap_or(head.len()));
        let name = name.parse().map_err(|_| error("expected a project's name first".to_owned()))?;
        let rest = rest.trim_start();
        let (extras, rest) = match rest.strip_prefix('[') {
            None => (BTreeSet::new(), rest),
            Some(rest) => {
                let (list, rest) =
                    rest.split_once(']').ok_or_else(|| error("expected `]` after the extras".to_owned()))?;
                let extras = list.split(',').map(str::trim).filter(|extra| !extra.is_empty()).map(str::parse);
                (
                    extras
                        .collect::<Result<_, _>>()
                        .map_err(|why: crate::name::ParseNameError| error(why.to_string()))?,
                    rest,
                )
            }
        };
        let rest = rest.trim();
        if rest.starts_with('@') {
            return Err(error(
                "a requirement by address has no locked version: ask for `name==version` instead".to_owned(),
            ));
        }
        // Metadata of before PEP 508 has parentheses around the versions.
        let versions = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(rest);
        let versions = versions.trim().trim_end_matches(',');
        let versions = VersionSpecifiers::from_str(versions)
            .map_err(|why| error(format!("`{versions}` is no list of versions ({})", one_line(&why))))?;
        Ok(Self { name, extras, versions, marker })
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        if !self.extras.is_empty() {
            let extras: Vec<&str> = self.extras.iter().map(PackageName::as_str).collect();
            write!(f, "[{}]", extras.join(","))?;
        }
        let versions: Vec<String> = self.versions.iter().map(|one| one.to_string()).collect();
        f.write_str(&versions.join(","))?;
        match &self.marker {
            Some(marker) => write!(f, "; {marker}"),
            None => Ok(()),
        }
    }
}

/// Reads a requirements file: one requirement to a line, `#` comments, `\` at the end of a line that goes on.
///
/// # Errors
/// Every line that cannot be used, at once. Options of pip (`-r`, `--index-url`, `--hash`) are among them.
pub fn parse_requirements(text: &str) -> Result<Vec<Requirement>, Vec<LineError>> {
    let mut requirements = Vec::new();
    let mut errors = Vec::new();
    for (line, text) in logical_lines(text) {
        if text.starts_with('-') {
            let why = format!(
                "`{text}` is an option of pip: indexes and digests do not stand here, list the requirements only"
            );
            errors.push(LineError { line, why });
            continue;
        }
        match text.parse() {
            Ok(requirement) => requirements.push(requirement),
            Err(why) => errors.push(LineError { line, why: ParseRequirementError::to_string(&why) }),
        }
    }
    if errors.is_empty() { Ok(requirements) } else { Err(errors) }
}

/// Lines with their numbers: continued ones joined, comments and empty ones left out.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, raw) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let (number, mut line) = open.take().unwrap_or((index + 1, String::new()));
        let raw = without_comment(raw);
        match raw.strip_suffix('\\') {
            Some(start) => {
                line.push_str(start);
                open = Some((number, line));
            }
            None => {
                line.push_str(raw);
                lines.push((number, line));
            }
        }
    }
    lines.extend(open);
    lines.iter().map(|(number, line)| (*number, line.trim().to_owned())).filter(|(_, line)| !line.is_empty()).collect()
}

/// A comment begins at a `#` that stands first or after white space.
fn without_comment(line: &str) -> &str {
    let comment = line
        .char_indices()
        .find(|&(at, c)| c == '#' && line[..at].chars().next_back().is_none_or(char::is_whitespace))
        .map_or(line.len(), |(at, _)| at);
    line[..comment].trim_end()
}

/// An error of `pep440_rs` draws carets on lines of their own; the first line says it all.
fn one_line(error: &impl fmt::Display) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_read_and_written_in_one_form() {
        for (text, expected) in [
            ("numpy", "numpy"),
            (" NumPy == 1.26.4 ", "numpy==1.26.4"),
            ("foo_bar[B, a] >=1 , <2", "foo-bar[a,b]>=1,<2"),
            ("foo[]", "foo"),
            ("foo (>=1.0,!=1.1)", "foo>=1.0,!=1.1"),
            ("foo(==1.*)", "foo==1.*"),
            ("foo>=1,", "foo>=1"),
            (
                "foo~=1.4;python_version<'3.12' and (os_name=='nt' or extra == \"X_y\")",
                "foo~=1.4; python_version < \"3.12\" and (os_name == \"nt\" or extra == \"X_y\")",
            ),
        ] {
            let requirement: Requirement = text.parse().unwrap();
            assert_eq!(requirement.to_string(), expected);
            assert_eq!(requirement.to_string().parse::<Requirement>().unwrap(), requirement);
        }
    }

    #[test]
    fn what_is_no_requirement_says_why() {
        for (text, why) in [
            ("", "name first"),
            (">=1", "name first"),
            ("foo[a", "expected `]`"),
            ("foo[a b]", "no project name"),
            ("foo >== 1", "no list of versions"),
            ("foo bar", "no list of versions"),
            ("foo @ https://files.example/foo.whl", "by address"),
            ("foo; nonsense", "expected"),
            ("foo; python_version <", "expected"),
            ("foo; os_name == 'nt", "closing quote"),
            ("foo; os_name == 'nt' os_name", "`and`, `or` or the end"),
            (&format!("foo; {}", "(".repeat(100_000)), "parentheses"),
        ] {
            let error = text.parse::<Requirement>().unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_file_is_read_line_by_line() {
        let text = "\u{feff}# the base set\r\nnumpy==1.26.4  # last of 1.x\r\n\r\npandas \\\r\n  >=2\r\nfoo#bar\r\n-r other.txt\r\n";
        let errors = parse_requirements(text).unwrap_err();
        assert_eq!(errors.iter().map(|error| error.line).collect::<Vec<_>>(), [6, 7]);
        assert!(errors[1].why.contains("option of pip"));
        let requirements = parse_requirements(&text[..text.find("foo#").unwrap()]).unwrap();
        assert_eq!(requirements.iter().map(ToString::to_string).collect::<Vec<_>>(), ["numpy==1.26.4", "pandas>=2"]);
    }
}
