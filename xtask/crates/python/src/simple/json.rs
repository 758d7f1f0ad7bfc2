//! The JSON form of a project page (PEP 691, with the sizes of PEP 700 and the metadata of PEP 714).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{CoreMetadata, IndexFile, PageError, check_version, split_fragment, url};

#[derive(Deserialize)]
struct Page {
    meta: Option<Meta>,
    files: Vec<File>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Meta {
    api_version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct File {
    filename: String,
    url: String,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
    size: Option<u64>,
    requires_python: Option<String>,
    yanked: Option<Flag<String>>,
    core_metadata: Option<Flag<BTreeMap<String, String>>>,
    // The names of before PEP 714: as PEP 691 has it, and as servers wrote it. Some write several at once.
    dist_info_metadata: Option<Flag<BTreeMap<String, String>>>,
    data_dist_info_metadata: Option<Flag<BTreeMap<String, String>>>,
}

/// The API's `false`, `true`, or a value that means `true` and says more.
#[derive(Deserialize)]
#[serde(untagged)]
enum Flag<T> {
    Bare(bool),
    Value(T),
}

pub(super) fn parse(bytes: &[u8], page: &str) -> Result<Vec<IndexFile>, PageError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let parsed: Page =
        serde_json::from_slice(bytes).map_err(|source| PageError::Json { url: page.to_owned(), source })?;
    if let Some(meta) = &parsed.meta {
        check_version(&meta.api_version, page)?;
    }
    Ok(parsed.files.into_iter().map(|file| file.resolved(page)).collect())
}

impl File {
    fn resolved(self, page: &str) -> IndexFile {
        let (href, fragment) = split_fragment(&self.url);
        let sha256 = self.hashes.get("sha256").and_then(|hex| hex.parse().ok()).or(fragment);
        let metadata = self.core_metadata.or(self.dist_info_metadata).or(self.data_dist_info_metadata);
        IndexFile {
            url: url::join(page, href),
            filename: self.filename,
            sha256,
            size: self.size,
            requires_python: self.requires_python,
            yanked: match self.yanked {
                None | Some(Flag::Bare(false)) => None,
                Some(Flag::Bare(true)) => Some(String::new()),
                Some(Flag::Value(reason)) => Some(reason),
            },
            metadata: match metadata {
                None | Some(Flag::Bare(false)) => CoreMetadata::Absent,
                Some(Flag::Bare(true)) => CoreMetadata::Beside(None),
                Some(Flag::Value(hashes)) => {
                    CoreMetadata::Beside(hashes.get("sha256").and_then(|hex| hex.parse().ok()))
                }
            },
        }
    }
}
