//! The report that every run leaves in the output folder: what `--rerun-failed` begins with.
//!
//! A check that failed and then passed in the same image is no success like others: the report says for good that it
//! failed before, and why.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use blob::Digest;
use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use super::{Case, INTERRUPTED, Verdict, html, report};
use crate::workspace::Workspace;

/// A case as the JSON report has it.
#[derive(Serialize, Deserialize)]
pub(super) struct Saved {
    image: String,
    user: String,
    check: String,
    verdict: Word,
    text: String,
    /// Why it failed the time before, in the same image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failed_before: Option<String>,
    seconds: f64,
    log: Option<String>,
    #[serde(default)]
    run: String,
    #[serde(default)]
    again: String,
    #[serde(default)]
    digest: Option<Digest>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Passed,
    Failed,
    Skipped,
}

/// The last run of this checkout.
pub(crate) struct Last {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Document {
    version: u32,
    cases: Vec<Saved>,
}

fn folder(workspace: &Workspace) -> Utf8PathBuf {
    workspace.logs().join("smoke")
}

/// Where the event logs of a run go.
pub(super) fn events(workspace: &Workspace, run: &str) -> Utf8PathBuf {
    folder(workspace).join("events").join(super::file_name(run))
}

/// Writes the report for people (HTML), for CI (JUnit) and for programs (JSON); returns where the first one lies.
pub(crate) fn write(workspace: &Workspace, cases: &[Case], interrupted: bool) -> Result<Utf8PathBuf> {
    let folder = folder(workspace);
    fs::create_dir_all(&folder).with_context(|| format!("making {folder}"))?;
    let json = serde_json::to_string_pretty(&report::json(cases, interrupted))?;
    let page = html::page(cases, &workspace.root, |run| events(workspace, run));
    for (name, text) in [("report.json", json), ("junit.xml", report::junit(cases)), ("report.html", page)] {
        let path = folder.join(name);
        blob::write(&path, text.as_bytes()).with_context(|| format!("writing {path}"))?;
    }
    Ok(folder.join("report.html"))
}

impl Last {
    /// Reads the last run's report.
    pub(crate) fn read(workspace: &Workspace) -> Result<Self> {
        let path = folder(workspace).join("report.json");
        let again = "to write one: cargo xtask smoke";
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                bail!("there is no report of a smoke run to begin with: {path} is not there\n{again}")
            }
            text => text.with_context(|| format!("reading {path}"))?,
        };
        let document: Document = serde_json::from_str(&text)
            .with_context(|| format!("{path} is no smoke report of this version\n{again}"))?;
        if document.version != report::VERSION {
            bail!(
                "{path}: expected a smoke report of version {}, found {}\n{again}",
                report::VERSION,
                document.version
            );
        }
        Ok(Self { cases: document.cases.into_iter().map(Case::from).collect() })
    }

    /// The starts that have to be done again: something failed in them, or they were interrupted.
    pub(crate) fn failed(&self) -> BTreeSet<String> {
        let failed = self.cases.iter().filter(|case| match &case.verdict {
            Verdict::Passed(_) => false,
            Verdict::Failed(_) => true,
            Verdict::Skipped(_) => case.is_interrupted(),
        });
        failed.map(|case| case.run.clone()).filter(|run| !run.is_empty()).collect()
    }

    /// What messages call the images in which something failed.
    pub(crate) fn images(&self) -> BTreeSet<String> {
        let failed = self.failed();
        self.cases.iter().filter(|case| failed.contains(&case.run)).map(|case| case.image.clone()).collect()
    }

    /// The last run with what was done again in its place. What was only skipped, because a service was not offered this
    /// time, was not done again.
    pub(crate) fn with(self, mut done: Vec<Case>) -> Vec<Case> {
        let is_done = |case: &Case| !matches!(case.verdict, Verdict::Skipped(_)) || case.is_interrupted();
        let again: BTreeSet<String> = done.iter().filter(|case| is_done(case)).map(|case| case.run.clone()).collect();
        done.retain(|case| again.contains(&case.run));
        let (before, mut all): (Vec<Case>, Vec<Case>) =
            self.cases.into_iter().partition(|case| again.contains(&case.run));
        let before: BTreeMap<(&str, &str), &Case> =
            before.iter().map(|case| ((case.run.as_str(), case.name.as_str()), case)).collect();
        all.extend(done.into_iter().map(|mut case| {
            let known = before.get(&(case.run.as_str(), case.name.as_str()));
            // In an image that was built anew it is another check.
            if let Some(known) = known.filter(|known| known.digest == case.digest) {
                case.earlier = match (&case.verdict, &known.verdict) {
                    (Verdict::Passed(_), Verdict::Failed(why)) if why != INTERRUPTED => Some(why.clone()),
                    _ => known.earlier.clone(),
                };
            }
            case
        }));
        all
    }
}

