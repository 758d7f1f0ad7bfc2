//! Findings as SARIF, which code scanning takes: <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>.
//!
//! Written by hand, since what is needed is this small part. Code scanning shows a result at a file of the repository. For
//! something in an image that is the Dockerfile which makes it; the path in the image stands in the message and as a logical
//! location.

use std::collections::BTreeMap;

use blob::Digest;
use serde::Serialize;

use crate::finding::{Finding, Rule, Severity};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// What paths are relative to: code scanning's name of the checkout's root.
const ROOT: &str = "%SRCROOT%";

/// A SARIF log.
#[derive(Debug, Serialize)]
pub struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    column_kind: &'static str,
    results: Vec<ScanResult>,
}

#[derive(Debug, Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    semantic_version: &'static str,
    rules: Vec<Descriptor>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    id: &'static str,
    short_description: Text,
    help: Text,
    default_configuration: Level,
}

#[derive(Debug, Serialize)]
struct Level {
    level: Severity,
}

#[derive(Debug, Serialize)]
struct Text {
    text: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ScanResult {
    rule_id: &'static str,
    rule_index: usize,
    level: Severity,
    message: Text,
    locations: [Location; 1],
    partial_fingerprints: BTreeMap<&'static str, String>,
    properties: Properties,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: Physical,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logical_locations: Vec<Logical>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Artifact,
    region: Region,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Artifact {
    uri: String,
    uri_base_id: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: usize,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Logical {
    fully_qualified_name: String,
    kind: &'static str,
}

#[derive(Debug, Serialize)]
struct Properties {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instruction: Option<String>,
}

/// The log of these findings. `dockerfile` says where in the repository an image is made.
pub fn log(findings: &[Finding], dockerfile: impl Fn(&str) -> Option<String>) -> Log {
    let rule = |rule: Rule| Descriptor {
        id: rule.id(),
        short_description: Text { text: rule.title().to_owned() },
        help: Text { text: rule.help().to_owned() },
        default_configuration: Level { level: rule.severity() },
    };
    let driver = Driver {
        name: "cargo xtask audit",
        semantic_version: env!("CARGO_PKG_VERSION"),
        rules: Rule::ALL.map(rule).into(),
    };
    let results = findings.iter().map(|finding| result(finding, &dockerfile)).collect();
    let run = Run { tool: Tool { driver }, column_kind: "unicodeCodePoints", results };
    Log { schema: SCHEMA, version: "2.1.0", runs: [run] }
}

fn result(finding: &Finding, dockerfile: &dyn Fn(&str) -> Option<String>) -> ScanResult {
    let place = &finding.place;
    let in_image = finding.images.first();
    let file = in_image.and_then(|image| dockerfile(image)).unwrap_or_else(|| place.path.clone());
    let start_line = if in_image.is_some() { 1 } else { place.line.unwrap_or(1) };
    let logical = |image: &String| Logical { fully_qualified_name: format!("{image}/{}", place.path), kind: "member" };
    let text = match in_image {
        Some(_) if !place.path.is_empty() => format!("{}: {}", place.path, finding.message),
        _ => finding.message.clone(),
    };
    // The same finding in the next build has the same fingerprint, though layers have other digests there.
    let same = Digest::of(format!("{}\0{}\0{}", finding.rule.id(), place.path, finding.message).as_bytes());
    ScanResult {
        rule_id: finding.rule.id(),
        rule_index: Rule::ALL.iter().position(|rule| *rule == finding.rule).unwrap_or_default(),
        level: finding.severity,
        message: Text { text },
        locations: [Location {
            physical_location: Physical {
                artifact_location: Artifact { uri: uri(&file), uri_base_id: ROOT },
                region: Region { start_line },
            },
            logical_locations: finding.images.iter().map(logical).collect(),
        }],
        partial_fingerprints: BTreeMap::from([("finding/v1", same.hex())]),
        properties: Properties {
            images: finding.images.clone(),
            layer: place.layer,
            instruction: place.instruction.clone(),
        },
    }
}

/// A path as a relative reference: what RFC 3986 does not let stand in one is written as `%20` is.
fn uri(path: &str) -> String {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_' | b'~' | b'+' | b'@');
    path.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Place;

    #[test]
    fn a_log_names_rules_places_and_images() {
        let place = Place { path: "a b.sh".to_owned(), line: Some(7), ..Place::default() };
        let of_tree = Finding::new(Rule::Secret, place.clone(), "m");
        let of_image = Finding { images: vec!["x:1".to_owned()], ..Finding::new(Rule::Setuid, place, "m") };
        let log = log(&[of_tree, of_image], |_| Some("docker/x/Dockerfile".to_owned()));
        let json = serde_json::to_value(&log).unwrap();
        let run = &json["runs"][0];
        assert_eq!(run["tool"]["driver"]["rules"].as_array().unwrap().len(), Rule::ALL.len());
        for result in run["results"].as_array().unwrap() {
            let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
            assert_eq!(rule["id"], result["ruleId"]);
        }
        let physical = |n: usize| &run["results"][n]["locations"][0]["physicalLocation"];
        assert_eq!(physical(0)["artifactLocation"]["uri"], "a%20b.sh");
        assert_eq!(physical(0)["region"]["startLine"], 7);
        assert_eq!(physical(1)["artifactLocation"]["uri"], "docker/x/Dockerfile");
        assert_eq!(run["results"][1]["message"]["text"], "a b.sh: m");
        assert_eq!(run["results"][1]["locations"][0]["logicalLocations"][0]["fullyQualifiedName"], "x:1/a b.sh");
    }
}
