//! The files that GitHub and GitLab read, written from the version table: which runners and actions there are, and one job
//! for each level of the images. The files beside this one are what they are made of; docs/ci.md says what they do.
//!
//! In a template stands `@name@` for something that is rendered. Alone on its line it is replaced by whole lines.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use camino::Utf8PathBuf;
use catalog::{Catalog, Ci};
use serde_json::json;

/// The templates, by the path of what is made of them.
const FILES: [(&str, &str, Kind); 5] = [
    (".github/workflows/images.yml", include_str!("images.yml"), Kind::Main),
    (".github/workflows/lock.yml", include_str!("lock.yml"), Kind::Main),
    (".github/workflows/pull-request.yml", include_str!("pull-request.yml"), Kind::PullRequest),
    (".github/workflows/tool.yml", include_str!("tool.yml"), Kind::PullRequest),
    (".gitlab-ci.yml", include_str!("gitlab.yml"), Kind::Main),
];
const LEVEL: &str = include_str!("level.yml");
const RESULT: &str = include_str!("result.yml");

/// What cargo fetches and compiles: the dependencies come from there, the tool itself is compiled again.
const CARGO_CACHE: &str = "\
- uses: @actions/cache@
  with:
    path: |
      ~/.cargo/registry/cache
      ~/.cargo/registry/index
      target/debug
    key: @cargo@-${{ runner.os }}-${{ runner.arch }}-${{ hashFiles('Cargo.lock', 'xtask/**') }}
    restore-keys: @cargo@-${{ runner.os }}-${{ runner.arch }}-
