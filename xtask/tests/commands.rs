//! Whole commands on a small repository, against a registry on loopback.

mod support;

use std::{
    fs,
    time::{Duration, Instant},
};

use support::{LIBRARY, Repository, Run};

#[test]
fn a_fresh_checkout_is_locked_fetched_and_built_and_then_there_is_nothing_to_do() {
    let repository = Repository::new();
    let first = repository.ok(&["build-layers"]);
    first.says("docker/versions.lock was written; commit it");
    first.says("built     runtime:3.5-3.5.7");
    let lock = fs::read_to_string(repository.path("docker/versions.lock")).unwrap();
    assert!(!lock.contains("127.0.0.1"), "the lock names a registry:\n{lock}");
    let second = repository.ok(&["build-layers", "--locked", "--offline"]);
    second.says("cached");
    assert!(!second.stdout.contains("built"), "{}", second.stdout);
    assert_eq!(repository.plan(), ["base:1: cached", "custom:3.5.7: cached", "runtime:3.5-3.5.7: cached"]);
}

#[test]
fn two_checkouts_give_the_same_digests() {
    let (one, other) = (Repository::new(), Repository::new());
    one.ok(&["build-layers"]);
    other.ok(&["build-layers", "--jobs", "1"]);
    let same_store = one.another();
    same_store.ok(&["build-layers"]);
    assert_eq!(one.digests(), other.digests());
    assert_eq!(one.digests(), same_store.digests());
    assert_eq!(
        fs::read_to_string(one.path("docker/versions.lock")).unwrap(),
        fs::read_to_string(other.path("docker/versions.lock")).unwrap()
    );
}

#[test]
fn the_plan_names_what_changed_and_what_it_reaches() {
    let repository = Repository::new();
    repository.ok(&["build-layers"]);
    repository.write("docker/custom/note.txt", "nobody stages this");
    repository.replace("docker/versions.toml", "library = \"1.0\"", "library = \"1.0\" # a comment");
    assert!(repository.plan().iter().all(|image| image.ends_with(": cached")));
    repository.write("docker/runtime/rootfs/run", "changed");
    let plan = repository.ok(&["build-layers", "--plan", "--why"]);
    plan.says("build    runtime:3.5-3.5.7\n           docker/runtime/rootfs/run changed\n");
    plan.says("1 to build, 2 cached, 0 blocked");
    repository.ok(&["build-layers"]).says("built     runtime:3.5-3.5.7");
}

#[test]
fn an_image_whose_parent_came_out_as_before_is_not_built_again() {
    let repository = Repository::new();
    repository.ok(&["build-layers"]);
    // The Dockerfile is another one, and the image that it makes is the same.
    repository.replace("docker/base/Dockerfile", "FROM scratch\n", "FROM scratch\n# a comment\n");
    assert_eq!(repository.plan(), ["base:1: build", "custom:3.5.7: build", "runtime:3.5-3.5.7: build"]);
    let run = repository.ok(&["build-layers"]);
    run.says("built     base:1");
    run.says("same      custom:3.5.7");
    run.says("same      runtime:3.5-3.5.7");
}

#[test]
fn a_stale_lock_is_an_error_where_it_must_not_change() {
    let repository = Repository::new();
    repository.ok(&["lock"]);
    repository.registry.files.put("/maven/org/example/library/2.0/library-2.0.jar", "a newer jar");
    repository.replace("docker/versions.toml", "library = \"1.0\"", "library = \"2.0\"");
    for args in [&["build-layers", "--locked"][..], &["lock", "--check"], &["build-layers", "--offline"]] {
        let run = repository.run(args);
        assert_eq!(run.code, Some(1), "{args:?}");
        run.says("not in the lock: maven:org.example:library:2.0");
        run.says("asked for by nobody: maven:org.example:library:1.0");
        run.says("to bring it up to date: cargo xtask lock");
    }
    let ci = |args: &[&str]| Run::of(&repository.command(args).env("CI", "true").output().unwrap());
    ci(&["build-layers"]).says("to bring it up to date: cargo xtask lock");
    ci(&["lock"]).says("docker/versions.lock would change, and --locked (or CI=true) forbids it");
    repository.ok(&["lock"]).says("moved    maven:org.example:library:1.0 -> maven:org.example:library:2.0");
    repository.ok(&["lock", "--check"]);
}

