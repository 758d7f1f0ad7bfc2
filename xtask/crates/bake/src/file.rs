//! The bake file. Its format: <https://docs.docker.com/build/bake/reference/>.
//!
//! buildx reads every text of a JSON bake file as a template, in which `${` and `%{` begin an expression: they are doubled
//! here, so that a text means itself.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer, ser::SerializeMap as _};

/// A bake file: targets by name, and a group `default` of all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct File {
    /// The targets.
    pub targets: BTreeMap<String, Target>,
}

/// One image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Target {
    /// The folder that COPY sees, relative to the bake file.
    #[serde(serialize_with = "text")]
    pub context: String,
    /// The Dockerfile, relative to the context.
    #[serde(serialize_with = "text")]
    pub dockerfile: String,
    /// The stage of the Dockerfile; the last one if there is none.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional")]
    pub target: Option<String>,
    /// Build arguments.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", serialize_with = "map")]
    pub args: BTreeMap<String, String>,
    /// Names in the Dockerfile, and what they stand for: `target:NAME` for another target.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", serialize_with = "map")]
    pub contexts: BTreeMap<String, String>,
    /// Labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", serialize_with = "map")]
    pub labels: BTreeMap<String, String>,
    /// What the image is called, with its registry.
    #[serde(serialize_with = "list")]
    pub tags: Vec<String>,
    /// `linux/amd64`.
    #[serde(serialize_with = "list")]
    pub platforms: Vec<String>,
    /// `none`, unless its commands may use the network.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional")]
    pub network: Option<String>,
    /// Where layers are taken from.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "list")]
    pub cache_from: Vec<String>,
    /// Where layers are kept.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "list")]
    pub cache_to: Vec<String>,
    /// `id=ID,src=FILE` and `id=ID,env=NAME`.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "list")]
    pub secret: Vec<String>,
    /// Statements about the build. They hold its time, so that no two builds would give the same digest.
    #[serde(serialize_with = "list")]
    pub attest: Vec<String>,
    /// What becomes of the image.
    #[serde(serialize_with = "list")]
    pub output: Vec<String>,
}

/// What becomes of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// It stays in the builder's cache.
    Cache,
    /// It is pushed under its tags.
    Push,
    /// It is given to the Docker engine of this machine.
    Load,
    /// It is written to a file, an OCI image layout in a tar.
    OciArchive(String),
}

impl Output {
    /// As buildx wants to be told.
    pub fn text(&self) -> String {
        match self {
            Self::Cache => "type=cacheonly".to_owned(),
            Self::Push => "type=registry".to_owned(),
            Self::Load => "type=docker".to_owned(),
            // The value is one of CSV.
            Self::OciArchive(path) => format!("type=oci,\"dest={}\"", path.replace('"', "\"\"")),
        }
    }
}

impl File {
    /// The text of the file.
    pub fn to_text(&self) -> String {
        // Nothing in it can fail to be written: all keys are texts.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

impl Serialize for File {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let all: Vec<&String> = self.targets.keys().collect();
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("group", &serde_json::json!({ "default": { "targets": all } }))?;
        map.serialize_entry("target", &self.targets)?;
        map.end()
    }
}

/// The name of the target of an image: buildx allows letters, digits, `-` and `_`.
pub fn target_name(image: &str) -> String {
    image.chars().map(|char| if char.is_ascii_alphanumeric() || char == '-' { char } else { '_' }).collect()
}

fn plain(text: &str) -> String {
    text.replace("${", "$${").replace("%{", "%%{")
}

fn text<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&plain(text))
}

fn optional<S: Serializer>(text: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    text.as_deref().map(plain).serialize(serializer)
}

fn list<S: Serializer>(texts: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(texts.iter().map(|text| plain(text)))
}

fn map<S: Serializer>(texts: &BTreeMap<String, String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(texts.iter().map(|(name, text)| (plain(name), plain(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_mean_themselves() {
        let labels = [("a.${b}", "${c} %{d} $e %f {g}")].map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        let targets = [("x".to_owned(), Target { labels, ..Target::default() })].into();
        let text = File { targets }.to_text();
        assert!(text.contains(r#""a.$${b}": "$${c} %%{d} $e %f {g}""#), "{text}");
    }

    #[test]
    fn what_is_not_said_is_left_out() {
        let targets = [("x".to_owned(), Target::default())].into();
        let text = File { targets }.to_text();
        for key in ["args", "cache-from", "network", "secret", "\"target\": null"] {
            assert!(!text.contains(key), "{key} in {text}");
        }
        assert!(text.contains("\"default\""), "{text}");
    }

    #[test]
    fn names_of_targets_are_those_that_buildx_allows() {
        assert_eq!(target_name("spark-k8s:3.5.7-hadoop3.4.2"), "spark-k8s_3_5_7-hadoop3_4_2");
        assert_eq!(target_name("own/imäge:1"), "own_im_ge_1");
    }
}
