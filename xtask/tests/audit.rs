//! `audit` as a command: what is judged, what is written, and how it ends.

mod support;

use serde_json::Value;
use support::{EXCEPTION, Repository, Run};

/// A repository whose images are built. Its jars are none, which is what an audit says of them.
fn built() -> Repository {
    let repository = Repository::new();
    repository.ok(&["build-layers"]);
    repository
}

fn json(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}\n{}\n{}", run.stdout, run.stderr))
}

/// Rule and path of each finding.
fn found(report: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    findings.map(|finding| (text(&finding["rule"]), text(&finding["place"]["path"]))).collect()
}

#[test]
fn built_images_are_judged_and_the_status_says_how() {
    let repository = Repository::new();
    let run = repository.run(&["audit"]);
    assert_eq!(run.code, Some(1));
    run.says("to build them: cargo xtask build-layers");
    repository.ok(&["build-layers"]);
    let run = repository.run(&["audit", "--format", "json"]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let report = json(&run);
    assert_eq!(report["audited"], serde_json::json!(["base:1", "custom:3.5.7", "runtime:3.5-3.5.7"]));
    let jars =
        ["a.jar", "b.jar", "library-1.0.jar"].map(|jar| ("broken-jar".to_owned(), format!("opt/spark/jars/{jar}")));
    assert_eq!(found(&report), jars);
    assert_eq!(report["findings"][0]["images"], serde_json::json!(["custom:3.5.7", "runtime:3.5-3.5.7"]));
    assert_eq!(report["findings"][0]["place"]["instruction"], "COPY spark/ /opt/spark/");
    repository.ok(&["audit", "--fail-on", "never"]).says("3 images in ");
    // What may be found is not; and no jar was missing from the lock.
    repository.write("docker/audit.toml", EXCEPTION);
    repository.ok(&["audit", "--fail-on", "note"]).says("0 errors, 0 warnings, 0 notes");
    repository.ok(&["audit", "base"]);
    repository.write("docker/audit.toml", &EXCEPTION.replace("broken-jar", "broken"));
    let run = repository.run(&["audit"]);
    assert_eq!(run.code, Some(1));
    run.says("docker/audit.toml cannot be understood: line 1: there is no rule `broken`; rules: aws-sdk-twice");
}

#[test]
fn a_secret_in_an_image_is_shown_at_its_dockerfile() {
    let repository = built();
    repository.write("docker/audit.toml", EXCEPTION);
    // Put together here, so that nobody finds a secret in this file.
    let key = ["AKIA", "Q7ZL2MPX9RT4BVWC"].concat();
    repository.write("docker/runtime/rootfs/etc/credentials", &format!("[default]\nkey = {key}\n"));
    repository.ok(&["build-layers"]);
    let run = repository.run(&["audit", "runtime", "--format", "sarif", "--output", "out.sarif"]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    // People read the same.
    assert!(run.stdout.starts_with("error[secret] etc/credentials:2: "), "{}", run.stdout);
    let text = std::fs::read_to_string(repository.path("out.sarif")).unwrap();
    assert!(!text.contains(&key), "a report must not spread the secret");
    let log: Value = serde_json::from_str(&text).unwrap();
    let results = log["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), 1, "{text}");
    assert_eq!(results[0]["ruleId"], "secret");
    let physical = &results[0]["locations"][0]["physicalLocation"]["artifactLocation"];
    assert_eq!(physical["uri"], "docker/runtime/Dockerfile");
    let run = repository.run(&["audit", "runtime"]);
    run.says("error[secret] etc/credentials:2: looks like a secret (AWS access key): `AKIA…`\n  by COPY rootfs/ /\n  in runtime:3.5-3.5.7");
    repository.ok(&["audit", "custom"]);
}

#[test]
fn jars_are_compared_with_the_lock() {
    let repository = built();
    repository.write("docker/audit.toml", EXCEPTION);
    // A jar that nobody asked for.
    repository.write("docker/runtime/rootfs/opt/own.jar", "own");
    repository.ok(&["build-layers"]);
    let report = json(&repository.run(&["audit", "--format", "json"]));
    let expected = ["broken-jar", "jar-not-in-lock"].map(|rule| (rule.to_owned(), "opt/own.jar".to_owned()));
    assert_eq!(found(&report), expected);
    // Where the store does not hold the Spark home, nothing is said of its jars but that.
    std::fs::remove_dir_all(repository.store().join("spark-homes")).unwrap();
    repository
        .ok(&["audit", "custom"])
        .says("note[not-judged] 2 jars of the Spark home could not be compared with the lock");
    assert_eq!(repository.run(&["audit", "custom", "--fail-on", "note"]).code, Some(1));
}

#[test]
fn a_tree_is_judged_by_this_table() {
    let repository = Repository::new();
    repository.write("old/docker/Dockerfile", "FROM apache/spark:3.5.7\nRUN chmod 777 /opt\n");
    let run = repository.run(&["audit", "--root", "old", "--format", "json"]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let expected = ["hadoop-version", "world-writable"].map(|rule| (rule.to_owned(), "docker/Dockerfile".to_owned()));
    assert_eq!(found(&json(&run)), expected);
    let run = repository.run(&["audit", "--root", "none"]);
    assert_eq!(run.code, Some(1));
    run.says("looking for --root none");
    assert_eq!(repository.run(&["audit", "--root", "old", "runtime"]).code, Some(2), "a tree has no images");
}
