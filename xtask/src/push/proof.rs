//! The report of a smoke run, as a proof for exactly the images that it ran.

use std::{collections::BTreeMap, fs};

use anyhow::{Context as _, Result, bail};
use blob::Digest;
use camino::Utf8Path;
use serde::Deserialize;

use super::chosen::Item;

/// What `smoke --json` wrote.
#[derive(Deserialize)]
pub(super) struct Proof {
    version: u32,
    complete: bool,
    images: BTreeMap<String, Digest>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    image: String,
    check: String,
    verdict: String,
}

impl Proof {
    pub(super) fn read(path: &Utf8Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("reading the smoke report {path}"))?;
        let again = "to write one: cargo xtask smoke --json > FILE";
        if text.trim_start().starts_with('<') {
            bail!("{path} is a JUnit report; --require-smoke wants the JSON report\n{again}");
        }
        let proof: Self = serde_json::from_str(&text)
            .with_context(|| format!("{path} is no smoke report of this version\n{again}"))?;
        if proof.version != 1 {
            bail!("{path}: expected a smoke report of version 1, found version {}\n{again}", proof.version);
        }
        Ok(proof)
    }

    /// What is not proven of these images.
    pub(super) fn problems(&self, items: &[Item<'_>]) -> Vec<String> {
        let mut problems: Vec<String> =
            items.iter().filter_map(|item| self.problem(&item.name(), &item.found.digest)).collect();
        if !problems.is_empty() {
            problems.push("to test them: cargo xtask smoke --json > FILE".to_owned());
        }
        problems
    }

    fn problem(&self, name: &str, built: &Digest) -> Option<String> {
        let cases: Vec<&Case> = self.cases.iter().filter(|case| case.image == *name).collect();
        let count = |verdict: &str| cases.iter().filter(|case| case.verdict == verdict).count();
        if !self.complete {
            return Some(format!("{name}: its smoke run was interrupted"));
        }
        if let Some(failed) = cases.iter().find(|case| case.verdict != "passed" && case.verdict != "skipped") {
            return Some(format!("{name}: the check `{}` {}", failed.check, failed.verdict));
        }
        match self.images.get(name) {
            None => Some(format!("{name}: the smoke report does not know it")),
            Some(tested) if tested != built => Some(format!(
                "{name}: what was tested is not what is pushed: expected {built}, found {tested} in the report"
            )),
            Some(_) if count("passed") == 0 => Some(format!("{name}: no check passed, all were skipped")),
            Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_proves_what_it_tested_and_nothing_else() {
        let report = |digest: &[u8], complete: bool, verdicts: &[&str]| {
            let cases: Vec<_> = verdicts
                .iter()
                .map(|verdict| serde_json::json!({ "image": "a:1", "check": "pi", "verdict": verdict, "user": "u" }))
                .collect();
            let report = serde_json::json!({
                "version": 1, "complete": complete, "images": { "a:1": Digest::of(digest) }, "cases": cases,
            });
            serde_json::from_value::<Proof>(report).unwrap()
        };
        let built = Digest::of(b"built");
        let problem = |proof: Proof| proof.problem("a:1", &built).unwrap_or_default();
        assert_eq!(problem(report(b"built", true, &["passed", "skipped"])), "");
        assert!(problem(report(b"built", true, &["passed", "failed"])).contains("`pi` failed"));
        assert!(problem(report(b"built", true, &["skipped"])).contains("no check passed"));
        assert!(problem(report(b"built", false, &["passed"])).contains("interrupted"));
        let other = problem(report(b"other", true, &["passed"]));
        assert!(other.contains(&format!("expected {built}, found {}", Digest::of(b"other"))), "{other}");
        assert!(report(b"built", true, &["passed"]).problem("b:1", &built).unwrap().contains("does not know it"));
    }
}
