//! Whole commands against a registry in this process: push, pull, build from what was pushed.

#[path = "../crates/distribution/tests/it/fake.rs"]
mod fake;
mod support;

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use fake::{Act, Door, Fake, Skills};
use support::{EXCEPTION, Repository, Run};

const MAY: [&str; 2] = ["--allow-release", "--allow-dirty"];

/// A repository whose images are built, and a registry.
fn built(skills: Skills) -> (Repository, Fake) {
    let repository = Repository::new();
    repository.ok(&["build-layers"]);
    (repository, Fake::start(skills))
}

fn push_args<'a>(target: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    ["push", target].into_iter().chain(MAY).chain(more.iter().copied()).collect()
}

fn json(run: &Run) -> serde_json::Value {
    serde_json::from_str(&run.stdout).unwrap()
}

#[test]
fn what_is_pushed_is_pulled_elsewhere_and_nothing_is_left_to_build() {
    for compression in ["none", "gzip", "gzip:9"] {
        let (here, fake) = built(Skills::default());
        let target = format!("{}/team", fake.host);
        here.ok(&push_args(&target, &["--compression", compression])).says("pushed");
        for tag in ["base:1", "custom:3.5.7", "runtime:3.5-3.5.7", "runtime:3.5"] {
            assert!(fake.tag(&format!("team/{tag}")).is_some(), "{tag}");
        }
        let there = here.elsewhere();
        fs::copy(here.path("docker/versions.lock"), there.path("docker/versions.lock")).unwrap();
        there.ok(&["pull", &target]).says("pulled");
        assert_eq!(there.digests(), here.digests());
        assert_eq!(there.plan(), ["base:1: cached", "custom:3.5.7: cached", "runtime:3.5-3.5.7: cached"]);
        // Without a network: no artifact was fetched, and none is needed.
        let again = there.ok(&["build-layers", "--offline", "--json"]);
        assert!(!again.stdout.contains("\"built\""), "{}", again.stdout);
        there.ok(&["store", "verify"]);
        // What was recorded of sizes is what a build records.
        let record = |repository: &Repository| {
            let text = fs::read(repository.path("target/spark-images/images/.records/runtime_3.5-3.5.7.json")).ok();
            let text = text.unwrap_or_else(|| panic!("no record of the runtime image"));
            let record: serde_json::Value = serde_json::from_slice(&text).unwrap();
            (record["size"].clone(), record["added"].clone(), record["record"].clone())
        };
        assert_eq!(record(&there), record(&here));
    }
}

#[test]
fn a_second_push_sends_nothing_and_only_asks() {
    let (here, fake) = built(Skills::default());
    here.ok(&push_args(&fake.host, &[]));
    fake.asked();
    let second = here.ok(&push_args(&fake.host, &["--json"]));
    assert!(json(&second)["images"].as_array().unwrap().iter().all(|image| image["was_there"] == true));
    let asked = fake.asked();
    assert!(asked.iter().all(|line| line.starts_with("HEAD ")), "{asked:?}");
    // 1, 3.5.7, 3.5-3.5.7 and 3.5, and the fingerprint of each image.
    assert_eq!(asked.len(), 4 + 3, "one question for each tag: {asked:?}");
}

#[test]
fn the_same_image_of_other_inputs_gets_another_fingerprint() {
    let (here, fake) = built(Skills::default());
    here.ok(&push_args(&fake.host, &["base"]));
    let fingerprints = || fake.state().tags.keys().filter(|tag| tag.starts_with("base:fp-")).count();
    assert_eq!(fingerprints(), 1);
    here.replace("docker/base/Dockerfile", "FROM scratch", "# A comment.\nFROM scratch");
    here.ok(&["build-layers", "base"]);
    let again = json(&here.ok(&push_args(&fake.host, &["base", "--json"])));
    assert_eq!((again["layers"]["sent"].clone(), again["images"][0]["was_there"].clone()), (0.into(), true.into()));
    assert_eq!(fingerprints(), 2);
}

