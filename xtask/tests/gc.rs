//! `gc`: what is needed stays, what goes is counted truly, and nobody is disturbed.

mod support;

use std::{
    collections::BTreeSet,
    fs::{self, File, FileTimes},
    io::Read as _,
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _, chown, symlink},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant, SystemTime},
};

use rustix::{
    fs::{FlockOperation, flock},
    process::{Pid, Signal, kill_process},
};
use serde_json::Value;
use support::{LIBRARY, Repository, Run, stand_ins::StandIns};

/// All files and folders below some, with the bytes of their blocks, each file once.
fn tree(roots: &[&Path]) -> (BTreeSet<PathBuf>, u64) {
    let (mut paths, mut files, mut bytes) = (BTreeSet::new(), BTreeSet::new(), 0);
    let mut folders: Vec<PathBuf> = roots.iter().map(|root| root.to_path_buf()).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let entry = entry.unwrap();
            let meta = entry.metadata().unwrap();
            if files.insert((meta.dev(), meta.ino())) {
                bytes += meta.blocks() * 512;
            }
            if meta.is_dir() {
                folders.push(entry.path());
            }
            paths.insert(entry.path());
        }
    }
    (paths, bytes)
}

/// What the store and the output of a checkout hold.
fn held(repository: &Repository) -> (BTreeSet<PathBuf>, u64) {
    tree(&[repository.store(), &repository.path("target/spark-images")])
}

fn json(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}\n{}", run.stdout, run.stderr))
}

/// `kind name` of what is to go.
fn going(run: &Run) -> BTreeSet<String> {
    let json = json(run);
    let items = json["items"].as_array().unwrap().iter().filter(|item| item["state"] == "go");
    let text = |item: &Value, key: &str| item[key].as_str().unwrap().to_owned();
    items.map(|item| format!("{} {}", text(item, "kind"), text(item, "path").rsplit('/').next().unwrap())).collect()
}

/// A repository that was built, moved on to another library, and built again.
fn moved_on() -> Repository {
    let repository = Repository::new();
    repository.ok(&["build-layers"]);
    repository.registry.files.put(&LIBRARY.replace("1.0", "2.0"), "a newer jar, which is longer than the first");
    repository.replace("docker/versions.toml", "library = \"1.0\"", "library = \"2.0\"");
    repository.ok(&["build-layers"]);
    repository
}

#[test]
fn a_build_leaves_nothing_to_remove_and_is_left_as_it_was() {
    let repository = Repository::new();
    repository.ok(&["build-layers"]);
    let before = held(&repository);
    let shown = repository.ok(&["gc"]);
    shown.says("would free 0 B: 0 things");
    shown.says("named by the table");
    assert_eq!(going(&repository.ok(&["gc", "--dry-run", "--json"])), BTreeSet::new());
    repository.ok(&["gc", "--yes"]).says("freed 0 B: 0 things removed");
    assert!(held(&repository) == before);
    assert!(repository.plan().iter().all(|image| image.ends_with(": cached")));
    let run = repository.run(&["gc", "--dry-run", "--yes"]);
    assert_ne!(run.code, Some(0));
}

#[test]
fn what_is_freed_is_what_the_file_system_gives_back() {
    let repository = moved_on();
    let before = held(&repository);
    let shown = repository.ok(&["gc", "--json"]);
    let expected = json(&shown)["would_free"].as_u64().unwrap();
    assert!(expected > 0 && going(&shown).iter().any(|item| item.starts_with("artifact ")), "{:#?}", going(&shown));
    assert!(going(&shown).iter().any(|item| item.starts_with("blob ")), "{:#?}", going(&shown));
    assert!(held(&repository) == before, "a dry run has changed something");
    let done = json(&repository.ok(&["gc", "--yes", "--json"]));
    let after = held(&repository);
    assert_eq!(done["freed"].as_u64().unwrap(), before.1 - after.1);
    assert_eq!(expected, before.1 - after.1);
    assert_eq!(done["linked_elsewhere"], 0);
    // What is left is enough for the same table, and there is nothing to do.
    let again = repository.ok(&["build-layers", "--offline", "--locked"]);
    assert!(!again.stdout.contains("built"), "{}", again.stdout);
    repository.ok(&["store", "verify"]).says("every file has its digest");
    fs::remove_dir_all(repository.path("target")).unwrap();
    repository.ok(&["build-layers", "--offline", "--locked"]).says("built     runtime:3.5-3.5.7");
}

