//! A child pipeline for GitLab: <https://docs.gitlab.com/ci/yaml/>.

use std::fmt::Write as _;

use catalog::Gitlab as Limits;
use serde_json::json;

use crate::{entry::Entry, fit::check};

/// What each job has in common.
const HEAD: &str = r#"# Written by `cargo xtask ci-matrix --format gitlab`; docs/ci.md says how it is triggered.
stages: [build]

.job:
  stage: build
  image: $SPARK_IMAGES_CI_IMAGE
  rules: [{when: on_success}]
  interruptible: true
  variables:
    SPARK_IMAGES_CACHE: $CI_PROJECT_DIR/.cache/spark-images
  before_script:
    - |
      if [ -n "$CI_REGISTRY" ] && [ -z "$DOCKER_AUTH_CONFIG" ]; then
        auth=$(printf '%s:%s' "$CI_REGISTRY_USER" "$CI_REGISTRY_PASSWORD" | base64 | tr -d '\n')
        export DOCKER_AUTH_CONFIG="{\"auths\":{\"$CI_REGISTRY\":{\"auth\":\"$auth\"}}}"
      fi
  artifacts:
    when: always
    expire_in: 1 week
    reports: {junit: target/ci/junit.xml}
    paths: [target/ci/audit.sarif, target/spark-images/logs]
"#;

/// What the command of a job is followed by. A registry that no variable names leaves its flag out.
const FLAGS: &str = r#"${SPARK_IMAGES_CACHE_FROM:+--cache-from "$SPARK_IMAGES_CACHE_FROM"} ${SPARK_IMAGES_CACHE_TO:+--cache-to "$SPARK_IMAGES_CACHE_TO"} --junit target/ci/junit.xml --sarif target/ci/audit.sarif"#;

/// Whether images are pushed with their tags. Those of origin `release` only where it is allowed.
fn push(origin: &str) -> &'static str {
    match origin {
        "source" => r#"${SPARK_IMAGES_PUSH:+--push "$SPARK_IMAGES_PUSH"}"#,
        _ => r#"${SPARK_IMAGES_PUSH:+${SPARK_IMAGES_ALLOW_RELEASE:+--push "$SPARK_IMAGES_PUSH" --allow-release}}"#,
    }
}

/// Renders the entries.
///
/// # Errors
/// The limit that is broken, with both numbers.
pub fn gitlab(entries: &[Entry], limits: &Limits) -> Result<String, String> {
    check("jobs in the pipeline", entries.len(), limits.jobs_per_pipeline, "jobs-per-pipeline of [ci.gitlab]")?;
    let mut out = String::from(HEAD);
    // Strings of JSON are strings of YAML. Writing to a string cannot fail.
    let _ = write!(out, "\nvariables:\n  SPARK_IMAGES_CI_IMAGE: {}\n", json!(limits.image));
    for entry in entries {
        let what = format!("needs of the job {}", entry.id);
        check(&what, entry.needs.len(), limits.needs_per_job, "needs-per-job of [ci.gitlab]")?;
        let needs: Vec<_> = entry.needs.iter().map(|id| json!({ "job": id, "artifacts": false })).collect();
        let cargo = json!({ "key": { "files": ["Cargo.lock"], "prefix": "xtask" }, "paths": ["target/debug"] });
        let files = format!("files-{}", entry.cache.files);
        let mut cache = vec![cargo, json!({ "key": files, "paths": [".cache/spark-images/artifacts"] })];
        if let Some(key) = &entry.cache.spark {
            cache.push(json!({ "key": format!("spark-{key}"), "paths": [".cache/spark-images/spark-homes"] }));
        }
        let _ = write!(
            out,
            "\n{}:\n  extends: .job\n  tags: {}\n  needs: {}\n  timeout: {} minutes\n  cache: {}\n  script: {}\n",
            json!(entry.id),
            json!(entry.runner),
            json!(needs),
            entry.timeout,
            json!(cache),
            json!([format!("{} {FLAGS} {}", entry.command, push(&entry.origin))]),
        );
    }
    if entries.is_empty() {
        out.push_str("\nnothing-to-build:\n  stage: build\n  image: $SPARK_IMAGES_CI_IMAGE\n");
        out.push_str("  rules: [{when: on_success}]\n  script: [\"true\"]\n");
    }
    check("bytes of the pipeline", out.len(), limits.yaml_bytes, "yaml-bytes of [ci.gitlab]")?;
    Ok(out)
}
