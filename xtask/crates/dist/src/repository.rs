//! A local Maven repository: which artifact a file is.

use std::{collections::BTreeMap, fs};

use blob::Digest;
use camino::{Utf8Path, Utf8PathBuf};
use catalog::Maven;

use crate::{Error, jar};

/// The jars of a local Maven repository (`~/.m2/repository`), by their file names. Only names were read so far.
#[derive(Debug, Clone, Default)]
pub struct Repository {
    folder: Utf8PathBuf,
    jars: BTreeMap<String, Vec<Utf8PathBuf>>,
}

impl Repository {
    /// Lists the jars below `folder`, which is laid out as
    /// <https://maven.apache.org/repository/layout.html> says.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn open(folder: &Utf8Path) -> Result<Self, Error> {
        let mut jars: BTreeMap<String, Vec<Utf8PathBuf>> = BTreeMap::new();
        let mut folders = vec![Utf8PathBuf::new()];
        while let Some(below) = folders.pop() {
            let here = folder.join(&below);
            for entry in here.read_dir_utf8().map_err(Error::reading(&here))? {
                let entry = entry.map_err(Error::reading(&here))?;
                let kind = entry.file_type().map_err(Error::reading(&here))?;
                if kind.is_dir() {
                    folders.push(below.join(entry.file_name()));
                } else if kind.is_file() && entry.file_name().ends_with(".jar") {
                    jars.entry(entry.file_name().to_owned()).or_default().push(below.join(entry.file_name()));
                }
            }
        }
        jars.values_mut().for_each(|paths| paths.sort());
        Ok(Self { folder: folder.to_owned(), jars })
    }

    /// The artifact whose file has this name, size and digest; the first in the order of paths. `digest` is only asked
    /// where name and size agree.
    ///
    /// # Errors
    /// A jar of the repository cannot be read.
    pub fn find(
        &self,
        name: &str,
        size: u64,
        digest: impl FnOnce() -> Result<Digest, Error>,
    ) -> Result<Option<Maven>, Error> {
        let mut candidates = Vec::new();
        for path in self.jars.get(name).into_iter().flatten() {
            let whole = self.folder.join(path);
            let metadata = fs::metadata(&whole).map_err(Error::reading(&whole))?;
            match coordinate(path) {
                Some(maven) if metadata.len() == size => candidates.push((whole, maven)),
                _ => {}
            }
        }
        if candidates.is_empty() {
            return Ok(None);
        }
        let digest = digest()?;
        for (path, maven) in candidates {
            if jar::digest(&path)?.0 == digest {
                return Ok(Some(maven));
            }
        }
        Ok(None)
    }
}

/// `org/apache/spark/spark-core_2.12/3.5.7/spark-core_2.12-3.5.7.jar` as coordinates.
fn coordinate(path: &Utf8Path) -> Option<Maven> {
    let parts: Vec<&str> = path.components().map(|part| part.as_str()).collect();
    let [group @ .., artifact, version, file] = &parts[..] else { return None };
    let rest = file.strip_suffix(".jar")?.strip_prefix(artifact)?.strip_prefix('-')?.strip_prefix(version)?;
    let classifier = match rest {
        "" => None,
        rest => Some(rest.strip_prefix('-')?.to_owned()),
    };
    (!group.is_empty()).then(|| Maven {
        group: group.join("."),
        artifact: (*artifact).to_owned(),
        version: (*version).to_owned(),
        classifier,
        extension: "jar".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_coordinates() {
        let of = |path: &str| coordinate(Utf8Path::new(path)).map(|maven| maven.to_string());
        let gcs = "com/google/cloud/bigdataoss/gcs-connector/hadoop3-2.2.14/gcs-connector-hadoop3-2.2.14-shaded.jar";
        assert_eq!(of(gcs).as_deref(), Some("com.google.cloud.bigdataoss:gcs-connector:hadoop3-2.2.14:shaded"));
        assert_eq!(of("a/b/1/b-1.jar").as_deref(), Some("a:b:1"));
        for other in ["b/1/b-1.jar", "a/b/1/c-1.jar", "a/b/1/b-1x.jar", "b-1.jar"] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
