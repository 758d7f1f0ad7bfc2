//! `bake` on a small repository. buildx is played by a script; that the real one takes what it gets is proven by
//! `ci/bake.sh`.

mod support;

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use serde_json::{Value, json};
use support::{LIBRARY, Repository, Run};

/// A folder with a `docker` whose buildx has one builder, `far`, and notes how it was called and what lay there.
const DOCKER: &str = r#"#!/bin/sh
case "$2" in
version) ;;
ls) echo '{"Name":"far","Driver":"remote"}' ;;
inspect)
  [ "$4" = far ] || { echo "ERROR: no builder \"$4\" found" >&2; exit 1; }
  printf 'Name: far\nNodes:\nName: far0\nStatus: running\nBuildKit version: v0.34.2\n' ;;
bake)
  echo "$@" > called
  find . -type f | sort > lay
  printf '{"runtime_3_5-3_5_7":{"containerimage.digest":"sha256:abc"}}' > metadata.json ;;
esac
"#;

fn bake(repository: &Repository, path: &str, args: &[&str]) -> Command {
    let mut command = repository.command(&[&["bake"], args].concat());
    command.env("PATH", path);
    command
}

/// A repository with a `docker` in its folder `bin`.
fn with_docker() -> (Repository, String) {
    let repository = Repository::new();
    repository.write("bin/docker", DOCKER);
    let docker = repository.path("bin/docker");
    fs::set_permissions(&docker, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", docker.parent().unwrap().display());
    (repository, path)
}

fn print(repository: &Repository, args: &[&str]) -> (Value, Run) {
    let run = repository.run(&[&["bake", "--print"], args].concat());
    (serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr)), run)
}

#[test]
fn the_file_holds_the_images_of_the_plan_and_their_parents() {
    let repository = Repository::new();
    let (file, _) = print(&repository, &["runtime"]);
    assert_eq!(file["group"]["default"]["targets"], json!(["base_1", "custom_3_5_7", "runtime_3_5-3_5_7"]));
    let expected = json!({
        "context": "runtime_3_5-3_5_7/context",
        "dockerfile": "../Dockerfile",
        "args": { "PARENT": "custom:3.5.7", "SOURCE_DATE_EPOCH": "1769817600" },
        "contexts": { "custom:3.5.7": "target:custom_3_5_7" },
        "labels": file["target"]["runtime_3_5-3_5_7"]["labels"],
        "tags": ["runtime:3.5-3.5.7", "runtime:3.5"],
        "platforms": ["linux/amd64"],
        "network": "none",
        "attest": ["type=provenance,disabled=true", "type=sbom,disabled=true"],
        "output": ["type=cacheonly"],
    });
    assert_eq!(file["target"]["runtime_3_5-3_5_7"], expected);
    assert_eq!(file["target"]["runtime_3_5-3_5_7"]["labels"]["org.opencontainers.image.version"], "3.5-3.5.7");
    assert!(!repository.path("target").join("spark-images/bake").exists());
}

#[test]
fn registries_secrets_and_the_network_reach_the_file() {
    let repository = Repository::new();
    repository.replace("docker/base/image.toml", "about", "network = true\nabout");
    repository.write("token", "t");
    let args = [
        "base",
        "--push",
        "r.example.com/team",
        "--origin",
        "release",
        "--cache",
        "localhost:5000",
        "--oci",
        "out",
        "--load",
        "--secret",
        "id=a,src=token",
        "--secret",
        "id=b,env=PATH",
    ];
    let (file, _) = print(&repository, &args);
    let base = &file["target"]["base_1"];
    let here = repository.path("").canonicalize().unwrap();
    let here = here.display();
    assert_eq!(base["tags"], json!(["r.example.com/team/base:1"]));
    assert_eq!(base["cache-from"], json!(["type=registry,ref=localhost:5000/base:cache-1"]));
    assert_eq!(base["cache-to"], json!(["type=registry,ref=localhost:5000/base:cache-1,mode=max"]));
    assert_eq!(base["secret"], json!([format!("id=a,src={here}/token"), "id=b,env=PATH"]));
    let archive = format!("type=oci,\"dest={here}/out/base_1.tar\"");
    assert_eq!(base["output"], json!(["type=registry", "type=docker", archive]));
    assert_eq!(base.get("network"), None);
}