#[test]
fn a_file_with_another_name_elsewhere_frees_nothing() {
    let repository = moved_on();
    let elsewhere = tempfile::tempdir().unwrap();
    let found = json(&repository.ok(&["gc", "--json"]));
    let items = found["items"].as_array().unwrap().iter().filter(|item| item["state"] == "go");
    let paths: Vec<&str> = items.map(|item| item["path"].as_str().unwrap()).collect();
    for (number, path) in paths.iter().enumerate() {
        fs::hard_link(path, elsewhere.path().join(number.to_string())).unwrap();
    }
    repository.ok(&["gc"]).says("free nothing, because their files have other names elsewhere");
    let done = repository.ok(&["gc", "--yes"]);
    done.says("freed 0 B: ");
    done.says("free nothing, because their files have other names elsewhere");
    assert!(paths.iter().all(|path| !Path::new(path).exists()));
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), paths.len());
}

#[test]
fn what_another_checkout_of_the_store_needs_stays_as_long_as_it_is_there() {
    let repository = Repository::new();
    repository.ok(&["build-layers"]);
    let other = repository.another();
    other.registry.files.put(&LIBRARY.replace("1.0", "2.0"), "a newer jar");
    other.replace("docker/versions.toml", "library = \"1.0\"", "library = \"2.0\"");
    other.ok(&["build-layers"]);
    assert_eq!(going(&repository.ok(&["gc", "--json"])), BTreeSet::new());
    assert_eq!(going(&other.ok(&["gc", "--json"])), BTreeSet::new());
    // A table that is being edited asks for nobody knows what.
    let table = fs::read_to_string(other.path("docker/versions.toml")).unwrap();
    other.write("docker/versions.toml", "epoch = ");
    other.write("docker/versions.lock", "no lock");
    let home = repository.store().join("spark-homes").join("1".repeat(64));
    fs::create_dir_all(home.join("files")).unwrap();
    let shown = repository.ok(&["gc", "--json"]);
    assert_eq!(going(&shown), BTreeSet::new());
    assert!(shown.stdout.contains("may need it: "), "{}", shown.stdout);
    other.write("docker/versions.toml", &table);
    drop(other);
    let gone = going(&repository.ok(&["gc", "--json"]));
    let kinds: BTreeSet<&str> = gone.iter().filter_map(|item| item.split(' ').next()).collect();
    assert_eq!(kinds, ["artifact", "checkout", "spark-home"].into(), "{gone:#?}");
    repository.ok(&["gc", "--yes"]);
    repository.ok(&["build-layers", "--offline"]).says("cached");
}

#[test]
fn an_image_that_the_table_no_longer_names_goes_only_when_asked_for() {
    let repository = Repository::new();
    repository.ok(&["build-layers"]);
    fs::remove_dir_all(repository.path("docker/runtime")).unwrap();
    let shown = repository.ok(&["gc"]);
    shown.says("no table names it: --old-images");
    let logs = going(&repository.ok(&["gc", "--json"]));
    assert_eq!(logs, ["log build-runtime_3.5-3.5.7.log".to_owned()].into());
    repository.ok(&["gc", "--old-images"]).says("no table names it, and it goes");
    let index = repository.path("target/spark-images/images/index.json");
    assert!(fs::read_to_string(&index).unwrap().contains("runtime:3.5"));
    let before = held(&repository).1;
    let done = json(&repository.ok(&["gc", "--old-images", "--yes", "--json"]));
    assert_eq!(done["untagged"], serde_json::json!(["runtime:3.5", "runtime:3.5-3.5.7"]));
    assert!(done["freed"].as_u64().unwrap() > 0);
    assert_eq!(before - held(&repository).1, done["freed"].as_u64().unwrap());
    assert!(!fs::read_to_string(&index).unwrap().contains("runtime"));
    assert!(!repository.path("target/spark-images/images/.records/runtime_3.5-3.5.7.json").exists());
    repository.ok(&["build-layers", "--offline"]).says("cached");
    repository.ok(&["store", "verify"]);
}

