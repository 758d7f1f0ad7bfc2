//! The name of a byte sequence from outside: which registry's kind, which artifact, which version. Never an address.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Coordinates of a Maven artifact, as in <https://maven.apache.org/pom.html#Maven_Coordinates>.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Maven {
    /// Group, with dots.
    pub group: String,
    /// Artifact.
    pub artifact: String,
    /// Version.
    pub version: String,
    /// Classifier, if there is one.
    pub classifier: Option<String>,
    /// Extension of the file: `jar` unless said otherwise.
    pub extension: String,
}

/// What an artifact is called in the lock.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Coordinate {
    /// `maven:group:artifact:version[:classifier[:extension]]`
    Maven(Maven),
    /// `pypi:name==version/file`, the name normalised as PEP 503 says.
    Pypi {
        /// Normalised name of the project.
        name: String,
        /// Version.
        version: String,
        /// Name of the wheel or source archive.
        file: String,
    },
    /// `deb:name=version/architecture`
    Deb {
        /// Name of the package.
        name: String,
        /// Version with epoch and revision.
        version: String,
        /// `amd64`, `all`, ...
        architecture: String,
    },
    /// `file:path`: a file of the user's own, relative to the folder of the table.
    File(String),
    /// `archive:name`: an archive whose addresses stand in the table.
    Archive(String),
}

/// A text that is no coordinate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {kind}: expected {expected}")]
pub struct ParseCoordinateError {
    text: String,
    kind: &'static str,
    expected: &'static str,
}

impl Maven {
    /// The name of the file: `artifact-version[-classifier].extension`.
    pub fn file_name(&self) -> String {
        let classifier = self.classifier.iter().map(|classifier| format!("-{classifier}")).collect::<String>();
        format!("{}-{}{classifier}.{}", self.artifact, self.version, self.extension)
    }
}

impl FromStr for Maven {
    type Err = ParseCoordinateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split(':').collect();
        let plain = |part: &&str| !part.is_empty() && !part.contains(['/', '\\', ' ']) && *part != "..";
        if !(3..=5).contains(&parts.len()) || !parts.iter().enumerate().all(|(i, part)| i == 3 || plain(part)) {
            let expected = "group:artifact:version[:classifier[:extension]]";
            return Err(ParseCoordinateError { text: text.into(), kind: "Maven coordinate", expected });
        }
        Ok(Self {
            group: parts[0].into(),
            artifact: parts[1].into(),
            version: parts[2].into(),
            classifier: parts.get(3).filter(|part| !part.is_empty()).map(|&part| part.into()),
            extension: parts.get(4).map_or("jar", |part| part).into(),
        })
    }
}

impl fmt::Display for Maven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.group, self.artifact, self.version)?;
        match (&self.classifier, self.extension.as_str()) {
            (None, "jar") => Ok(()),
            (Some(classifier), "jar") => write!(f, ":{classifier}"),
            (classifier, extension) => write!(f, ":{}:{extension}", classifier.as_deref().unwrap_or("")),
        }
    }
}

impl Coordinate {
    /// The word before the first colon.
    pub fn kind(&self) -> &'static str {
        match self {
            Coordinate::Maven(_) => "maven",
            Coordinate::Pypi { .. } => "pypi",
            Coordinate::Deb { .. } => "deb",
            Coordinate::File(_) => "file",
            Coordinate::Archive(_) => "archive",
        }
    }

    /// The name without the version: what `lock --update NAME` takes.
    pub fn name(&self) -> String {
        match self {
            Coordinate::Maven(maven) => format!("{}:{}", maven.group, maven.artifact),
            Coordinate::Pypi { name, .. } | Coordinate::Deb { name, .. } => name.clone(),
            Coordinate::File(path) | Coordinate::Archive(path) => path.clone(),
        }
    }
}

impl fmt::Display for Coordinate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Coordinate::Maven(maven) => write!(f, "maven:{maven}"),
            Coordinate::Pypi { name, version, file } => write!(f, "pypi:{name}=={version}/{file}"),
            Coordinate::Deb { name, version, architecture } => write!(f, "deb:{name}={version}/{architecture}"),
            Coordinate::File(path) => write!(f, "file:{path}"),
            Coordinate::Archive(name) => write!(f, "archive:{name}"),
        }
    }
}

impl FromStr for Coordinate {
    type Err = ParseCoordinateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |expected| ParseCoordinateError { text: text.into(), kind: "coordinate", expected };
        let (kind, rest) = text.split_once(':').ok_or_else(|| error("kind:name"))?;
        match kind {
            "maven" => rest.parse().map(Coordinate::Maven),
            "pypi" => {
                let expected = "pypi:name==version/file";
                let (name, rest) = rest.split_once("==").ok_or_else(|| error(expected))?;
                let (version, file) = rest.split_once('/').ok_or_else(|| error(expected))?;
                Ok(Coordinate::Pypi { name: name.into(), version: version.into(), file: file.into() })
            }
            "deb" => {
                let expected = "deb:name=version/architecture";
                let (name, rest) = rest.split_once('=').ok_or_else(|| error(expected))?;
                let (version, architecture) = rest.rsplit_once('/').ok_or_else(|| error(expected))?;
                Ok(Coordinate::Deb { name: name.into(), version: version.into(), architecture: architecture.into() })
            }
            "file" => Ok(Coordinate::File(rest.into())),
            "archive" => Ok(Coordinate::Archive(rest.into())),
            _ => Err(error("maven:, pypi:, deb:, file: or archive:")),
        }
    }
}

impl Serialize for Coordinate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Coordinate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_what_it_writes() {
        for text in [
            "maven:org.postgresql:postgresql:42.7.13",
            "maven:org.apache.maven:apache-maven:3.9.6:bin:tar.gz",
            "maven:g:a:1::pom",
            "pypi:numpy==1.26.4/numpy-1.26.4-cp311-cp311-manylinux_2_17_x86_64.whl",
            "deb:libc6=2.36-9+deb12u10/amd64",
            "deb:tzdata=1:2024b-0+deb12u1/all",
            "file:drivers/own.jar",
            "archive:spark-3.5.7.tgz",
        ] {
            assert_eq!(text.parse::<Coordinate>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_coordinate_is_refused() {
        for text in ["", "numpy", "maven:a:b", "maven:a:../b:1", "pypi:numpy", "deb:libc6", "npm:x@1"] {
            assert!(text.parse::<Coordinate>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_file_name_is_as_maven_writes_it() {
        let maven: Maven = "org.apache.maven:apache-maven:3.9.6:bin:tar.gz".parse().unwrap();
        assert_eq!(maven.file_name(), "apache-maven-3.9.6-bin.tar.gz");
    }
}
