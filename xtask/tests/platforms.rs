//! Images for two processors, with whole commands on a small repository.

mod support;

use std::{collections::BTreeMap, fs, io::Write as _};

use serde_json::Value;
use support::{Repository, Run};

/// This machine's platform, and one that it does not run. Where it runs neither, the first is what is meant without a word.
const OWN: &str = if cfg!(target_arch = "aarch64") { "linux/arm64" } else { "linux/amd64" };
const OTHER: &str = if cfg!(target_arch = "aarch64") { "linux/amd64" } else { "linux/arm64" };
const BOTH: [&str; 2] = ["--platform", "linux/amd64,linux/arm64"];

fn repository() -> Repository {
    let repository = Repository::new();
    let platforms = format!("platforms = [\"{OWN}\", \"{OTHER}\"]");
    repository.replace("docker/versions.toml", "platforms = [\"linux/amd64\"]", &platforms);
    repository
}

fn with<'a>(first: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [first, more].concat()
}

/// The digest of each image on each platform, `null` where it is not built.
fn digests(repository: &Repository) -> BTreeMap<String, Value> {
    let list: Value = serde_json::from_str(&repository.ok(&["list", "--json"]).stdout).unwrap();
    let images = list.as_array().unwrap().iter();
    images.map(|image| (image["image"].as_str().unwrap().to_owned(), image["platforms"].clone())).collect()
}

