//! `[ci]`: what the CI systems offer, and what they refuse.

use std::collections::BTreeMap;

use crate::reader::Section;

/// What CI offers, as the table says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ci {
    /// Minutes that a job takes besides building and testing: the clone, the toolchain, the tool.
    pub job_minutes: u64,
    /// Megabytes of locked files that are fetched and put into images in one second, where no build was measured.
    pub megabytes_per_second: u64,
    /// Seconds of one smoke run.
    pub smoke_seconds: u64,
    /// Minutes of a compile of Spark.
    pub compile_minutes: u64,
    /// GitHub.
    pub github: Github,
    /// GitLab.
    pub gitlab: Gitlab,
}

/// Labels (GitHub) or tags (GitLab) of runners, by platform (`linux/amd64`) or by the name that a group asks for (`gpu`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Runners(pub BTreeMap<String, Vec<String>>);

/// An action of GitHub, pinned: <https://docs.github.com/en/actions/reference/security/secure-use>.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// The version, for people: `v7.0.1`.
    pub version: String,
    /// What runs: a commit, all 40 digits.
    pub commit: String,
}

/// Runners, actions and limits of GitHub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Github {
    /// Labels of runners.
    pub runners: Runners,
    /// Actions that the workflows use, by `owner/name`.
    pub actions: BTreeMap<String, Action>,
    /// Jobs that one matrix may have.
    pub jobs_per_matrix: u64,
    /// Bytes that all outputs of one job may have, two for each UTF-16 unit.
    pub output_bytes: u64,
}

/// Runners and limits of GitLab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gitlab {
    /// Tags of runners.
    pub runners: Runners,
    /// Jobs that one job may need.
    pub needs_per_job: u64,
    /// Jobs that one pipeline may have.
    pub jobs_per_pipeline: u64,
    /// Bytes that the file of a pipeline may have.
    pub yaml_bytes: u64,
    /// The container image that jobs run in, where a runner asks for one.
    pub image: String,
}

impl Runners {
    /// The labels of a runner for this platform, or of those that an image's group names.
    ///
    /// # Errors
    /// The name for which there is none.
    pub fn labels(&self, platform: &str, named: Option<&str>) -> Result<&[String], String> {
        let name = named.unwrap_or(platform);
        self.0.get(name).map(Vec::as_slice).ok_or_else(|| name.to_owned())
    }

    fn read(section: &Section<'_>) -> Self {
        let Some(runners) = section.section("runners") else { return Self::default() };
        let labels =
            |key: &String| (key.clone(), runners.strings(key).into_iter().map(|at| at.value).collect::<Vec<_>>());
        let labels = Self(runners.keys().iter().map(labels).collect());
        runners.finish();
        labels
    }
}

/// `[ci.github.actions]`: whoever can move a tag could run anything here, so an action is named by its commit.
fn actions(github: &Section<'_>) -> BTreeMap<String, Action> {
    let Some(section) = github.section("actions") else { return BTreeMap::new() };
    let mut actions = BTreeMap::new();
    for (name, part) in section.sections() {
        if !is_action(&name.value) {
            let help = "write it as in `actions/checkout`";
            section.note(
                name.span,
                format!("`{}` is no action: expected `owner/name`", name.value.escape_debug()),
                help,
            );
        }
        let version = part.required("version", "\"v1.2.3\"");
        if !version.value.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c)) {
            let message = format!("`{}` is no version of an action", version.value.escape_debug());
            part.note(version.span, message, "write it as in `v1.2.3`");
        }
        let commit = part.required("commit", "\"...\", all 40 digits");
        let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        if part.has("commit") && !(commit.value.len() == 40 && commit.value.chars().all(is_digit)) {
            let message =
                format!("`{}` is no full commit: expected 40 digits of 0-9, a-f", commit.value.escape_debug());
            part.note(commit.span, message, "see it with: git ls-remote --tags https://github.com/OWNER/NAME");
        }
        part.finish();
        actions.insert(name.value, Action { version: version.value, commit: commit.value });
    }
    section.finish();
    actions
}

fn is_action(name: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    name.split('/').count() == 2 && name.split('/').all(is_part)
}

impl Ci {
    pub(crate) fn read(section: Section<'_>) -> Self {
        let part = |key: &str| {
            let part = section.section(key);
            if part.is_none() {
                section.note(section.span(), format!("[ci.{key}] is missing"), "see docs/ci.md, \"Limits\"");
            }
            part
        };
        let github = part("github").map(|part| {
            let github = Github {
                runners: Runners::read(&part),
                actions: actions(&part),
                jobs_per_matrix: part.number("jobs-per-matrix", "256"),
                output_bytes: part.number("output-bytes", "1_048_576"),
            };
            part.finish();
            github
        });
        let gitlab = part("gitlab").map(|part| {
            let gitlab = Gitlab {
                runners: Runners::read(&part),
                needs_per_job: part.number("needs-per-job", "50"),
                jobs_per_pipeline: part.number("jobs-per-pipeline", "500"),
                yaml_bytes: part.number("yaml-bytes", "1_048_576"),
                image: part.required("image", "\"rust:1-bookworm\"").value,
            };
            part.finish();
            gitlab
        });
        let ci = Self {
            job_minutes: section.number("job-minutes", "3"),
            megabytes_per_second: section.number("megabytes-per-second", "20"),
            smoke_seconds: section.number("smoke-seconds", "20"),
            compile_minutes: section.number("compile-minutes", "90"),
            github: github.unwrap_or(Github {
                runners: Runners::default(),
                actions: BTreeMap::new(),
                jobs_per_matrix: 1,
                output_bytes: 1,
            }),
            gitlab: gitlab.unwrap_or(Gitlab {
                runners: Runners::default(),
                needs_per_job: 1,
                jobs_per_pipeline: 1,
                yaml_bytes: 1,
                image: String::new(),
            }),
        };
        section.finish();
        ci
    }
}
