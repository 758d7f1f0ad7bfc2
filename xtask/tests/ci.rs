//! `ci-matrix` and `ci run` on a small repository that git keeps.

mod support;

use std::{collections::BTreeSet, fs, process::Command};

use serde_json::Value;
use support::{EXCEPTION, Repository, Run};

const CI: &str = r#"
[ci]
job-minutes = 3
megabytes-per-second = 20
smoke-seconds = 20
compile-minutes = 90
[ci.github]
jobs-per-matrix = 256
output-bytes = 1_048_576
[ci.github.runners]
"linux/amd64" = ["ubuntu-24.04"]
[ci.gitlab]
needs-per-job = 50
jobs-per-pipeline = 500
yaml-bytes = 1_048_576
image = "rust:1"
[ci.gitlab.runners]
"linux/amd64" = ["big"]
"#;

#[expect(clippy::disallowed_methods, reason = "the tests need repositories")]
fn git(repository: &Repository, args: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=a", "-c", "user.email=a@b"])
        .args(args)
        .current_dir(repository.path(""))
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
}

/// A repository with `[ci]`, locked and committed.
fn repository() -> Repository {
    let repository = Repository::new();
    with_ci(&repository);
    repository.write("docker/audit.toml", EXCEPTION);
    repository.ok(&["lock"]);
    repository.write(".gitignore", "/target\n");
    git(&repository, &["init", "-q", "-b", "main"]);
    commit(&repository);
    repository
}

fn with_ci(repository: &Repository) {
    let table = fs::read_to_string(repository.path("docker/versions.toml")).unwrap();
    repository.write("docker/versions.toml", &(table + CI));
}

fn commit(repository: &Repository) {
    git(repository, &["add", "-A"]);
    git(repository, &["commit", "-q", "-m", "a"]);
}

fn json(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stdout))
}

fn matrix(repository: &Repository, args: &[&str]) -> Value {
    json(&repository.ok(&[&["ci-matrix", "--format", "json"], args].concat()))
}

/// `job: image` of a matrix.
fn images(matrix: &Value) -> Vec<String> {
    let images = matrix["images"].as_array().unwrap().iter();
    images.map(|image| format!("{}: {}", image["job"].as_str().unwrap(), image["image"].as_str().unwrap())).collect()
}

fn changes(matrix: &Value, image: usize) -> Vec<&str> {
    matrix["images"][image]["changes"].as_array().unwrap().iter().map(|change| change.as_str().unwrap()).collect()
}

#[test]
fn every_image_is_in_a_job_and_a_change_leaves_those_that_it_reaches() {
    let repository = repository();
    let all = ["base: base:1", "custom-to-runtime-3.5.7: custom:3.5.7", "custom-to-runtime-3.5.7: runtime:3.5-3.5.7"];
    let whole = matrix(&repository, &[]);
    assert_eq!(
        (images(&whole), &whole["version"], &whole["changed_since"]),
        (all.map(str::to_owned).into(), &Value::from(1), &Value::Null)
    );
    let since = |expected: &[&str]| {
        let found = matrix(&repository, &["--changed-since", "HEAD"]);
        assert_eq!(images(&found), expected);
        found
    };
    assert_eq!(since(&[])["jobs"], Value::Array(vec![]));
    // What no image is made of.
    repository.write("docker/custom/README.md", "text");
    repository.replace("docker/versions.toml", "library = \"1.0\"", "library = \"1.0\" # a comment");
    since(&[]);
    // A file of the last image reaches no other, and the id of its job stays.
    repository.write("docker/runtime/rootfs/run", "changed");
    let found = since(&all[2..]);
    assert_eq!(changes(&found, 0), ["docker/runtime/rootfs/run changed"]);
    assert_eq!(found["jobs"][0]["needs"], Value::Array(vec![]));
    // A file of the first one reaches all.
    repository.write("docker/base/rootfs/etc/base.conf", "changed");
    let found = since(&all);
    assert_eq!(changes(&found, 0), ["docker/base/rootfs/etc/base.conf changed"]);
    assert_eq!((changes(&found, 1), &found["images"][1]["through"][0]), (vec![], &Value::from("base:1")));
    assert_eq!(found["images"][1]["root"], "base:1");
    assert_eq!(found["jobs"][1]["needs"][0], "base");
    commit(&repository);
    since(&[]);
    assert_eq!(images(&matrix(&repository, &["--changed-since", "HEAD~1"])), all);
}

