//! What each jar of a distribution is.

use std::collections::BTreeMap;

use blob::Digest;
use camino::{Utf8Path, Utf8PathBuf};
use catalog::Maven;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    Error, Repository,
    jar::{self, Archive},
    parallel, tree,
};

/// The jars of a distribution, by their paths in it. Its JSON is sorted and the same for the same jars.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Manifest {
    /// Path relative to the distribution's folder, to what lies there.
    pub jars: BTreeMap<Utf8PathBuf, Jar>,
}

/// A jar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jar {
    /// In bytes.
    pub size: u64,
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// Its Maven coordinates, `group:artifact:version[:classifier]`, where they are known.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "write", deserialize_with = "read")]
    pub coordinate: Option<Maven>,
}

fn write<S: Serializer>(maven: &Option<Maven>, serializer: S) -> Result<S::Ok, S::Error> {
    match maven {
        Some(maven) => serializer.collect_str(maven),
        None => serializer.serialize_none(),
    }
}

fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Maven>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
}

impl Manifest {
    /// Hashes every jar below `folder` and finds its coordinates: in the local Maven repository by file name and
    /// digest, else by the `pom.properties` in the jar that fits the file name.
    ///
    /// # Errors
    /// A file cannot be read, or a jar is damaged.
    pub fn of(folder: &Utf8Path, repository: Option<&Repository>) -> Result<Self, Error> {
        let entries = tree::read(folder)?;
        let jars = parallel::map(&tree::jars(&entries), |&(path, _)| {
            let whole = folder.join(path);
            let (digest, size) = jar::digest(&whole)?;
            let name = path.file_name().unwrap_or_default();
            let mut coordinate = None;
            if let Some(repository) = repository {
                coordinate = repository.find(name, size, || Ok(digest))?;
            }
            if coordinate.is_none() {
                coordinate = from_properties(&mut Archive::open(&whole)?, name)?;
            }
            Ok((path.to_owned(), Jar { size, digest, coordinate }))
        })?;
        Ok(Self { jars: jars.into_iter().collect() })
    }
}

/// The coordinates that `META-INF/maven/*/*/pom.properties` give.
fn from_properties(archive: &mut Archive, file_name: &str) -> Result<Option<Maven>, Error> {
    let is_properties = |name: &[u8]| {
        let name = String::from_utf8_lossy(name);
        name.starts_with("META-INF/maven/") && name.ends_with("/pom.properties") && name.split('/').count() == 5
    };
    let at: Vec<usize> =
        archive.names().enumerate().filter(|(_, name)| is_properties(name)).map(|(index, _)| index).collect();
    let mut fitting = Vec::new();
    for index in at {
        let maven = archive.text(index)?.and_then(|text| coordinate(&text));
        fitting.extend(maven.and_then(|maven| with_classifier(maven, file_name)));
    }
    // A single one is no proof: scala-compiler has none of its own, and that of the JLine it contains.
    Ok(if fitting.len() == 1 { fitting.pop() } else { None })
}

fn coordinate(properties: &str) -> Option<Maven> {
    let value = |key: &str| {
        let mut lines = properties.lines().filter_map(|line| line.trim().split_once('='));
        lines.find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim())
    };
    format!("{}:{}:{}", value("groupId")?, value("artifactId")?, value("version")?).parse().ok()
}

/// `maven` with the classifier that the file name has more than artifact and version; nothing where it does not fit.
fn with_classifier(maven: Maven, file_name: &str) -> Option<Maven> {
    let start = format!("{}-{}", maven.artifact, maven.version);
    match file_name.strip_suffix(".jar")?.strip_prefix(&start)? {
        "" => Some(maven),
        rest => Some(Maven { classifier: Some(rest.strip_prefix('-')?.to_owned()), ..maven }),
    }
}