/// `name platform: state` of each image of a plan.
fn plan(repository: &Repository, platforms: &[&str]) -> Vec<String> {
    let plan: Value = serde_json::from_str(&repository.ok(&with(&["plan", "--json"], platforms)).stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let line =
        |image: &Value| format!("{} {}: {}", text(&image["image"]), text(&image["platform"]), text(&image["state"]));
    plan.as_array().unwrap().iter().map(line).collect()
}

/// The documents of a layout below `folder` that a name stands for.
fn document(folder: &std::path::Path, digest: &Value) -> Value {
    let digest = digest.as_str().unwrap().strip_prefix("sha256:").unwrap();
    serde_json::from_slice(&fs::read(folder.join("blobs/sha256").join(digest)).unwrap()).unwrap()
}

fn named(folder: &std::path::Path, name: &str) -> Value {
    let index: Value = serde_json::from_slice(&fs::read(folder.join("index.json")).unwrap()).unwrap();
    let named = |image: &&Value| image["annotations"]["org.opencontainers.image.ref.name"] == name;
    index["manifests"].as_array().unwrap().iter().find(named).unwrap().clone()
}

#[test]
fn who_names_no_platform_sees_none_and_gets_what_others_get() {
    let (one, two) = (Repository::new(), repository());
    let simple = format!("platforms = [\"{OWN}\"]");
    one.replace("docker/versions.toml", "platforms = [\"linux/amd64\"]", &simple);
    for repository in [&one, &two] {
        let run = repository.ok(&["build-layers"]);
        let seen = format!("{}{}{}", run.stdout, run.stderr, repository.ok(&["list"]).stdout);
        assert!(!seen.to_lowercase().contains("platform") && !seen.contains("linux/"), "{seen}");
    }
    assert_eq!(one.digests(), two.digests());
    two.ok(&with(&["build-layers"], &BOTH));
    assert_eq!(one.digests(), two.digests());
    assert!(two.ok(&["list"]).stdout.contains(&OTHER.to_uppercase()));
    assert!(!two.ok(&["plan"]).stdout.contains("linux/"));
}

#[test]
fn one_name_stands_for_both_and_shared_layers_are_one_file() {
    let repository = repository();
    let run = repository.ok(&with(&["build-layers"], &BOTH));
    run.says(&format!("built     runtime:3.5-3.5.7 {OTHER}"));
    run.says("PLATFORM");
    let layout = repository.path("target/spark-images/images");
    for name in ["base:1", "runtime:3.5-3.5.7", "runtime:3.5"] {
        let index = document(&layout, &named(&layout, name)["digest"]);
        let images = index["manifests"].as_array().unwrap();
        let on = |image: &Value| image["platform"]["architecture"].as_str().unwrap().to_owned();
        assert_eq!(images.iter().map(on).collect::<Vec<_>>(), ["amd64", "arm64"]);
        let manifests: Vec<Value> = images.iter().map(|image| document(&layout, &image["digest"])).collect();
        assert_eq!(manifests[0]["layers"], manifests[1]["layers"], "{name}: nothing in it is for one processor");
        for (image, manifest) in images.iter().zip(&manifests) {
            assert_eq!(document(&layout, &manifest["config"]["digest"])["architecture"], on(image));
        }
    }
    // Nothing to do, for each of them and for both.
    for platforms in [&["--platform", OWN][..], &["--platform", OTHER], &BOTH] {
        let run = repository.ok(&with(&["build-layers", "--locked", "--offline"], platforms));
        assert!(!run.stdout.contains("built"), "{}", run.stdout);
    }
    assert_eq!(plan(&repository, &["--platform", OTHER])[0], format!("base:1 {OTHER}: cached"));
    repository.ok(&["store", "verify"]).says("every file has its digest");
}

#[test]
fn a_name_never_stands_for_images_of_two_makings() {
    let repository = repository();
    repository.ok(&with(&["build-layers"], &BOTH));
    repository.write("docker/runtime/rootfs/run", "changed");
    repository.ok(&["build-layers"]).says("built     runtime:3.5-3.5.7");
    let after = digests(&repository);
    assert!(after["base:1"][OTHER].is_string());
    assert!(after["runtime:3.5-3.5.7"][OWN].is_string());
    assert!(after["runtime:3.5-3.5.7"][OTHER].is_null(), "the other one is of the old making");
    let other = ["--platform", OTHER];
    repository.ok(&with(&["plan"], &other)).says("docker/runtime/rootfs/run changed");
    let expected = ["base:1", "custom:3.5.7"].map(|name| format!("{name} {OTHER}: cached"));
    let expected = [&expected[..], &[format!("runtime:3.5-3.5.7 {OTHER}: build")]].concat();
    assert_eq!(plan(&repository, &other), expected);
    repository.ok(&with(&["build-layers"], &other));
    assert!(plan(&repository, &BOTH).iter().all(|image| image.ends_with(": cached")));
    assert!(digests(&repository)["runtime:3.5-3.5.7"][OWN].is_string(), "what is current keeps its name");
}

#[test]
fn one_platform_or_both_are_exported() {
    let repository = repository();
    repository.ok(&["build-layers"]);
    let run = |args: &[&str]| repository.run(&with(&["export", "runtime:3.5", "-o", "out", "--force"], args));
    let missing = run(&with(&["--format", "oci-dir"], &BOTH));
    missing.says(&format!("runtime:3.5-3.5.7 {OTHER} is not built"));
    missing.says(&format!("cargo xtask build-layers runtime:3.5-3.5.7 --platform {OTHER}"));
    let before = {
        assert_eq!(run(&["--format", "docker-archive"]).code, Some(0));
        fs::read(repository.path("out")).unwrap()
    };
    repository.ok(&with(&["build-layers"], &BOTH));
    assert_eq!(run(&["--format", "docker-archive"]).code, Some(0));
    assert_eq!(
        fs::read(repository.path("out")).unwrap(),
        before,
        "the other platform is seen in the export of this one"
    );
    assert_eq!(run(&["--format", "docker-archive", "--platform", OTHER]).code, Some(0));
    assert_ne!(fs::read(repository.path("out")).unwrap(), before);
    run(&with(&["--format", "docker-archive"], &BOTH)).says("a docker-archive holds an image for one platform");
    fs::remove_file(repository.path("out")).unwrap();
    assert_eq!(run(&with(&["--format", "oci-dir"], &BOTH)).code, Some(0));
    let folder = repository.path("out");
    let both = named(&folder, "runtime:3.5-3.5.7");
    assert_eq!(document(&folder, &both["digest"])["manifests"].as_array().unwrap().len(), 2);
    assert_eq!(run(&["--format", "oci-dir", "--platform", OTHER]).code, Some(0));
    let one = named(&folder, "runtime:3.5-3.5.7");
    assert_eq!(one["mediaType"], "application/vnd.oci.image.manifest.v1+json");
}

#[test]
fn what_this_machine_does_not_run_is_built_without_running_it() {
    let repository = repository();
    repository.replace("docker/runtime/image.toml", "[[stage]]", "[[smoke]]\njobs = [\"x.sh\"]\n[[stage]]");
    repository.write("docker/smoke/jobs/x.sh", "#!/bin/sh\n");
    repository.ok(&with(&["build-layers"], &BOTH));
    let other = ["--platform", OTHER];
    let run = repository.run(&["run", "runtime:3.5", "--platform", OTHER, "--", "true"]);
    assert_ne!(run.code, Some(0));
    let refused = format!("runs no programs of {OTHER}");
    if !run.stderr.contains(&refused) {
        return; // The kernel of this machine knows an emulator.
    }
    let smoke = repository.ok(&with(&["smoke", "runtime"], &other));
    smoke.says(&format!("skipped  runtime:3.5-3.5.7 {OTHER}, nobody: built: this machine"));
    smoke.says("0 passed, 0 failed, 1 skipped");
    repository.write("docker/runtime/Dockerfile", "ARG PARENT\nFROM ${PARENT}\nCOPY rootfs/ /\nRUN [\"/run\"]\n");
    let run = repository.run(&with(&["build-layers"], &other));
    assert_eq!(run.code, Some(1));
    run.says("docker/runtime/Dockerfile:4: ");
    run.says(&refused);
    run.says(&format!("next: cargo xtask build-layers runtime:3.5-3.5.7 --platform {OTHER}"));
}

/// A wheel for a platform tag.
fn wheel(repository: &Repository, tag: &str) {
    let file = format!("lib-1.0-{tag}.whl");
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let record = "lib.py,,\nlib-1.0.dist-info/METADATA,,\nlib-1.0.dist-info/WHEEL,,\nlib-1.0.dist-info/RECORD,,\n";
    let about = format!("Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n");
    for (name, text) in [
        ("lib.py", tag),
        ("lib-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: lib\nVersion: 1.0\n"),
        ("lib-1.0.dist-info/WHEEL", &about),
        ("lib-1.0.dist-info/RECORD", record),
    ] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    repository.registry.files.put(&format!("/files/{file}"), zip.finish().unwrap().into_inner());
}

fn page(repository: &Repository, tags: &[&str]) {
    let links = tags.iter().map(|tag| format!("<a href=\"../../files/lib-1.0-{tag}.whl\">lib-1.0-{tag}.whl</a>\n"));
    repository.registry.files.put("/simple/lib/", links.collect::<String>());
    tags.iter().for_each(|tag| wheel(repository, tag));
}

#[test]
fn what_has_no_wheel_for_a_platform_is_blocked_there_and_built_elsewhere() {
    const WHEELS: [(&str, &str); 2] =
        [("linux/amd64", "cp311-cp311-manylinux_2_17_x86_64"), ("linux/arm64", "cp311-cp311-manylinux_2_17_aarch64")];
    let tag = |platform: &str| WHEELS.iter().find(|(of, _)| *of == platform).unwrap().1;
    let repository = repository();
    repository.replace(
        "docker/runtime/image.toml",
        "[[stage]]",
        "[[stage]]\ninto = \"python/\"\npython = [\"lib==1.0\"]\n[[stage]]",
    );
    repository.write("docker/runtime/Dockerfile", "ARG PARENT\nFROM ${PARENT}\nCOPY python/ /usr/local/\n");
    page(&repository, &[tag(OWN)]);
    let lock = repository.ok(&["lock"]);
    lock.says("absent   python runtime 3.5.7");
    let one = fs::read_to_string(repository.path("docker/versions.lock")).unwrap();
    assert!(!one.contains("127.0.0.1"), "{one}");
    let run = repository.run(&with(&["build-layers"], &BOTH));
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    run.says(&format!("blocked: runtime:3.5-3.5.7 {OTHER}: python runtime 3.5.7"));
    run.says("has no wheel for this Python and system");
    let built = digests(&repository);
    assert!(built["runtime:3.5-3.5.7"][OWN].is_string() && built["runtime:3.5-3.5.7"][OTHER].is_null());
    assert!(built["custom:3.5.7"][OTHER].is_string());
    let before = built["runtime:3.5-3.5.7"][OWN].clone();
    // The wheel is published: looking again adds it, and moves nothing.
    page(&repository, &[tag(OWN), tag(OTHER)]);
    repository.ok(&["lock", "--update", "unresolved"]).says("added    pypi:lib==1.0/lib-1.0");
    let two = fs::read_to_string(repository.path("docker/versions.lock")).unwrap();
    let entry =
        |text: &str| text.split("[[artifact]]").filter(|part| part.contains(tag(OWN))).last().map(str::to_owned);
    assert_eq!(entry(&one), entry(&two));
    repository.ok(&with(&["build-layers"], &BOTH));
    assert_eq!(digests(&repository)["runtime:3.5-3.5.7"][OWN], before);
    // On the main platform it is a mistake in the table.
    let elsewhere = repository.elsewhere();
    for file in ["docker/versions.toml", "docker/runtime/image.toml", "docker/runtime/Dockerfile"] {
        fs::copy(repository.path(file), elsewhere.path(file)).unwrap();
    }
    page(&elsewhere, &[tag(OTHER)]);
    let run = elsewhere.run(&["lock"]);
    assert_eq!(run.code, Some(1));
    run.says("no set of versions satisfies the requirements");
}

#[test]
fn only_what_a_platform_needs_is_fetched() {
    let repository = repository();
    let stage = |platform: &str, version: &str| {
        format!(
            "[[stage]]\ninto = \"own/\"\nplatforms = [\"{platform}\"]\nmaven = [\"org.example:native:{version}\"]\n"
        )
    };
    let image = fs::read_to_string(repository.path("docker/runtime/image.toml")).unwrap();
    repository.write("docker/runtime/image.toml", &(image + &stage(OWN, "1") + &stage(OTHER, "2")));
    repository.write("docker/runtime/Dockerfile", "ARG PARENT\nFROM ${PARENT}\nCOPY own/ /own/\n");
    for version in ["1", "2"] {
        let path = format!("/maven/org/example/native/{version}/native-{version}.jar");
        repository.registry.files.put(&path, format!("native {version}"));
    }
    repository.ok(&["lock"]);
    let elsewhere = repository.elsewhere();
    for file in
        ["docker/versions.toml", "docker/versions.lock", "docker/runtime/image.toml", "docker/runtime/Dockerfile"]
    {
        fs::copy(repository.path(file), elsewhere.path(file)).unwrap();
    }
    elsewhere.ok(&["fetch"]).says("of 3 files");
    elsewhere.ok(&["build-layers", "--offline"]);
    let run = elsewhere.run(&with(&["build-layers", "--offline"], &["--platform", OTHER]));
    assert_eq!(run.code, Some(1));
    run.says("maven:org.example:native:2");
    elsewhere.ok(&with(&["fetch"], &BOTH)).says("of 4 files");
    elsewhere.ok(&with(&["build-layers", "--offline"], &BOTH));
}

#[test]
fn a_platform_that_is_not_there_is_answered_with_those_that_are() {
    let repository = Repository::new();
    repository.ok(&["lock"]);
    for command in ["build-layers", "plan", "fetch", "smoke"] {
        repository
            .run(&[command, "--platform", "linux/arm64"])
            .says("docker/versions.toml does not build for linux/arm64: it has linux/amd64");
        repository
            .run(&[command, "--platform", "arm64"])
            .says("`arm64` is no platform: expected linux/amd64 or linux/arm64");
    }
    let _: Run = repository.ok(&["build-layers", "--platform", "linux/amd64"]);
}