#[test]
fn what_moves_in_the_lock_alone_is_a_change_and_a_stale_lock_is_an_error() {
    let repository = repository();
    let lock = fs::read_to_string(repository.path("docker/versions.lock")).unwrap();
    let at = lock.find("library:1.0").unwrap();
    let digest = at + lock[at..].find("sha256:").unwrap();
    let mut other = lock.clone();
    other.replace_range(digest..digest + 71, &format!("sha256:{}", "0".repeat(64)));
    repository.write("docker/versions.lock", &other);
    let found = matrix(&repository, &["--changed-since", "HEAD"]);
    assert_eq!(changes(&found, 0), ["jars/ maven:org.example:library:1.0 changed"]);
    assert_eq!(found["images"].as_array().unwrap().len(), 2);
    repository.replace("docker/versions.toml", "library = \"1.0\"", "library = \"2.0\"");
    let run = repository.run(&["ci-matrix", "--changed-since", "HEAD"]);
    assert_eq!(run.code, Some(1));
    run.says("to bring it up to date: cargo xtask lock");
}

#[test]
fn what_proves_an_image_tests_it_again_and_builds_nothing_on_top() {
    let repository = repository();
    repository.write("docker/smoke/jobs/look.sh", "true");
    let image = fs::read_to_string(repository.path("docker/custom/image.toml")).unwrap();
    repository.write("docker/custom/image.toml", &(image + "[[smoke]]\nonly-here = true\njobs = [\"look.sh\"]\n"));
    commit(&repository);
    repository.write("docker/smoke/jobs/look.sh", "false");
    repository.write("docker/smoke/README.md", "text");
    let found = matrix(&repository, &["--changed-since", "HEAD"]);
    assert_eq!(images(&found), ["custom-to-runtime-3.5.7: custom:3.5.7"]);
    assert_eq!(changes(&found, 0), ["docker/smoke/jobs/look.sh changed"]);
    assert_eq!(found["jobs"][0]["smoke"][0], "custom:3.5.7");
}

#[test]
fn a_raised_format_changes_all_and_other_sources_of_the_tool_are_only_reported() {
    let repository = repository();
    assert_eq!(matrix(&repository, &["--changed-since", "HEAD"])["changed_since"]["tool_changed"], false);
    repository.write("xtask/src/main.rs", "fn main() {}");
    commit(&repository);
    repository.write("xtask/src/main.rs", "fn main() { }");
    let found = matrix(&repository, &["--changed-since", "HEAD"]);
    assert_eq!((found["changed_since"]["tool_changed"].as_bool(), images(&found).len()), (Some(true), 0));
    // REF was built by a tool of another format.
    repository.write("xtask/crates/checkout/src/formats.toml", "image = 0\nrootfs = 1\ndistribution = 1\n");
    commit(&repository);
    let found = matrix(&repository, &["--changed-since", "HEAD"]);
    assert_eq!((images(&found).len(), changes(&found, 0)), (3, vec!["format changed"]));
}

#[test]
fn a_commit_that_cannot_be_understood_changes_all_and_one_that_is_not_there_is_an_error() {
    let repository = repository();
    let table = fs::read_to_string(repository.path("docker/versions.toml")).unwrap();
    repository.write("docker/versions.toml", "another = \"format\"\n");
    commit(&repository);
    repository.write("docker/versions.toml", &table);
    let run = repository.ok(&["ci-matrix", "--format", "json", "--changed-since", "HEAD"]);
    run.says("HEAD cannot be understood, so every image counts as changed");
    assert_eq!(images(&json(&run)).len(), 3);
    for (reference, message) in [("nothing", "to fetch it: git fetch"), ("--output=x", "is no name of a commit")] {
        let run = repository.run(&["ci-matrix", &format!("--changed-since={reference}")]);
        assert_eq!(run.code, Some(1));
        run.says(message);
    }
    fs::rename(repository.path(".git"), repository.path("git")).unwrap();
    repository.run(&["ci-matrix", "--changed-since", "HEAD"]).says("is in no git repository");
}