#[test]
fn what_costs_long_goes_by_its_own_flag_and_what_killed_runs_left_without_one() {
    let repository = Repository::new();
    repository.ok(&["build-layers"]);
    let put = |path: &str| {
        let path = repository.store().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    };
    let hex = "7".repeat(64);
    for path in [
        &format!("spark-homes/{hex}/compiled.json"),
        "spark-homes/.pending-a/files/b",
        "compile/m2/org/a.jar",
        "compile/work/spark/pom.xml",
        &format!("run-caches/{hex}-0/file"),
        &format!("run-caches/{hex}-0.lock"),
        &format!("run-caches/{hex}-1.making/file"),
        &format!("sandbox/owned/{hex}/record.json"),
        &format!("sandbox/owned/.unpacking-{hex}/root/a"),
        "sandbox/runs/run-1/ready",
        &format!("compressed/gzip-6/{hex}"),
        &format!("compressed/gzip-6/{hex}.json"),
        &format!("quarantine/{hex}"),
        "pending/.pending-b",
    ] {
        put(path);
    }
    // An upload, a partial download and a layer on its way may be gone on with, for a week.
    let resumable =
        [format!("uploads/{hex}.json"), format!("pending/{hex}.part"), format!("pulled/pending/{hex}.part")];
    resumable.iter().for_each(|path| put(path));
    let kinds = |run: &Run| -> BTreeSet<String> {
        going(run).iter().filter_map(|item| item.split(' ').next()).map(String::from).collect()
    };
    let set = |kinds: &[&str]| kinds.iter().map(ToString::to_string).collect::<BTreeSet<String>>();
    let plain = repository.ok(&["gc", "--json"]);
    assert_eq!(kinds(&plain), set(&["compressed", "leftover", "quarantine", "unpacked"]));
    assert_eq!(going(&plain).iter().filter(|item| item.starts_with("leftover ")).count(), 6, "{:#?}", going(&plain));
    assert!(kinds(&repository.ok(&["gc", "--json", "--compiled"])).contains("compiled"));
    let caches = kinds(&repository.ok(&["gc", "--json", "--caches"]));
    assert!(caches.contains("run-cache") && caches.contains("maven-repository") && !caches.contains("compiled"));
    repository.ok(&["gc"]).says("with --compiled: ");
    // All of it was used today.
    assert_eq!(going(&repository.ok(&["gc", "--json", "--caches", "--older-than", "1"])), BTreeSet::new());
    let week = SystemTime::now() - Duration::from_secs(8 * 24 * 3600);
    for path in &resumable {
        let file = File::options().write(true).open(repository.store().join(path)).unwrap();
        file.set_times(FileTimes::new().set_accessed(week).set_modified(week)).unwrap();
    }
    let old = repository.ok(&["gc", "--json", "--older-than", "3"]);
    assert_eq!(kinds(&old), set(&["download", "pulled", "upload"]));
    let before = held(&repository).1;
    let done = json(&repository.ok(&["gc", "--yes", "--json", "--caches", "--compiled"]));
    assert_eq!(done["freed"].as_u64().unwrap(), before - held(&repository).1);
    assert_eq!(going(&repository.ok(&["gc", "--json", "--caches", "--compiled"])), BTreeSet::new());
    assert!(!repository.store().join("compile/m2").exists() && repository.store().join("artifacts").exists());
    // A container of a killed compile may still write to its folder.
    put("compile/work/spark/pom.xml");
    put("compile/container");
    repository.ok(&["gc", "--yes"]).says("a container of a killed compile may still write to it");
    assert!(repository.store().join("compile/work/spark/pom.xml").exists());
}

