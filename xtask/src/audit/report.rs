//! What an audit says: to people, to programs, to code scanning.

use std::time::Duration;

use anyhow::Result;
use audit::{Finding, Severity};
use camino::Utf8Path;
use serde::Serialize;

use super::images::Target;
use crate::report::text::{count, duration};

/// Images that a line names; of more it says how many.
const NAMED: usize = 3;

/// What was judged, and what was found.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    version: u32,
    /// Images, or the one tree.
    audited: Vec<String>,
    pub(crate) findings: Vec<Finding>,
    /// The Dockerfile of each image: where a finding is shown in the repository.
    #[serde(skip)]
    dockerfiles: Vec<(String, String)>,
}

impl Report {
    pub(crate) fn of_images(targets: &[Target<'_>], findings: Vec<Finding>) -> Self {
        let audited = targets.iter().map(|target| target.image.reference.to_string()).collect();
        let dockerfiles = targets
            .iter()
            .map(|target| (target.image.reference.to_string(), target.image.dockerfile.clone()))
            .collect();
        Self { version: 1, audited, findings, dockerfiles }
    }

    pub(crate) fn of_tree(root: &Utf8Path, findings: Vec<Finding>) -> Self {
        Self { version: 1, audited: vec![root.to_string()], findings, dockerfiles: Vec::new() }
    }

    pub(crate) fn json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    pub(crate) fn sarif(&self) -> Result<String> {
        let dockerfile = |image: &str| {
            let found = self.dockerfiles.iter().find(|(name, _)| image.split(' ').next() == Some(name));
            found.map(|(_, file)| file.clone())
        };
        Ok(serde_json::to_string_pretty(&audit::sarif::log(&self.findings, dockerfile))? + "\n")
    }

    pub(crate) fn text(&self, took: Duration) -> String {
        let mut out = String::new();
        for finding in &self.findings {
            out.push_str(&lines(finding));
        }
        let of = |severity| self.findings.iter().filter(|finding| finding.severity == severity).count();
        let counts = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Note, "note")]
            .map(|(severity, name)| count(of(severity), name))
            .join(", ");
        let what = match (self.dockerfiles.len(), self.audited.as_slice()) {
            (0, [root]) => root.clone(),
            (images, _) => count(images, "image"),
        };
        out + &format!("{what} in {}: {counts}\n", duration(took))
    }
}

fn lines(finding: &Finding) -> String {
    let place = &finding.place;
    let line = place.line.map(|line| format!(":{line}")).unwrap_or_default();
    let path = if place.path.is_empty() { String::new() } else { format!("{}{line}: ", place.path) };
    let mut out = format!("{}[{}] {path}{}\n", finding.severity, finding.rule.id(), finding.message);
    if let Some(instruction) = &place.instruction {
        out.push_str(&format!("  by {instruction}\n"));
    }
    match finding.images.as_slice() {
        [] => {}
        few if few.len() <= NAMED => out.push_str(&format!("  in {}\n", few.join(", "))),
        many => out.push_str(&format!("  in {} images, {} first\n", many.len(), many[0])),
    }
    out
}