#[test]
fn layers_that_images_share_are_sent_once_and_mounted() {
    let (here, fake) = built(Skills::default());
    let pushed = json(&here.ok(&push_args(&fake.host, &["--json"])));
    let layers = &pushed["layers"];
    // base 1, custom 2 of its own, runtime 1; custom has base's, runtime has all of custom's.
    let (sent, mounted) = (layers["sent"].as_u64().unwrap(), layers["mounted"].as_u64().unwrap());
    let state = fake.state();
    let distinct: std::collections::BTreeSet<_> =
        state.blobs.keys().filter_map(|name| name.split('/').nth(1)).collect();
    let configs = 3;
    assert_eq!(sent as usize, distinct.len() - configs);
    assert_eq!((sent + mounted) as usize, state.blobs.len() - configs);
    assert!(mounted > 0);
}

#[test]
fn what_must_not_leave_is_refused_with_all_reasons() {
    let (here, fake) = built(Skills::default());
    git(&here, &["init", "-q"]);
    git(&here, &["add", "docker"]);
    git(&here, &["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"]);
    let refused = here.run(&["push", &fake.host]);
    assert_eq!(refused.code, Some(1));
    refused.says("of origin `release`");
    assert!(!refused.stderr.contains("differs from its last commit"), "{}", refused.stderr);
    here.write("docker/runtime/rootfs/more", "more");
    let refused = here.run(&["push", &fake.host]);
    refused.says("of origin `release`");
    refused.says("?? docker/runtime/rootfs/more");
    refused.says("--allow-dirty");
    assert!(fake.asked().is_empty());
    // The base holds no Spark, and its sources are as they were committed.
    fs::remove_file(here.path("docker/runtime/rootfs/more")).unwrap();
    here.ok(&["push", &fake.host, "base"]);
}

#[expect(clippy::disallowed_methods, reason = "tests make the checkout that they test")]
fn git(here: &Repository, args: &[&str]) {
    assert!(Command::new("git").args(args).current_dir(here.path("")).status().unwrap().success());
}