#[test]
fn what_no_registry_has_is_blocked_and_the_rest_is_built() {
    let repository = Repository::new();
    repository.registry.files.remove(LIBRARY);
    let run = repository.run(&["build-layers"]);
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    run.says("built     base:1");
    run.says("blocked: custom:3.5.7: maven:org.example:library:1.0: none of the registries");
    run.says("blocked: runtime:3.5-3.5.7: custom:3.5.7 is blocked");
    repository.registry.files.put(LIBRARY, "a jar");
    let update = ["lock", "--update", "unresolved"];
    let run = repository.run(&[&update[..], &["--locked"]].concat());
    run.says("docker/versions.lock would change, and --locked");
    // What is to move is said: the scheduled run of CI does just that.
    let ci = Run::of(&repository.command(&update).env("CI", "true").output().unwrap());
    ci.says("added    maven:org.example:library:1.0");
    repository.ok(&["build-layers"]).says("built     runtime:3.5-3.5.7");
}

#[test]
fn a_file_that_changed_under_its_name_is_refused() {
    let repository = Repository::new();
    repository.ok(&["lock"]);
    let elsewhere = repository.elsewhere();
    fs::copy(repository.path("docker/versions.lock"), elsewhere.path("docker/versions.lock")).unwrap();
    elsewhere.registry.files.put(LIBRARY, "a bad");
    let run = elsewhere.run(&["build-layers"]);
    assert_eq!(run.code, Some(1));
    run.says("maven:org.example:library:1.0");
    run.says("expected sha256:");
    run.says("run the command again to go on");
}

#[test]
fn offline_opens_no_connection_and_says_what_it_lacks() {
    let repository = Repository::new();
    repository.ok(&["lock"]);
    let elsewhere = repository.elsewhere();
    fs::copy(repository.path("docker/versions.lock"), elsewhere.path("docker/versions.lock")).unwrap();
    let run = elsewhere.run(&["build-layers", "--offline"]);
    assert_eq!(run.code, Some(1));
    run.says("not in the store, and the network is not to be used (offline)");
    elsewhere.ok(&["fetch"]);
    elsewhere.ok(&["build-layers", "--offline"]);
}

#[test]
fn a_damaged_layer_is_found_named_and_made_again() {
    let repository = Repository::new();
    repository.ok(&["build-layers"]);
    let before = repository.digests();
    let blobs = repository.path("target/spark-images/images/blobs/sha256");
    let largest = fs::read_dir(blobs).unwrap().map(|entry| entry.unwrap().path());
    let largest = largest.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    damage(&largest);
    let verify = repository.run(&["store", "verify"]);
    assert_eq!(verify.code, Some(1));
    verify.says(&format!("{}: corrupted", largest.display()));
    repository.ok(&["store", "verify", "--repair"]).says("1 damaged file taken away");
    repository.ok(&["build-layers"]).says("built     custom:3.5.7");
    repository.ok(&["store", "verify"]).says("every file has its digest");
    assert_eq!(repository.digests(), before);
}

#[test]
fn a_damaged_file_of_the_store_enters_no_image() {
    let repository = Repository::new();
    repository.ok(&["fetch"]);
    let artifacts = walk(&repository.store().join("artifacts"));
    let jar = artifacts.iter().find(|path| fs::read(path).unwrap() == b"a jar").unwrap();
    damage(jar);
    let run = repository.run(&["build-layers"]);
    assert_eq!(run.code, Some(1));
    run.says("failed: custom:3.5.7");
    run.says("expected");
    run.says("log: target/spark-images/logs/build-custom_3.5.7.log");
    run.says("next: cargo xtask build-layers custom:3.5.7");
    repository.ok(&["store", "verify", "--repair"]);
    repository.ok(&["build-layers"]);
}