impl From<&Case> for Saved {
    fn from(case: &Case) -> Self {
        let (verdict, text) = match &case.verdict {
            Verdict::Passed(text) => (Word::Passed, text),
            Verdict::Failed(text) => (Word::Failed, text),
            Verdict::Skipped(text) => (Word::Skipped, text),
        };
        Self {
            image: case.image.clone(),
            user: case.user.clone(),
            check: case.name.clone(),
            verdict,
            text: text.clone(),
            failed_before: case.earlier.clone(),
            seconds: case.elapsed.as_secs_f64(),
            log: case.log.clone(),
            run: case.run.clone(),
            again: case.again.clone(),
            digest: case.digest,
        }
    }
}

impl From<Saved> for Case {
    fn from(saved: Saved) -> Self {
        let make = match saved.verdict {
            Word::Passed => Verdict::Passed,
            Word::Failed => Verdict::Failed,
            Word::Skipped => Verdict::Skipped,
        };
        Self {
            image: saved.image,
            again: saved.again,
            digest: saved.digest,
            user: saved.user,
            run: saved.run,
            name: saved.check,
            verdict: make(saved.text),
            earlier: saved.failed_before,
            // A report that was edited may hold anything.
            elapsed: Duration::try_from_secs_f64(saved.seconds).unwrap_or_default(),
            log: saved.log,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(run: &str, name: &str, verdict: Verdict) -> Case {
        Case {
            image: "spark:1".to_owned(),
            again: "spark:1".to_owned(),
            digest: Some(Digest::of(b"1")),
            user: "random uid".to_owned(),
            run: format!("spark:1 {run}"),
            name: name.to_owned(),
            verdict,
            earlier: None,
            elapsed: Duration::from_millis(1500),
            log: None,
        }
    }

    fn passed() -> Verdict {
        Verdict::Passed("fine".to_owned())
    }

    #[test]
    fn what_passes_only_when_run_again_says_so_for_good() {
        let failed = |why: &str| Verdict::Failed(why.to_owned());
        let cases = vec![
            case("session", "a", failed("flaked")),
            case("session", "b", passed()),
            case("job", "job", passed()),
            case("late", "start", Verdict::Skipped(INTERRUPTED.to_owned())),
            case("cut", "cut", failed(INTERRUPTED)),
        ];
        let document = report::json(&cases, false);
        assert_eq!(document["complete"], false);
        let document = document.to_string();
        let read = |text: &str| {
            let document: Document = serde_json::from_str(text).unwrap();
            Last { cases: document.cases.into_iter().map(Case::from).collect() }
        };
        let last = read(&document);
        assert_eq!(last.cases, cases);
        assert_eq!(last.failed(), BTreeSet::from(["session", "late", "cut"].map(|run| format!("spark:1 {run}"))));
        let done = vec![
            case("session", "a", passed()),
            case("session", "b", passed()),
            case("late", "late", passed()),
            case("cut", "cut", passed()),
        ];
        let all = last.with(done);
        let seen: Vec<_> = all.iter().map(|case| (case.name.as_str(), case.earlier.as_deref())).collect();
        assert_eq!(seen, [("job", None), ("a", Some("flaked")), ("b", None), ("late", None), ("cut", None)]);
        assert_eq!(report::json(&all, false)["complete"], true);
        // What is skipped this time has failed all the same.
        let last = read(&report::json(&cases, false).to_string());
        let kept = last.with(vec![case("session", "a", Verdict::Skipped("no service".to_owned()))]);
        assert_eq!(kept, cases);
        // It is remembered over further runs, and forgotten with the image.
        let again = |digest: &[u8]| {
            let mut a = case("session", "a", passed());
            a.digest = Some(Digest::of(digest));
            let last = read(&report::json(&all, false).to_string());
            last.with(vec![a]).pop().unwrap().earlier
        };
        assert_eq!(again(b"1"), Some("flaked".to_owned()));
        assert_eq!(again(b"2"), None);
    }
}