#[test]
fn links_and_files_of_others_are_named_and_left() {
    let repository = moved_on();
    let precious = tempfile::tempdir().unwrap();
    let hex = "ab".repeat(32);
    for sub in ["", "artifacts", "blobs", "home"] {
        fs::create_dir_all(precious.path().join(sub)).unwrap();
        fs::write(precious.path().join(sub).join(&hex), "mine").unwrap();
    }
    let link = |from: &str, to: &str| {
        let to = repository.store().join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        symlink(precious.path().join(from), to).unwrap();
    };
    link("artifacts", "artifacts/ab");
    link("home", &format!("spark-homes/{hex}"));
    link("blobs", "quarantine");
    let images = repository.path("target/spark-images/images");
    symlink(precious.path().join(&hex), images.join("blobs/sha256").join(&hex)).unwrap();
    fs::write(repository.store().join("notes.txt"), "mine").unwrap();
    fs::write(repository.store().join("artifacts/00-notes"), "mine").unwrap();
    let (kept, _) = tree(&[precious.path()]);
    let shown = repository.ok(&["gc"]);
    shown.says("a symbolic link, which is not followed");
    shown.says("notes.txt: nothing that this program makes");
    let done = repository.ok(&["gc", "--yes"]);
    done.says("artifacts/00-notes: nothing that this program makes");
    assert_eq!(tree(&[precious.path()]).0, kept);
    assert!(repository.store().join("notes.txt").exists() && images.join("blobs/sha256").join(&hex).is_symlink());
}

#[test]
fn a_damaged_layout_is_refused_and_nothing_is_removed() {
    let repository = moved_on();
    let images = repository.path("target/spark-images/images");
    let index = fs::read_to_string(images.join("index.json")).unwrap();
    let refused = |words: &str| {
        let before = held(&repository).0;
        for args in [&["gc"][..], &["gc", "--yes"]] {
            let run = repository.run(args);
            assert_eq!(run.code, Some(1), "{}", run.stdout);
            run.says(words);
        }
        let after = held(&repository).0;
        assert!(before.is_subset(&after), "{:#?}", before.difference(&after));
    };
    fs::write(images.join("index.json"), &index[..index.len() / 2]).unwrap();
    refused("is damaged, so that nobody can tell what is needed");
    fs::write(images.join("index.json"), &index).unwrap();
    let begin = index.find("sha256:").unwrap() + "sha256:".len();
    let manifest = images.join("blobs/sha256").join(&index[begin..begin + 64]);
    let whole = fs::read(&manifest).unwrap();
    fs::remove_file(&manifest).unwrap();
    refused("is damaged, so that nobody can tell what is needed");
    fs::write(&manifest, "{}").unwrap();
    refused("is damaged, so that nobody can tell what is needed");
    fs::write(&manifest, whole).unwrap();
    repository.ok(&["gc", "--yes"]);
}

/// Holds a lock as another process would.
fn hold(path: &Path, operation: FlockOperation) -> File {
    let file = File::options().read(true).write(true).create(true).truncate(false).open(path).unwrap();
    flock(&file, operation).unwrap();
    file
}

#[test]
fn nothing_is_removed_while_others_are_at_work() {
    let repository = moved_on();
    let images = repository.path("target/spark-images/images/.assemble/in-use");
    for path in [&repository.store().join("in-use"), &images] {
        // A build, then another gc.
        for operation in [FlockOperation::LockShared, FlockOperation::LockExclusive] {
            let before = held(&repository).0;
            let lock = hold(path, operation);
            let run = repository.run(&["gc", "--yes"]);
            assert_eq!(run.code, Some(1), "{}", run.stdout);
            run.says("nothing was removed; run it again when that has ended: ");
            run.says(" is at work with the ");
            assert!(held(&repository).0 == before);
            drop(lock);
        }
    }
    let lock = hold(&repository.store().join("in-use"), FlockOperation::LockShared);
    let shown = repository.ok(&["gc"]);
    shown.says("what it is writing now may be shown as left over");
    shown.says("nothing was removed; to do so, add --yes");
    drop(lock);
    repository.ok(&["gc", "--yes"]);
}

