//! What a wheel's `METADATA` says about what it needs.
//!
//! Source: PyPA's [core metadata](https://packaging.python.org/en/latest/specifications/core-metadata/): header lines, an
//! empty line, and a description that is not looked at.

use std::collections::BTreeSet;

use pep440_rs::Version;

use crate::{
    name::{PackageName, ParseNameError},
    requirement::{ParseRequirementError, Requirement},
};

/// The part of a wheel's metadata that resolving needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// The project.
    pub name: PackageName,
    /// Its version.
    pub version: Version,
    /// What it needs, its extras' needs among them.
    pub requires: Vec<Requirement>,
    /// The extras it offers.
    pub extras: BTreeSet<PackageName>,
}

/// Metadata that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// A field that every wheel has is not there.
    #[error("expected the field `{0}`, found none")]
    Missing(&'static str),
    /// A name in it is none.
    #[error(transparent)]
    Name(#[from] ParseNameError),
    /// The version in it is none.
    #[error("`{0}` is no version")]
    Version(String),
    /// A requirement in it is none.
    #[error(transparent)]
    Requirement(#[from] ParseRequirementError),
}

impl Metadata {
    /// Reads the bytes of a `METADATA` file.
    ///
    /// # Errors
    /// A name, a version or a requirement is missing or cannot be read.
    pub fn parse(bytes: &[u8]) -> Result<Self, MetadataError> {
        let text = String::from_utf8_lossy(bytes);
        let mut name = None;
        let mut version = None;
        let mut requires = Vec::new();
        let mut extras = BTreeSet::new();
        for (field, value) in headers(&text) {
            match field.as_str() {
                "name" => name = Some(value.parse()?),
                "version" => version = Some(value.parse().map_err(|_| MetadataError::Version(value.clone()))?),
                "requires-dist" => requires.push(value.parse()?),
                // An extra whose name nobody could ask for is nobody's.
                "provides-extra" => extras.extend(value.parse::<PackageName>()),
                _ => {}
            }
        }
        Ok(Self {
            name: name.ok_or(MetadataError::Missing("Name"))?,
            version: version.ok_or(MetadataError::Missing("Version"))?,
            requires,
            extras,
        })
    }
}

/// Header fields in lower case with their values; a line that begins with white space goes on with the one before.
fn headers(text: &str) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in text.lines().take_while(|line| !line.is_empty()) {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = headers.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((field, value)) = line.split_once(':') {
            headers.push((field.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_and_extras_are_read() {
        let text = "Metadata-Version: 2.1\r\nName: Foo_Bar\r\nVersion: 1.0\r\nRequires-Dist: numpy (>=1.20)\r\n\
            Requires-Dist: pytest ;\r\n extra == 'test'\r\nProvides-Extra: test\r\nSummary: a: b\r\n\r\nRequires-Dist: not-this\r\n";
        let metadata = Metadata::parse(text.as_bytes()).unwrap();
        assert_eq!(metadata.name.as_str(), "foo-bar");
        assert_eq!(metadata.version.to_string(), "1.0");
        let requires: Vec<String> = metadata.requires.iter().map(ToString::to_string).collect();
        assert_eq!(requires, ["numpy>=1.20", "pytest; extra == \"test\""]);
        assert_eq!(metadata.extras.len(), 1);
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for (text, why) in [
            ("Name: foo\n\nVersion: 1\n", "`Version`"),
            ("Version: 1\n", "`Name`"),
            ("Name: foo\nVersion: one\n", "`one` is no version"),
            ("Name: foo\nVersion: 1\nRequires-Dist: numpy >== 2\n", "numpy >== 2"),
        ] {
            let error = Metadata::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