#[test]
fn what_is_blocked_is_left_out_and_said() {
    let repository = Repository::new();
    repository.registry.files.remove(LIBRARY);
    let (file, run) = print(&repository, &[]);
    assert_eq!(file["group"]["default"]["targets"], json!(["base_1"]));
    assert_eq!(run.code, Some(3));
    run.says("blocked: custom:3.5.7: maven:org.example:library:1.0");
}

#[test]
fn a_builder_gets_the_contexts_and_they_are_staged_once() {
    let (repository, path) = with_docker();
    let run = || {
        let run = Run::of(
            &bake(&repository, &path, &["--builder", "far", "--origin", "release", "--push", "r.example.com"])
                .output()
                .unwrap(),
        );
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        run
    };
    run().says("pushed  r.example.com/runtime:3.5-3.5.7@sha256:abc\n");
    let folder = repository.path("target/spark-images/bake");
    let called = fs::read_to_string(folder.join("called")).unwrap();
    assert_eq!(called, "buildx bake --builder far --file docker-bake.json --metadata-file=metadata.json\n");
    let lay = fs::read_to_string(folder.join("lay")).unwrap();
    for file in ["./base_1/context/rootfs/etc/base.conf", "./custom_3_5_7/Dockerfile", "./docker-bake.json"] {
        assert!(lay.contains(file), "{file} in {lay}");
    }
    // What is there as it should be is not written again; what a killed run left goes.
    let mark = folder.join("base_1/context/mark");
    fs::write(&mark, "").unwrap();
    fs::create_dir(folder.join(".new-left")).unwrap();
    repository.write("docker/runtime/rootfs/run", "changed");
    run();
    assert!(mark.exists());
    assert!(!folder.join(".new-left").exists());
    assert_eq!(fs::read_to_string(folder.join("runtime_3_5-3_5_7/context/rootfs/run")).unwrap(), "changed");
    repository.write("docker/base/rootfs/etc/base.conf", "changed");
    run();
    assert!(!mark.exists());
}

#[test]
fn without_a_builder_the_files_are_written_and_the_command_is_said() {
    let repository = Repository::new();
    let run = repository.ok(&["bake", "base", "--output", "out dir"]);
    let folder = repository.path("out dir").canonicalize().unwrap();
    let folder = folder.display();
    run.says(&format!("cd '{folder}' && docker buildx bake --builder NAME --file docker-bake.json\n"));
    assert!(repository.path("out dir/base_1/context/rootfs/etc/base.conf").exists());
}

#[test]
fn what_is_missing_is_said_before_anything_is_staged() {
    let (repository, path) = with_docker();
    let failed = |path: &str, args: &[&str]| {
        let run = Run::of(&bake(&repository, path, args).output().unwrap());
        assert_eq!(run.code, Some(1), "{}", run.stderr);
        assert!(!repository.path("target/spark-images/bake").exists());
        run
    };
    let none = failed("/nowhere", &["--builder", "far"]);
    none.says("there is no buildx, neither as `docker buildx` nor as the program `buildx`");
    let other = failed(&path, &["--builder", "near"]);
    other.says("buildx has no builder `near`; there are far\nto make one: docker buildx create --name near");
    let push = ["--builder", "far", "--push", "team/spark"];
    failed(&path, &push).says("so the origin of their Spark must be named\n--origin source");
    failed(&path, &[&push[..], &["--origin", "auto"]].concat()).says("must be named");
    failed(&path, &[&push[..], &["--origin", "source"]].concat()).says("`team/spark` names no registry");
    failed(&path, &["--builder", "far", "--secret", "id=a,src=gone"]).says("there is no file gone");
}