#[test]
fn a_build_at_work_is_named_and_one_that_begins_waits() {
    let repository = Repository::new();
    repository.ok(&["lock"]);
    // A build that waits for bytes.
    repository.registry.stalls.put(&LIBRARY.replace("1.0", "2.0"), "never");
    repository.registry.files.put(&LIBRARY.replace("1.0", "2.0"), "a jar");
    repository.replace("docker/versions.toml", "library = \"1.0\"", "library = \"2.0\"");
    let mut build = repository.spawn(&["build-layers"]);
    let pending = repository.store().join("pending");
    wait_until(|| {
        fs::read_dir(&pending).is_ok_and(|entries| {
            entries.flatten().any(|entry| entry.path().extension().is_some_and(|end| end == "part"))
        })
    });
    let run = repository.run(&["gc", "--yes"]);
    assert_eq!(run.code, Some(1), "{}", run.stdout);
    let process = format!("process {}", build.id());
    assert!(run.stderr.contains(&process) || run.stderr.contains("another cargo xtask"), "{}", run.stderr);
    kill_process(Pid::from_child(&build), Signal::KILL).unwrap();
    build.wait().unwrap();
    repository.registry.stalls.remove(&LIBRARY.replace("1.0", "2.0"));
    repository.run(&["gc", "--yes"]).says("to bring it up to date: cargo xtask lock");
    // A killed process holds nothing.
    repository.ok(&["lock"]);
    repository.ok(&["gc", "--yes"]);
    // The other way round.
    for path in [repository.store().join("in-use"), repository.path("target/spark-images/images/.assemble/in-use")] {
        repository.ok(&["build-layers"]);
        let lock = hold(&path, FlockOperation::LockExclusive);
        // One that opens the store, and one that opens the layout alone.
        let args = if path.starts_with(repository.store()) { ["plan", "--offline"] } else { ["list", "--json"] };
        let mut waiting = repository.spawn(&args);
        let mut said = String::new();
        let stderr = waiting.stderr.as_mut().unwrap();
        while !said.contains(" removes things from ") {
            let mut byte = [0];
            assert_eq!(stderr.read(&mut byte).unwrap(), 1, "{said}");
            said.push(char::from(byte[0]));
        }
        assert!(said.starts_with("waiting   ") && waiting.try_wait().unwrap().is_none(), "{said}");
        drop(lock);
        let run = Run::of(&waiting.wait_with_output().unwrap());
        assert_eq!(run.code, Some(0), "{}", run.stderr);
    }
}

/// An engine that has the images of a repository and, under internal names alone, an earlier runtime: its fingerprint.
fn engine_with_an_old_runtime(name: &str) -> (Repository, StandIns, String) {
    let repository = Repository::new();
    repository.ok(&["fetch"]);
    let engine = StandIns::of(&[name]);
    let build = ["build-layers", "--engine", name];
    engine.ok(&repository, &build);
    let own = |engine: &StandIns| {
        let images = engine.get("images");
        let names = images.lines().filter_map(|line| line.split('|').nth(1).map(String::from));
        names.filter(|name| name.starts_with("spark-images.invalid/runtime:")).collect::<Vec<_>>()
    };
    let old = own(&engine).remove(0);
    // The names of its own move to its successor.
    let images = engine.get("images");
    let kept = images.lines().filter(|line| !line.contains("|runtime:"));
    engine.put("images", &kept.map(|line| format!("{line}\n")).collect::<String>());
    repository.write("docker/runtime/rootfs/run", "changed");
    engine.ok(&repository, &build);
    assert_eq!(own(&engine).len(), 2);
    engine.calls();
    (repository, engine, old)
}