";
/// Ubuntu lets no program make user namespaces that AppArmor does not know.
const NAMESPACES: &str = "\
- name: Allow user namespaces
  run: |
    if [ \"$(cat /proc/sys/kernel/apparmor_restrict_unprivileged_userns 2> /dev/null)\" = 1 ]; then
      sudo -n sysctl -w kernel.apparmor_restrict_unprivileged_userns=0
    fi
";
/// A grouping that a limit made coarser would have levels for which there is no job.
const KNOWN_LEVELS: &str = "\
- name: Each level has a job
  env:
    LEVELS: ${{ steps.matrix.outputs.levels }}
  run: |
    for level in $(tr -d '[]\"' <<< \"$LEVELS\" | tr ',' ' '); do
      case \" @names@ \" in *\" $level \"*) ;; *) echo \"::error::$level has no job here: the matrix was grouped coarser\"; exit 1 ;; esac
    done
";
/// Its secrets are those of the jobs that push: a repository can keep them from all other branches.
const ENVIRONMENT: &str = "environment: registry\n";
const PULL_REQUEST_RUN: &str = "\
flags=()
# A stranger's pull request is told no password: it builds from the locked files.
if [ -n \"$SPARK_IMAGES_REGISTRY_PASSWORD\" ]; then flags+=(--cache-from \"${REGISTRY,,}\"); fi
";
const MAIN_RUN: &str = "\
flags=(--cache-from \"${REGISTRY,,}\" --cache-to \"${REGISTRY,,}\")
if [ \"$ORIGIN\" = source ]; then
  flags+=(--push \"${REGISTRY,,}\")
elif [ \"$ALLOW_RELEASE\" = true ]; then
  flags+=(--push \"${REGISTRY,,}\" --allow-release)
fi
";

/// Who may start a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Anybody: it reads.
    PullRequest,
    /// Those who may push to the main branch.
    Main,
}

/// The files, by their paths in the checkout. None where the table has no `[ci]`.
///
/// # Errors
/// The table lacks a runner or an action.
pub(crate) fn render(catalog: &Catalog) -> Result<BTreeMap<Utf8PathBuf, String>> {
    let Some(table) = &catalog.table.ci else { return Ok(BTreeMap::new()) };
    let levels = ci::levels(catalog)?;
    let file = |&(path, template, kind): &(&str, &str, Kind)| {
        let text = Renderer::new(catalog, table, levels, kind).and_then(|renderer| renderer.fill(template));
        Ok((path.into(), text.with_context(|| format!("rendering {path}"))?))
    };
    FILES.iter().map(file).collect()
}

/// What stands for the names in templates.
struct Renderer(BTreeMap<String, String>);

impl Renderer {
    fn new(catalog: &Catalog, table: &Ci, levels: usize, kind: Kind) -> Result<Self> {
        let platform = catalog.table.default_platform().to_string();
        let missing =
            |name| format!("docker/versions.toml names no runner for {name}: [ci.github.runners], [ci.gitlab.runners]");
        let github = table.github.runners.labels(&platform, None).map_err(missing).map_err(anyhow::Error::msg)?;
        let gitlab = table.gitlab.runners.labels(&platform, None).map_err(missing).map_err(anyhow::Error::msg)?;
        let mut values: BTreeMap<String, String> = [
            // Lists and strings of JSON are those of YAML.
            ("runner", json!(github).to_string()),
            ("tags", json!(gitlab).to_string()),
            ("image", json!(table.gitlab.image).to_string()),
            ("cargo-cache", CARGO_CACHE.to_owned()),
            ("cargo", "front".to_owned()), // a plan needs no more than that
            ("namespaces", NAMESPACES.to_owned()),
            ("known-levels", KNOWN_LEVELS.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        for (name, action) in &table.github.actions {
            values.insert(name.clone(), format!("{name}@{} # {}", action.commit, action.version));
        }
        let names: Vec<String> = (0..levels).map(|level| format!("level-{level}")).collect();
        values.insert("names".to_owned(), names.join(" "));
        let mut all = String::new();
        for (level, name) in names.iter().enumerate() {
            // All that come before: a level that failed stops the others, also where one between them was skipped.
            let needs: Vec<&str> = ["plan"].into_iter().chain(names[..level].iter().map(String::as_str)).collect();
            let mut parts = Self(values.clone());
            let parts = &mut parts.0;
            parts.insert("level".to_owned(), name.clone());
            parts.insert("needs".to_owned(), needs.join(", "));
            parts.insert("if".to_owned(), condition(level, name));
            let (environment, packages, verb, run, allow) = match kind {
                Kind::PullRequest => ("", "read # takes images that are there", "Build and test", PULL_REQUEST_RUN, ""),
                Kind::Main => (
                    ENVIRONMENT,
                    "write # hands images on and pushes them",
                    "Build, test, push",
                    MAIN_RUN,
                    "ALLOW_RELEASE: ${{ vars.SPARK_IMAGES_ALLOW_RELEASE }}\n",
                ),
            };
            for (name, value) in [
                ("cargo", "xtask"),
                ("environment", environment),
                ("packages", packages),
                ("verb", verb),
                ("run", run),
                ("allow-release", allow),
            ] {
                parts.insert(name.to_owned(), value.to_owned());
            }
            all.push_str(&Self(parts.clone()).fill(LEVEL)?);
        }
        values.insert("levels".to_owned(), all);
        let mut result = values.clone();
        result.insert("needs".to_owned(), ["plan".to_owned()].into_iter().chain(names).collect::<Vec<_>>().join(", "));
        values.insert("result".to_owned(), Self(result).fill(RESULT)?);
        Ok(Self(values))
    }

    /// The text of a template.
    fn fill(&self, template: &str) -> Result<String> {
        let mut out = String::new();
        for line in template.lines() {
            let indent = &line[..line.len() - line.trim_start().len()];
            match name(line.trim()) {
                Some(name) if line.trim().len() == name.len() + 2 => {
                    for inner in self.fill(self.value(name)?)?.lines() {
                        out.push_str(&if inner.is_empty() { "\n".to_owned() } else { format!("{indent}{inner}\n") });
                    }
                }
                _ => out.push_str(&(self.line(line)? + "\n")),
            }
        }
        Ok(out)
    }

    /// A line with the names in it replaced.
    fn line(&self, line: &str) -> Result<String> {
        let Some(name) = name(line) else { return Ok(line.to_owned()) };
        let marked = format!("@{name}@");
        let Some((before, after)) = line.split_once(&marked) else { return Ok(line.to_owned()) };
        Ok(format!("{before}{}{}", self.value(name)?, self.line(after)?))
    }

    fn value(&self, name: &str) -> Result<&str> {
        match self.0.get(name) {
            Some(value) => Ok(value),
            None if name.contains('/') => {
                bail!("docker/versions.toml has no [ci.github.actions.\"{name}\"]\nadd it with `version` and `commit`")
            }
            None => bail!("a template names `{name}`, which is nothing that is rendered"),
        }
    }
}

/// When the job of a level runs: a matrix without entries is an error, and one that was skipped holds up nobody.
fn condition(level: usize, name: &str) -> String {
    let has_jobs = format!("contains(fromJSON(needs.plan.outputs.levels), '{name}')");
    match level {
        0 => has_jobs,
        _ => format!("${{{{ !cancelled() && !failure() && {has_jobs} }}}}"),
    }
}

/// The first `@name@` of a line.
fn name(line: &str) -> Option<&str> {
    line.match_indices('@').find_map(|(at, _)| {
        let (name, _) = line[at + 1..].split_once('@')?;
        let is_name = |c: char| c.is_ascii_lowercase() || c == '-' || c == '/';
        (!name.is_empty() && name.chars().all(is_name)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use yaml_rust2::{Yaml, YamlLoader};

    use super::*;
    use crate::{flags::Global, workspace::Workspace};

    fn catalog() -> Catalog {
        Workspace::find(&Global::default()).unwrap().catalog().unwrap()
    }

    /// The workflows of GitHub, parsed, by their names.
    fn workflows() -> Vec<(String, Yaml)> {
        let parse = |(path, text): (Utf8PathBuf, String)| {
            let mut documents = YamlLoader::load_from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
            assert_eq!(documents.len(), 1, "{path}");
            (path.file_name().unwrap().to_owned(), documents.remove(0))
        };
        let all: Vec<_> = render(&catalog()).unwrap().into_iter().map(parse).collect();
        let (gitlab, github): (Vec<_>, Vec<_>) = all.into_iter().partition(|(name, _)| name == ".gitlab-ci.yml");
        assert_eq!((gitlab.len(), github.len()), (1, 4));
        github
    }

    fn jobs(workflow: &Yaml) -> impl Iterator<Item = (&str, &Yaml)> {
        workflow["jobs"].as_hash().unwrap().iter().map(|(name, job)| (name.as_str().unwrap(), job))
    }

    fn steps(job: &Yaml) -> &[Yaml] {
        job["steps"].as_vec().unwrap()
    }

    #[test]
    fn no_script_holds_what_somebody_else_may_have_written() {
        let mut scripts = 0;
        for (name, workflow) in workflows() {
            assert!(!workflow["on"].as_hash().unwrap().keys().any(|on| on.as_str() == Some("pull_request_target")));
            for script in jobs(&workflow).flat_map(|(_, job)| steps(job)).filter_map(|step| step["run"].as_str()) {
                scripts += 1;
                assert!(!script.contains("${{"), "{name}: {script}");
            }
        }
        assert!(scripts > 15, "{scripts}");
    }

    #[test]
    fn every_action_is_one_of_the_table_at_its_commit() {
        let actions = catalog().table.ci.unwrap().github.actions;
        let mut used = std::collections::BTreeSet::new();
        for (name, workflow) in workflows() {
            for action in jobs(&workflow).flat_map(|(_, job)| steps(job)).filter_map(|step| step["uses"].as_str()) {
                let (action, commit) = action.split_once('@').unwrap();
                assert_eq!(actions[action].commit, commit, "{name}");
                assert_eq!(commit.len(), 40);
                used.insert(action.to_owned());
            }
        }
        assert_eq!(used.into_iter().collect::<Vec<_>>(), actions.into_keys().collect::<Vec<_>>());
    }

    #[test]
    fn only_what_pushes_may_write_and_every_job_has_an_end() {
        let mut writers = Vec::new();
        for (name, workflow) in workflows() {
            assert!(workflow["permissions"].as_hash().unwrap().is_empty(), "{name}");
            for (job, content) in jobs(&workflow) {
                assert!(!content["timeout-minutes"].is_badvalue(), "{name}: {job}");
                for (what, right) in content["permissions"].as_hash().unwrap() {
                    match right.as_str().unwrap() {
                        "read" => {}
                        right => writers.push(format!("{name} {job} {}: {right}", what.as_str().unwrap())),
                    }
                }
            }
        }
        let levels = ci::levels(&catalog()).unwrap();
        let mut expected: Vec<String> =
            (0..levels).map(|level| format!("images.yml level-{level} packages: write")).collect();
        expected.extend(["contents", "pull-requests"].map(|what| format!("lock.yml pull-request {what}: write")));
        assert_eq!(writers, expected);
        assert!(levels > 2, "{levels}");
    }

    #[test]
    fn who_pushes_takes_secrets_of_the_environment_and_runs_on_the_main_branch_alone() {
        let (mut with, mut without) = (0, 0);
        for (name, workflow) in workflows() {
            for (job, content) in jobs(&workflow) {
                if content["permissions"]["packages"].as_str() == Some("write") {
                    assert_eq!(content["environment"].as_str(), Some("registry"), "{name} {job}");
                    let first = &steps(&workflow["jobs"]["plan"])[0];
                    assert_eq!(first["if"].as_str(), Some("github.ref != 'refs/heads/main'"));
                    assert!(first["run"].as_str().unwrap().ends_with("exit 1\n"));
                    with += 1;
                } else {
                    assert!(content["environment"].is_badvalue(), "{name} {job}");
                    without += 1;
                }
            }
        }
        assert!(with > 2 && without > 6, "{with} {without}");
    }

    #[test]
    fn a_level_waits_for_all_before_it_and_the_result_for_all_levels() {
        for (name, workflow) in workflows() {
            let before = |job: &str| -> Vec<String> {
                let needs = workflow["jobs"][job]["needs"].as_vec().unwrap();
                needs.iter().map(|need| need.as_str().unwrap().to_owned()).collect()
            };
            if !["images.yml", "pull-request.yml"].contains(&name.as_str()) {
                continue;
            }
            assert_eq!(before("level-0"), ["plan"]);
            assert_eq!(before("level-2"), ["plan", "level-0", "level-1"]);
            let all: Vec<&str> = jobs(&workflow).map(|(job, _)| job).filter(|job| *job != "result").collect();
            assert_eq!(before("result"), all);
        }
    }

    #[test]
    fn what_the_table_lacks_is_named() {
        let mut catalog = catalog();
        let ci = catalog.table.ci.as_mut().unwrap();
        ci.github.actions.remove("actions/cache");
        let error = format!("{:#}", render(&catalog).unwrap_err());
        assert!(error.contains(".github/workflows/images.yml"), "{error}");
        assert!(error.contains("has no [ci.github.actions.\"actions/cache\"]"), "{error}");
        catalog.table.ci.as_mut().unwrap().github.runners.0.clear();
        let error = format!("{:#}", render(&catalog).unwrap_err());
        assert!(error.contains("no runner for linux/amd64"), "{error}");
        catalog.table.ci = None;
        assert_eq!(render(&catalog).unwrap(), BTreeMap::new());
    }
}