#[test]
fn a_workflow_of_github_gets_its_outputs() {
    let repository = repository();
    repository.write("docker/runtime/rootfs/run", "changed");
    let args = ["ci-matrix", "--changed-since", "HEAD", "--format", "github", "--github-output"];
    repository.run(&args).says("GITHUB_OUTPUT is not set");
    repository.write("output", "before=1\n");
    let run = Run::of(&repository.command(&args).env("GITHUB_OUTPUT", repository.path("output")).output().unwrap());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let output = fs::read_to_string(repository.path("output")).unwrap();
    let value = |name: &str| {
        let (_, rest) = output.split_once(&format!("{name}<<")).unwrap();
        rest.lines().nth(1).unwrap().to_owned()
    };
    assert!(output.starts_with("before=1\nmatrix<<"));
    assert_eq!([value("levels"), value("empty")], ["[\"level-1\"]", "false"]);
    assert_eq!(value("matrix"), run.stdout.trim_end());
    let found = json(&run);
    assert_eq!(found["level-0"]["include"], Value::Array(vec![]));
    let entry = &found["level-1"]["include"][0];
    assert_eq!(
        (entry["id"].as_str(), entry["runner"][0].as_str()),
        (Some("custom-to-runtime-3.5.7"), Some("ubuntu-24.04"))
    );
    assert_eq!(entry["command"], "cargo xtask ci run custom-to-runtime-3.5.7 --origin release");
    let single = json(&repository.ok(&["ci-matrix", "--format", "github", "--group-by", "version"]));
    let ids: Vec<&Value> = single["include"].as_array().unwrap().iter().map(|entry| &entry["id"]).collect();
    assert_eq!(ids, ["shared", "version-3.5.7"]);
}

#[test]
fn a_pipeline_of_gitlab_has_true_needs_and_an_empty_one_a_job() {
    let repository = repository();
    let run = repository.ok(&["ci-matrix", "--format", "gitlab", "--group-by", "image"]);
    run.says("\"runtime-3.5.7\":\n  extends: .job\n  tags: [\"big\"]\n  needs: [{\"artifacts\":false,\"job\":\"custom-3.5.7\"}]\n");
    run.says("script: [\"cargo xtask ci run runtime-3.5.7 --origin release ${SPARK_IMAGES_CACHE_FROM:+");
    let empty = repository.ok(&["ci-matrix", "--format", "gitlab", "--changed-since", "HEAD"]);
    empty.says("\nnothing-to-build:\n");
}

#[test]
fn a_limit_makes_the_grouping_coarser_or_is_an_error_that_names_it() {
    let repository = repository();
    repository.replace("docker/versions.toml", "jobs-per-pipeline = 500", "jobs-per-pipeline = 2");
    let args = ["ci-matrix", "--format", "gitlab", "--group-by", "image"];
    let run = repository.ok(&args);
    run.says("warning: grouped by image: jobs in the pipeline: 3, and jobs-per-pipeline of [ci.gitlab] in docker/versions.toml is 2");
    run.says("warning: grouped by chain instead");
    run.says("\"custom-to-runtime-3.5.7\":");
    repository.replace("docker/versions.toml", "jobs-per-pipeline = 2", "jobs-per-pipeline = 1");
    let run = repository.run(&args);
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""));
    run.says("grouping by version is the coarsest: jobs in the pipeline: 2, and jobs-per-pipeline of [ci.gitlab]");
    repository.replace("docker/versions.toml", "output-bytes = 1_048_576", "output-bytes = 100");
    let run = repository.run(&["ci-matrix", "--format", "github"]);
    assert_eq!(run.code, Some(1));
    run.says("bytes of the outputs, as UTF-16");
    repository.replace("docker/versions.toml", "\"linux/amd64\" = [\"big\"]", "other = [\"big\"]");
    repository.run(&args).says("[ci.gitlab.runners] of docker/versions.toml has no `linux/amd64`");
}

#[test]
fn what_is_missing_in_the_table_is_named() {
    let repository = Repository::new();
    repository.ok(&["lock"]);
    repository.run(&["ci-matrix"]).says("docker/versions.toml has no [ci]");
    with_ci(&repository);
    repository.replace("docker/versions.toml", "jobs-per-matrix = 256", "jobs-per-matrix = 0");
    repository.replace("docker/versions.toml", "job-minutes = 3\n", "");
    let run = repository.run(&["ci-matrix"]);
    run.says("expected a whole number above 0");
    run.says("`job-minutes` is missing in [ci]");
    repository.replace("docker/versions.toml", "jobs-per-matrix = 0", "jobs-per-matrix = 256");
    repository.replace("docker/versions.toml", "[ci]\n", "[ci]\njob-minutes = 3\n");
    for args in [
        ["--origin", "auto"],
        ["--source-dir", "."],
        ["--github-output", "--format=json"],
        ["--platform", "linux/arm64"],
    ] {
        assert_eq!(repository.run(&[&["ci-matrix"], &args[..]].concat()).code, Some(1), "{args:?}");
    }
}