#[test]
fn an_engine_loses_what_has_no_name_and_no_container() {
    for name in ["docker", "podman", "buildah"] {
        let (repository, engine, old) = engine_with_an_old_runtime(name);
        // A child of one of our images, which has inherited its label, and one that lost its names.
        let id = |n: u32| format!("sha256:{n:064}");
        let images = engine.get("images") + &format!("{}|mine:1|1MB\n{}|<none>:<none>|1MB\n", id(1), id(2));
        let images = images + &format!("{}|{}|1MB\n", id(3), old.replace(':', ":0"));
        engine.put("images", &images);
        let shown = engine.ok(&repository, &["gc", "--engine", name]);
        shown.says("goes: it is of an earlier state, and has no name of its own");
        shown.says("it has a name of its own");
        assert_eq!(engine.get("images"), images);
        assert!(!engine.calls().iter().any(|call| call.contains(" rmi ") || call.contains("prune")));
        // Another checkout that has the earlier state.
        let other = repository.another();
        other.ok(&["plan"]);
        engine.ok(&repository, &["gc", "--yes", "--engine", name]);
        assert_eq!(engine.get("images"), images);
        drop(other);
        // A container.
        let line = images.lines().find(|line| line.contains(&old)).unwrap();
        let used = line.split('|').next().unwrap();
        engine.put("used", &format!("0123456789abcdef|{used}\n"));
        engine.ok(&repository, &["gc", "--yes", "--engine", name]).says("the container 0123456789ab uses it");
        assert_eq!(engine.get("images"), images);
        engine.put("used", "");
        engine.calls();
        engine.ok(&repository, &["gc", "--yes", "--engine", name]);
        let left: String = images.lines().filter(|other| *other != line).map(|line| format!("{line}\n")).collect();
        assert_eq!(engine.get("images"), left, "{name}");
        let calls = engine.calls();
        let removed: Vec<&String> = calls.iter().filter(|call| call.contains(" rmi ")).collect();
        assert_eq!(removed.len(), 1, "{calls:#?}");
        assert!(
            removed[0].ends_with(&old) && !removed[0].contains("force") && !removed[0].contains(" -f"),
            "{removed:?}"
        );
        assert!(!calls.iter().any(|call| call.contains("prune")), "{calls:#?}");
        // Nothing has to be built after it.
        engine.ok(&repository, &["build-layers", "--engine", name]).says("cached");
    }
}

#[test]
fn what_an_engine_does_not_want_to_give_is_left_and_the_exit_status_says_so() {
    let (repository, engine, old) = engine_with_an_old_runtime("docker");
    engine.put("fail", "docker rmi");
    let run = engine.run(&repository, &["gc", "--yes", "--engine", "docker"]);
    assert_eq!(run.code, Some(3), "{}", run.stdout);
    run.says(&format!("{old}: no space left on device"));
    let none = StandIns::of(&[]);
    let run = none.run(&repository, &["gc", "--yes", "--engine", "podman"]);
    assert_eq!(run.code, Some(1));
    run.says("podman is not installed\n  apt-get install podman");
}