#[test]
fn a_smoke_report_lets_through_what_it_proved() {
    let (here, fake) = built(Skills::default());
    let digests = here.digests();
    let digest = |name: &str| digests[&format!("\"{name}\"")].trim_matches('"').to_owned();
    let report = |digest: &str| {
        let case = r#"{"image":"base:1","check":"pi","verdict":"passed"}"#;
        format!(r#"{{"version":1,"complete":true,"images":{{"base:1":"{digest}"}},"cases":[{case}]}}"#)
    };
    let args = |image: &'static str| push_args(&fake.host, &["--require-smoke", "smoke.json", image]);
    here.write("smoke.json", &report(&digest("base:1")));
    here.run(&args("runtime")).says("runtime:3.5-3.5.7: the smoke report does not know it");
    here.ok(&args("base"));
    let other = format!("sha256:{}", "0".repeat(64));
    here.write("smoke.json", &report(&other));
    here.run(&args("base")).says(&format!("expected {}, found {other} in the report", digest("base:1")));
    here.write("smoke.json", "<?xml version=\"1.0\"?><testsuites/>");
    here.run(&args("base")).says("is a JUnit report");
}

#[test]
fn tags_move_all_or_none() {
    for untag in [true, false] {
        let (here, fake) = built(Skills { untag, ..Skills::default() });
        here.ok(&push_args(&fake.host, &["base", "custom"]));
        let before: Vec<_> = ["base:1", "custom:3.5.7"].iter().map(|tag| fake.tag(tag)).collect();
        here.write("docker/base/rootfs/etc/base.conf", "other");
        here.ok(&["build-layers"]);
        // It is not known which of the others have moved by then.
        fake.fault("PUT", "/runtime/manifests/3.5-3.5.7", Act::Answer(400, &[], "no such tag, says a rule"));
        let failed = here.run(&push_args(&fake.host, &[]));
        assert_eq!(failed.code, Some(1));
        failed.says("tags were not moved, since that must happen to all or none");
        failed.says("no such tag, says a rule");
        let after: Vec<_> = ["base:1", "custom:3.5.7"].iter().map(|tag| fake.tag(tag)).collect();
        assert_eq!(after, before);
        match (untag, fake.tag("runtime:3.5")) {
            (true, tag) => assert_eq!(tag, None),
            // A registry that takes no tag away keeps it if it was moved, and the error says so.
            (false, Some(_)) => failed.says("left as it is"),
            (false, None) => {}
        }
        let notes = fs::read_to_string(here.path("target/spark-images/logs/push-tags.json")).unwrap();
        assert!(notes.contains(before[0].as_deref().unwrap()), "{notes}");
        let second = json(&here.ok(&push_args(&fake.host, &["--json"])));
        assert_eq!(second["layers"]["sent"], 0);
        assert_ne!(fake.tag("base:1"), before[0]);
        assert!(fake.tag("runtime:3.5-3.5.7").is_some());
    }
}

#[test]
fn no_tag_moves_while_a_blob_is_missing() {
    let (here, fake) = built(Skills::default());
    fake.fault("POST", "/custom/blobs/uploads/", Act::Answer(403, &[], ""));
    let failed = here.run(&push_args(&fake.host, &[]));
    assert_eq!(failed.code, Some(1));
    failed.says("answered 403");
    assert!(fake.state().tags.keys().all(|tag| tag.contains(":fp-")), "{:?}", fake.state().tags);
    here.ok(&push_args(&fake.host, &[]));
}

#[test]
fn a_push_that_was_killed_is_completed_by_the_next() {
    let (here, fake) = built(Skills::default());
    fake.fault("PUT", "/custom/blobs/uploads/", Act::Hang(100));
    let mut child = here.spawn(&push_args(&fake.host, &[]));
    fake.wait_until_it_hangs();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(fake.tag("custom:3.5.7"), None);
    here.ok(&push_args(&fake.host, &[]));
    assert!(fake.tag("custom:3.5.7").is_some());
    let there = here.elsewhere();
    fs::copy(here.path("docker/versions.lock"), there.path("docker/versions.lock")).unwrap();
    there.ok(&["pull", &fake.host]);
    assert_eq!(there.digests(), here.digests());
}

#[test]
fn tags_are_templates() {
    let (here, fake) = built(Skills::default());
    here.ok(&push_args(&fake.host, &["runtime", "--tag", "{tag}-r42", "--tag", "latest"]));
    let mut tags: Vec<_> = fake.state().tags.keys().filter(|tag| !tag.contains(":fp-")).cloned().collect();
    tags.sort();
    assert_eq!(tags, ["runtime:3.5-3.5.7-r42", "runtime:3.5-r42", "runtime:latest"]);
    here.run(&push_args(&fake.host, &["--tag", "a b"])).says("`a b` is no tag");
}

#[test]
fn a_dry_run_changes_nothing() {
    let (here, fake) = built(Skills::default());
    here.ok(&push_args(&fake.host, &["--dry-run"])).says("to push");
    let asked = fake.asked();
    assert!(asked.iter().all(|line| line.starts_with("HEAD ")), "{asked:?}");
    assert!(!here.store().join("compressed").exists());
}

#[test]
fn a_build_takes_what_is_there_and_builds_the_rest() {
    let (here, fake) = built(Skills::default());
    here.ok(&push_args(&fake.host, &["custom", "--with-parents"]));
    // The base comes without a name of its own.
    assert_eq!(fake.tag("base:1"), None);
    let there = here.elsewhere();
    fs::copy(here.path("docker/versions.lock"), there.path("docker/versions.lock")).unwrap();
    let built = there.ok(&["build-layers", "--cache-from", &fake.host, "--json"]);
    let states: Vec<_> =
        json(&built).as_array().unwrap().iter().map(|image| image["result"]["state"].clone()).collect();
    assert_eq!(states, ["cached", "cached", "built"]);
    assert_eq!(there.digests(), here.digests());
    // Something else is made of something else.
    let other = here.elsewhere();
    fs::copy(here.path("docker/versions.lock"), other.path("docker/versions.lock")).unwrap();
    other.write("docker/base/rootfs/etc/base.conf", "other");
    let missing = other.run(&["pull", &fake.host]);
    assert_eq!(missing.code, Some(3));
    missing.says("base:1");
}

#[test]
fn a_registry_that_lies_fills_no_layout() {
    let (here, fake) = built(Skills::default());
    here.ok(&push_args(&fake.host, &[]));
    let there = || {
        let there = here.elsewhere();
        fs::copy(here.path("docker/versions.lock"), there.path("docker/versions.lock")).unwrap();
        there
    };
    // A layer with other bytes.
    let victim = there();
    let name = fake.state().blobs.keys().find(|name| name.starts_with("base/")).unwrap().clone();
    let right = fake.state().blobs.insert(name.clone(), b"something else".to_vec()).unwrap();
    let run = victim.run(&["pull", &fake.host, "base"]);
    assert_eq!(run.code, Some(1));
    run.says("expected");
    run.says("found");
    assert!(victim.digests().values().all(|digest| digest == "null"), "{:?}", victim.digests());
    // The same after the registry came to its senses.
    fake.state().blobs.insert(name, right);
    victim.ok(&["pull", &fake.host]);
    assert_eq!(victim.digests(), here.digests());
    // A page in place of a manifest.
    fake.fault("GET", "/manifests/fp-", Act::Answer(200, &[("content-type", "text/html")], "<html>Log in"));
    there().run(&["pull", &fake.host]).says("expected a JSON document, found text/html: <html>Log in");
    // An image of somebody else under the fingerprint.
    let (tag, other) = {
        let state = fake.state();
        let tag = state.tags.keys().find(|tag| tag.starts_with("base:fp-")).unwrap().clone();
        (tag, state.tags["custom:3.5.7"].clone())
    };
    let manifest = fake.state().manifests[&format!("custom/{other}")].clone();
    fake.state().manifests.insert(format!("base/{other}"), manifest);
    fake.state().tags.insert(tag, other);
    assert_eq!(there().run(&["pull", &fake.host]).code, Some(1));
}

#[test]
fn credentials_come_from_a_helper_and_a_token_is_had_for_them() {
    let (here, fake) = built(Skills { door: Door::Token, ..Skills::default() });
    let said = here.run(&push_args(&fake.host, &["base"]));
    said.says(&format!("docker login {}", fake.host));
    let helper = here.path("bin/docker-credential-fake");
    here.write(
        "bin/docker-credential-fake",
        &format!(
            "#!/bin/sh\nread -r server || true\n[ \"$1 $server\" = 'get {}' ] || {{ echo 'credentials not found in native \
             keychain'; exit 1; }}\necho asked >> \"$HOME/helper.log\"\necho '{{\"Username\":\"me\",\"Secret\":\"secret\"}}'\n",
            fake.host
        ),
    );
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    here.write(".docker/config.json", "{\"credsStore\":\"fake\"}");
    let path = format!("{}:{}", helper.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let run = Run::of(&here.command(&push_args(&fake.host, &[])).env("PATH", path).output().unwrap());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(fake.tag("base:1").is_some());
}

#[test]
fn a_layer_that_was_kept_and_damaged_is_compressed_again() {
    let (here, fake) = built(Skills::default());
    here.ok(&push_args(&fake.host, &["base"]));
    let folder = here.store().join("compressed/gzip-6");
    let kept = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let kept = kept.filter(|path| path.extension().is_none()).collect::<Vec<_>>();
    for path in &kept {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let other = Fake::start(Skills::default());
    here.ok(&push_args(&other.host, &["base"])).says("compressing it again");
    assert_eq!(other.tag("base:1"), fake.tag("base:1"));
    // Without the bytes the digest is known all the same, and they are made when they are needed.
    fs::remove_dir_all(&folder).unwrap();
    here.ok(&push_args(&other.host, &["base"]));
    let third = Fake::start(Skills::default());
    here.ok(&push_args(&third.host, &["base"]));
    assert_eq!(third.tag("base:1"), fake.tag("base:1"));
}

#[test]
fn a_tag_means_every_platform_that_was_pushed_with_it() {
    let here = Repository::new();
    here.replace(
        "docker/versions.toml",
        "platforms = [\"linux/amd64\"]",
        "platforms = [\"linux/amd64\", \"linux/arm64\"]",
    );
    // An image that differs between them, and others on top of it.
    let both = ["--platform", "linux/amd64,linux/arm64"];
    here.ok(&["build-layers", both[0], both[1]]);
    let fake = Fake::start(Skills::default());
    let pushed = json(&here.ok(&push_args(&fake.host, &[both[0], both[1], "--json"])));
    let images = pushed["images"].as_array().unwrap();
    assert_eq!(images.len(), 6);
    let of = |name: &str, platform: &str| {
        let is = |image: &&serde_json::Value| {
            image["platform"] == platform && image["repository"].as_str().unwrap().ends_with(&format!("/{name}"))
        };
        images.iter().find(is).unwrap()["digest"].as_str().unwrap().to_owned()
    };
    for (name, tags) in [("base", &["1"][..]), ("custom", &["3.5.7"]), ("runtime", &["3.5-3.5.7", "3.5"])] {
        for tag in tags {
            let digest = fake.tag(&format!("{name}:{tag}")).unwrap();
            let (_, bytes) = fake.state().manifests[&format!("{name}/{digest}")].clone();
            let index: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(index["mediaType"], "application/vnd.oci.image.index.v1+json");
            let listed: Vec<(String, String)> = index["manifests"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| {
                    let platform = &one["platform"];
                    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
                    (format!("{}/{}", text(&platform["os"]), text(&platform["architecture"])), text(&one["digest"]))
                })
                .collect();
            let expected = ["linux/amd64", "linux/arm64"].map(|platform| (platform.to_owned(), of(name, platform)));
            assert_eq!(listed, expected);
            for (_, digest) in listed {
                assert!(fake.state().manifests.contains_key(&format!("{name}/{digest}")));
            }
        }
    }
    // A second push only asks; one of a single platform moves the tags to it.
    fake.asked();
    here.ok(&push_args(&fake.host, &both)).says("unchanged");
    assert!(fake.asked().iter().all(|line| line.starts_with("HEAD ")));
    let there = here.elsewhere();
    fs::copy(here.path("docker/versions.toml"), there.path("docker/versions.toml")).unwrap();
    fs::copy(here.path("docker/versions.lock"), there.path("docker/versions.lock")).unwrap();
    there.ok(&["pull", &fake.host, both[0], both[1]]);
    let again = there.ok(&["build-layers", "--offline", "--json", both[0], both[1]]);
    assert!(!again.stdout.contains("\"built\""), "{}", again.stdout);
    here.ok(&push_args(&fake.host, &["base", "--platform", "linux/arm64"])).says("tagged");
    assert_eq!(fake.tag("base:1").unwrap().to_string(), of("base", "linux/arm64"));
}

#[test]
fn jobs_of_ci_hand_their_images_on_without_a_tag_and_one_pushes_them() {
    let (here, fake) = (Repository::new(), Fake::start(Skills::default()));
    here.ok(&["lock"]);
    let job = |repository: &Repository, id: &str, more: &[&str]| {
        repository.write("docker/audit.toml", EXCEPTION);
        let cache = ["ci", "run", id, "--cache-from", &fake.host, "--cache-to", &fake.host, "--allow-dirty"];
        repository.ok(&[&cache, more].concat())
    };
    job(&here, "base", &[]).says("built     base:1");
    assert_eq!(fake.tag("base:1"), None);
    // Another runner: what it needs comes from the registry, and its own image goes there.
    let there = here.elsewhere();
    fs::copy(here.path("docker/versions.lock"), there.path("docker/versions.lock")).unwrap();
    let run = job(&there, "custom-3.5.7", &[]);
    assert!(!run.stderr.contains("built     base:1"), "{}", run.stderr);
    run.says("built     custom:3.5.7");
    // A base that is made otherwise and comes out as before: what stands on it is found there.
    let changed = here.elsewhere();
    fs::copy(here.path("docker/versions.lock"), changed.path("docker/versions.lock")).unwrap();
    changed.replace("docker/base/Dockerfile", "FROM scratch\n", "FROM scratch\n# a comment\n");
    job(&changed, "base", &[]).says("built     base:1");
    let run = job(&changed, "custom-3.5.7", &[]);
    assert!(!run.stderr.contains("built     custom") && !run.stderr.contains("fetching"), "{}", run.stderr);
    // Without a word nothing of origin `release` gets a tag.
    let push = format!("{}/team", fake.host);
    let args = ["ci", "run", "custom-3.5.7", "--push", &push, "--allow-dirty"];
    there.run(&args).says("of origin `release`, which is for trying things out: custom:3.5.7");
    there.ok(&[&args[..], &["--allow-release"]].concat());
    assert!(fake.tag("team/custom:3.5.7").is_some() && fake.tag("team/base:1").is_none());
}