/// Changes a byte and leaves size and name as they are.
fn damage(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(path, bytes).unwrap();
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn a_build_killed_at_any_moment_leaves_nothing_that_is_trusted() {
    let reference = Repository::new();
    reference.ok(&["build-layers"]);
    let repository = Repository::new();
    // The moments are spread over the time that a build takes, whatever machine this is.
    let begin = Instant::now();
    Repository::new().ok(&["build-layers"]);
    let whole = begin.elapsed();
    for part in 1..12 {
        let mut child = repository.spawn(&["build-layers"]);
        let until = Instant::now() + whole * part / 12;
        while Instant::now() < until && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    repository.ok(&["build-layers"]);
    assert_eq!(repository.digests(), reference.digests());
    repository.ok(&["store", "verify"]);
}

#[test]
fn two_builds_at_once_wait_for_each_other() {
    let repository = Repository::new();
    repository.ok(&["fetch"]);
    let runs: Vec<_> = (0..4).map(|_| repository.spawn(&["build-layers"])).collect();
    for child in runs {
        let run = Run::of(&child.wait_with_output().unwrap());
        assert_eq!(run.code, Some(0), "{}", run.stderr);
    }
    let reference = Repository::new();
    reference.ok(&["build-layers"]);
    assert_eq!(repository.digests(), reference.digests());
}

#[test]
fn an_interrupted_fetch_ends_at_once_and_is_resumed() {
    let repository = Repository::new();
    repository.ok(&["lock"]);
    let elsewhere = repository.elsewhere();
    fs::copy(repository.path("docker/versions.lock"), elsewhere.path("docker/versions.lock")).unwrap();
    elsewhere.registry.stalls.put(LIBRARY, "a jar");
    let mut child = elsewhere.spawn(&["build-layers"]);
    // The other file is there when the one that stalls is being waited for.
    let done = |path: &std::path::Path| path.is_dir() && !walk(path).is_empty();
    while !done(&elsewhere.store().join("artifacts")) {
        assert!(child.try_wait().unwrap().is_none(), "the build ended by itself");
        std::thread::sleep(Duration::from_millis(5));
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let run = Run::of(&child.wait_with_output().unwrap());
    assert_eq!(run.code, Some(130));
    run.says("interrupted");
    elsewhere.registry.stalls.remove(LIBRARY);
    elsewhere.ok(&["build-layers"]);
}

#[test]
fn an_image_is_exported_in_every_format() {
    let repository = Repository::new();
    repository.run(&["export", "runtime", "--format", "oci-dir", "-o", "x"]).says("runtime:3.5-3.5.7 is not built");
    repository.ok(&["build-layers"]);
    for format in ["oci-dir", "oci-archive", "docker-archive"] {
        let file = repository.path(format);
        let args = ["export", "runtime:3.5", "--format", format, "-o", file.to_str().unwrap()];
        repository.ok(&args);
        assert_eq!(repository.run(&args).code, Some(1), "{format} replaced what was there");
        repository.ok(&[&args[..], &["--force"]].concat());
    }
    let archive = fs::read(repository.path("docker-archive")).unwrap();
    let mut archive = tar::Archive::new(archive.as_slice());
    let names: Vec<String> =
        archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect();
    assert!(names.contains(&"manifest.json".to_owned()), "{names:?}");
}

#[test]
fn what_is_asked_for_and_not_there_is_answered_with_what_is() {
    let repository = Repository::new();
    repository.ok(&["lock"]);
    let error = |args: &[&str], words: &str| {
        let run = repository.run(args);
        assert_ne!(run.code, Some(0), "{args:?}");
        run.says(words);
    };
    error(&["build-layers", "runtme"], "did you mean `runtime`?");
    error(&["build-layers", "--spark", "3.5.8"], "nobody tried\nto add it: cargo xtask add-version 3.5.8");
    error(&["build-layers", "--origin", "surce"], "possible values: release");
    error(&["build-layers", "--jobs", "0"], "--jobs");
    error(&["lock", "--update", "nothing"], "nothing in docker/versions.lock is called `nothing`");
    repository.replace("docker/versions.toml", "scala = \"2.12\"", "scala = \"2.12");
    error(&["list"], "docker/versions.toml:");
}

#[test]
fn image_folders_and_files_from_outside_are_taken() {
    let repository = Repository::new();
    let own = repository.path("own");
    repository.write("own/driver/image.toml", "name = \"driver\"\nabout = \"a\"\nper = \"spark\"\ntags = [\"{spark}\"]\n[parents]\nPARENT = \"custom\"\n[[stage]]\ninto = \"jars/\"\nfile = \"own.jar\"\n");
    repository.write("own/driver/Dockerfile", "ARG PARENT\nFROM ${PARENT}\nCOPY jars/ /opt/spark/jars/\n");
    repository.write("own/driver/own.jar", "licensed");
    let args = ["--images", own.to_str().unwrap(), "build-layers"];
    repository.ok(&args).says("built     driver:3.5.7");
    let lock = fs::read_to_string(repository.path("docker/versions.lock")).unwrap();
    assert!(lock.contains("\"file:@own/driver/own.jar\""), "{lock}");
    repository.write("own/driver/own.jar", "another");
    let run = repository.run(&args);
    assert_eq!(run.code, Some(1));
    run.says("if it was changed on purpose: cargo xtask lock --update @own/driver/own.jar");
    let lock = ["--images", own.to_str().unwrap(), "lock", "--update", "@own/driver/own.jar"];
    repository.ok(&lock);
    repository.ok(&args).says("built     driver:3.5.7");
}

#[test]
fn a_run_that_cannot_be_is_told_with_its_place() {
    let repository = Repository::new();
    let dockerfile = |last: &str| format!("ARG PARENT\nFROM ${{PARENT}}\nCOPY rootfs/ /\n{last}\n");
    repository.write("docker/runtime/Dockerfile", &dockerfile("RUN --network=default [\"/no/such\"]"));
    let run = repository.run(&["build-layers"]);
    run.says("docker/runtime/Dockerfile:4: --network=default asks for the network, which is off");
    run.says("write `network = true` in docker/runtime/image.toml, or put what the command fetches into the context");
    repository.write("docker/runtime/Dockerfile", &dockerfile("RUN [\"/no/such\"]"));
    let run = repository.run(&["build-layers"]);
    // On a machine without namespaces it says that; the place is the same.
    run.says("docker/runtime/Dockerfile:4: `");
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let image = fs::read_to_string(repository.path("docker/runtime/image.toml")).unwrap();
    repository.write("docker/runtime/image.toml", &image.replacen("tags", "network = true\ntags", 1));
    let run = repository.run(&["build-layers", "--offline"]);
    let expected =
        "docker/runtime/Dockerfile:4: `/no/such` was not run before and needs the network; leave out --offline";
    if !run.stderr.contains("`RUN` could not be run") {
        run.says(expected);
    }
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    repository.run(&["build-layers", "--secret", "id"]).says("expected id=ID,src=FILE or id=ID,env=NAME");
}

#[test]
fn a_log_that_cannot_be_written_hides_no_error() {
    let repository = Repository::new();
    repository.ok(&["build-layers"]);
    let log = repository.path("target/spark-images/logs/build-runtime_3.5-3.5.7.log");
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.starts_with("image runtime:3.5-3.5.7\nDockerfile docker/runtime/Dockerfile\nbecause "), "{text}");
    assert!(text.lines().last().unwrap().starts_with("built in "), "{text}");
    fs::remove_file(&log).unwrap();
    fs::create_dir(&log).unwrap();
    repository.write("docker/runtime/Dockerfile", "ARG PARENT\nFROM ${PARENT}\nCOPY gone /\n");
    let run = repository.run(&["build-layers"]);
    run.says("docker/runtime/Dockerfile:3: `gone` is not in the context");
    assert!(!run.stderr.contains("writing"), "{}", run.stderr);
    repository.write("docker/runtime/Dockerfile", "ARG PARENT\nFROM ${PARENT}\nCOPY rootfs/run /other\n");
    repository.run(&["build-layers"]).says("build-runtime_3.5-3.5.7.log");
}

#[test]
fn a_graph_shows_what_would_happen_and_why_it_would() {
    let repository = Repository::new();
    repository.ok(&["lock"]);
    assert_eq!(
        repository.ok(&["why", "runtime"]).stdout,
        "build  runtime:3.5-3.5.7\n  never built here\n    of base:1\n    -> custom:3.5.7\n    -> runtime:3.5-3.5.7\n"
    );
    repository.ok(&["build-layers"]);
    repository
        .ok(&["why", "runtime"])
        .says("cached  runtime:3.5-3.5.7\n  it is made of what it would be made of now\n");
    repository.write("docker/base/rootfs/etc/base.conf", "\"other\"");
    assert_eq!(
        repository.ok(&["why", "runtime"]).stdout,
        "build  runtime:3.5-3.5.7\n  docker/base/rootfs/etc/base.conf changed\n    of base:1\n    -> custom:3.5.7\n    -> runtime:3.5-3.5.7\n"
    );
    assert_eq!(
        repository.ok(&["graph"]).stdout.lines().take(6).collect::<Vec<_>>(),
        [
            "graph LR",
            "  n0[\"base:1<br>docker/base/rootfs/etc/base.conf changed\"]:::build",
            "  n1[\"custom:3.5.7<br>base:1 is built\"]:::build",
            "  n2[\"runtime:3.5-3.5.7<br>custom:3.5.7 is built\"]:::build",
            "  n0 --> n1",
            "  n1 --> n2",
        ]
    );
    let dot = repository.ok(&["graph", "--format", "dot"]).stdout;
    assert!(dot.contains("  \"base:1\" -> \"custom:3.5.7\"\n") && dot.ends_with("}\n"), "{dot}");
    let graph: serde_json::Value =
        serde_json::from_str(&repository.ok(&["graph", "--format", "json", "custom"]).stdout).unwrap();
    assert_eq!(graph["edges"], serde_json::json!([{ "from": "base:1", "to": "custom:3.5.7" }]));
    assert_eq!(graph["nodes"][0]["state"], "build");
}

#[test]
fn a_blocked_image_says_what_is_missing_and_where_from() {
    let repository = Repository::new();
    repository.registry.files.remove(LIBRARY);
    repository.run(&["lock"]);
    let run = repository.ok(&["why", "runtime"]);
    run.says("blocked  runtime:3.5-3.5.7\n  maven:org.example:library:1.0: none of the registries");
    run.says("    of custom:3.5.7\n    -> runtime:3.5-3.5.7\n");
}