#[test]
fn a_gc_that_is_ended_in_the_middle_leaves_all_else_whole() {
    for signal in [Signal::KILL, Signal::INT] {
        let (repository, engine, old) = engine_with_an_old_runtime("docker");
        let hex = "7".repeat(64);
        for path in [format!("spark-homes/{hex}/files/a"), format!("spark-homes/.pending-gc-{hex}/files/a")] {
            let path = repository.store().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "half").unwrap();
        }
        engine.put("stall", "docker rmi");
        let mut command = engine.command(&repository, &["gc", "--yes", "--engine", "docker"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        wait_until(|| !engine.get("stalled").trim().is_empty());
        kill_process(Pid::from_child(&child), signal).unwrap();
        let run = Run::of(&child.wait_with_output().unwrap());
        let client: i32 = engine.get("stalled").trim().parse().unwrap();
        if signal == Signal::INT {
            assert_eq!(run.code, Some(130), "{}", run.stderr);
            run.says("interrupted: 2 things removed, which freed ");
            assert!(rustix::process::test_kill_process(Pid::from_raw(client).unwrap()).is_err(), "the client is left");
        } else {
            let _ = kill_process(Pid::from_raw(client).unwrap(), Signal::KILL);
        }
        fs::remove_file(engine.state("stall")).unwrap();
        assert_eq!(
            fs::read_dir(repository.store().join("spark-homes")).unwrap().count(),
            1,
            "only the home of the table"
        );
        engine.ok(&repository, &["gc", "--yes", "--engine", "docker"]);
        assert!(!engine.get("images").contains(&old));
        repository.ok(&["store", "verify"]);
        repository.ok(&["build-layers", "--offline"]);
    }
}

/// A file in the store that is to go.
fn going_artifact(repository: &Repository) -> PathBuf {
    let shown = json(&repository.ok(&["gc", "--json"]));
    let mut items = shown["items"].as_array().unwrap().iter();
    let artifact = items.find(|item| item["kind"] == "artifact" && item["state"] == "go").unwrap();
    PathBuf::from(artifact["path"].as_str().unwrap())
}

#[test]
fn what_belongs_to_another_user_is_named_and_skipped() {
    const NOBODY: u32 = 65534;
    let repository = moved_on();
    let artifact = going_artifact(&repository);
    let folder = artifact.parent().unwrap();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o555)).unwrap();
    let run = |args: &[&str]| {
        let mut command = repository.command(args);
        if rustix::process::geteuid().is_root() {
            // Root may do all: the command is run by somebody who owns all but this one folder.
            for path in held(&repository).0.iter().filter(|path| *path != folder) {
                std::os::unix::fs::lchown(path, Some(NOBODY), Some(NOBODY)).unwrap();
            }
            for path in [
                repository.store(),
                &repository.path(""),
                &repository.path("target"),
                &repository.path("target/spark-images"),
            ] {
                chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
                fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
            }
            command.uid(NOBODY).gid(NOBODY);
        }
        Run::of(&command.output().unwrap())
    };
    for args in [&["gc"][..], &["gc", "--yes"]] {
        let run = run(args);
        assert_eq!(run.code, Some(3), "{}\n{}", run.stdout, run.stderr);
        run.says(&format!("{}: you may not change it: it belongs to uid ", artifact.display()));
    }
    assert!(artifact.exists());
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    if rustix::process::geteuid().is_root() {
        chown(&artifact, Some(0), Some(0)).unwrap();
    }
    let left = going(&repository.ok(&["gc", "--json"]));
    let name = artifact.file_name().unwrap().to_str().unwrap();
    assert_eq!(left, [format!("artifact {name}")].into(), "all else was removed");
}

#[test]
fn root_leaves_what_belongs_to_others() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let repository = moved_on();
    let artifact = going_artifact(&repository);
    chown(&artifact, Some(1234), Some(1234)).unwrap();
    for args in [&["gc"][..], &["gc", "--yes"]] {
        let run = repository.run(args);
        assert_eq!(run.code, Some(3), "{}\n{}", run.stdout, run.stderr);
        run.says(&format!("{}: it belongs to uid 1234, and you are uid 0", artifact.display()));
    }
    assert!(artifact.exists());
    assert_eq!(going(&repository.run(&["gc", "--json"])), BTreeSet::new(), "all else was removed");
}

#[test]
fn a_layout_that_is_noted_under_two_paths_or_has_a_copy_of_hard_links_waits_for_nobody() {
    let repository = moved_on();
    let target = repository.path("target/spark-images");
    let link = repository.path("link");
    symlink(&target, &link).unwrap();
    let copy = repository.path("copy");
    for private in ["images/.assemble", "images/blobs/sha256"] {
        fs::create_dir_all(copy.join(private)).unwrap();
    }
    // Its lock is that of the layout it is a copy of.
    for file in ["images/.assemble/in-use", "images/index.json", "images/oci-layout"] {
        fs::hard_link(target.join(file), copy.join(file)).unwrap();
    }
    for out in [&link, &copy] {
        let run = repository.command(&["plan", "--offline"]).env("SPARK_IMAGES_OUT", out).output().unwrap();
        assert!(run.status.success());
    }
    let mut gc = repository.spawn(&["gc", "--yes"]);
    wait_until(|| gc.try_wait().unwrap().is_some());
    // The copy lacks the documents: nobody can tell which layers it needs.
    assert_eq!(Run::of(&gc.wait_with_output().unwrap()).code, Some(0));
    repository.ok(&["build-layers", "--offline"]).says("cached");
}

fn wait_until(mut is: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is() {
        assert!(begin.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(5));
    }
}