#[test]
fn a_job_builds_its_images_and_what_they_stand_on() {
    let repository = repository();
    let run = repository.run(&["ci", "run", "custom"]);
    assert_eq!(run.code, Some(1));
    run.says("there is no job `custom`; grouped by chain there are\n  base\n  custom-to-runtime-3.5.7");
    repository.ok(&["ci", "run", "custom-3.5.7"]).says("built     custom:3.5.7");
    let states: BTreeSet<String> = repository.plan().into_iter().collect();
    let expected = ["base:1: cached", "custom:3.5.7: cached", "runtime:3.5-3.5.7: build"];
    assert_eq!(states, expected.map(str::to_owned).into());
    // What was measured is what the next matrix estimates by.
    let entries = matrix(&repository, &["--group-by", "image"]);
    let estimates: Vec<&Value> = entries["jobs"].as_array().unwrap().iter().map(|job| &job["estimate"]).collect();
    assert_eq!(estimates, ["last-run", "last-run", "bytes"]);
    for id in ["custom-to-runtime-3.5.7", "version-3.5.7", "level-2-3.5.7", "shared"] {
        repository.ok(&["ci", "run", id, "--locked"]);
    }
    assert!(repository.plan().iter().all(|image| image.ends_with(": cached")));
}

#[test]
fn what_the_audit_finds_ends_a_job_before_anything_is_handed_on() {
    let repository = repository();
    repository.write("docker/audit.toml", "");
    // Nothing listens there: whoever comes that far says another thing.
    let args =
        ["ci", "run", "custom-3.5.7", "--allow-dirty", "--sarif", "out/audit.sarif", "--cache-to", "localhost:1"];
    let run = repository.run(&args);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    run.says("error[broken-jar] opt/spark/jars/a.jar: ");
    assert!(run.stderr.ends_with("== audit\n"), "{}", run.stderr);
    let log: Value = serde_json::from_str(&fs::read_to_string(repository.path("out/audit.sarif")).unwrap()).unwrap();
    assert_eq!(log["runs"][0]["results"][0]["ruleId"], "broken-jar");
    let run = repository.run(&["ci", "run", "custom-3.5.7", "--no-audit", "--sarif", "out/audit.sarif"]);
    assert_eq!(run.code, Some(2));
    repository.ok(&["ci", "run", "custom-3.5.7", "--no-audit"]);
    repository.write("docker/audit.toml", EXCEPTION);
    repository.ok(&["ci", "run", "custom-3.5.7"]).says("1 image in ");
}

/// The table of 10,000 images that ci/bench.sh takes the time of, with fewer images.
#[test]
#[expect(clippy::disallowed_methods, reason = "the table is written by a script")]
fn a_table_with_many_images_is_planned() {
    let repository = Repository::new();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../ci/synthetic.py");
    let many = repository.path("many");
    let output = Command::new("python3").arg(script).arg(&many).arg("10").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let run = Run::of(&repository.command(&["ci-matrix", "--format", "json"]).current_dir(&many).output().unwrap());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let found = json(&run);
    let images: BTreeSet<&str> =
        found["images"].as_array().unwrap().iter().map(|image| image["image"].as_str().unwrap()).collect();
    assert_eq!(images.len(), 1000);
    assert_eq!(
        found["jobs"].as_array().unwrap().iter().flat_map(|job| job["images"].as_array().unwrap()).count(),
        1000
    );
    let args = ["ci-matrix", "--format", "github"];
    let run = Run::of(&repository.command(&args).current_dir(&many).output().unwrap());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let levels = json(&run);
    let lists: Vec<usize> =
        levels.as_object().unwrap().values().map(|level| level["include"].as_array().unwrap().len()).collect();
    assert!(lists.iter().all(|jobs| *jobs <= 256), "{lists:?}");
    assert_eq!(lists.iter().sum::<usize>(), 1000);
}
