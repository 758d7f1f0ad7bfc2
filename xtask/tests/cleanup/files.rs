//! What is removed, what is refused, and who names it.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::{self, Permissions},
    os::unix::{
        ffi::OsStrExt as _,
        fs::{PermissionsExt as _, chown, symlink},
        process::CommandExt as _,
    },
    path::Path,
    process::{Command, Stdio},
    time::{Duration, SystemTime},
};

use crate::old::{Ended, LEGACY, NAMES, Old, named};

#[test]
fn what_is_replaced_goes_and_all_else_stays() {
    let old = Old::new();
    let before = old.files();
    let shown = old.run(&["--dry-run"]);
    shown.ends(0).says("docker/docker-base/spark-core/  3 files, 29 B; last touched 20").says("the old tree");
    shown.says("now: cargo xtask build-layers").says("named in docs/images.md:2: See [core]");
    shown
        .says("left alone: test.sh: in it stands none of")
        .says("left alone: test-mine.sh: in it stands `cargo xtask`");
    shown.says("old image name spark-k8s-jdbc-drivers:latest").says("in k8s/pod.yaml:1: image: spark-k8s");
    let found = old.run(&["--dry-run", "--json"]);
    let paths = found.json()["paths"].as_array().unwrap().clone();
    let paths: BTreeSet<&str> = paths.iter().map(|path| path["path"].as_str().unwrap()).collect();
    let core = "docker/docker-base/spark-core";
    let expected = LEGACY.iter().map(|(path, _)| if path.starts_with(core) { core } else { *path });
    assert_eq!(paths, expected.collect());
    assert_eq!(old.files(), before, "a dry run removed something");
    // Nobody to ask: the command is named.
    let asked = old.run(&[]);
    asked.ends(1).says("nothing was removed: nobody is asked here").says("--yes");
    assert_eq!(old.files(), before);

    let removed = old.run(&["--yes"]);
    removed.ends(1).says("removed 16 files and 0 image names").says("docker/docker-base/ has: jdk-17");
    removed
        .says("docs/images.md:2 names docker/docker-base/spark-core: See [core]")
        .says("6 lines still name what is gone");
    old.is_clean();
    // The index is as it was, and git brings everything back.
    assert_eq!(old.git(&["diff", "--cached", "--name-only"]), "");
    let second = old.run(&["--yes", "--json"]);
    second.ends(1);
    assert_eq!(second.still_named(), named());
    old.git(&["checkout", "--", "."]);
    assert_eq!(old.files(), before);
    assert_eq!(old.run(&["--yes", "--json"]).ends(1).still_named(), named());
    // What named it names it no more.
    for (path, _, lines) in NAMES.iter().filter(|(_, _, lines)| !lines.is_empty()) {
        old.write(path, if lines.is_empty() { "" } else { "something else\n" });
    }
    old.run(&["--yes"]).ends(0).says("no file names what is gone");
    old.commit();
    let nothing = old.run(&[]);
    nothing.ends(0).says("nothing to do: ");
    assert!(nothing.stderr.is_empty(), "{}", nothing.stderr);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "tests start the program that they test")]
fn this_repository_has_nothing_of_the_old_tree() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("cleanup-legacy").current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    let run = Ended::of(&command.output().unwrap());
    run.ends(0).says("nothing to do: ");
    assert_eq!(run.stdout.lines().count(), 1, "{}", run.stdout);
}

#[test]
fn what_git_could_not_bring_back_is_refused_all_at_once() {
    let old = Old::new();
    let core = "docker/docker-base/spark-core";
    old.write(".gitignore", "*.log\n");
    for name in ["hidden", "skipped", "modified"] {
        old.write(format!("{core}/{name}"), "a");
    }
    old.git(&["config", "core.trustctime", "false"]);
    let long_ago = || {
        let file = fs::File::options().write(true).open(old.path(core).join("Dockerfile")).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)).unwrap();
    };
    long_ago();
    old.commit();
    old.write(format!("{core}/notes.txt"), "mine");
    old.write(format!("{core}/build.log"), "ignored");
    old.write(format!("{core}/staged"), "mine");
    old.git(&["add", &format!("{core}/staged")]);
    old.git(&["update-index", "--assume-unchanged", &format!("{core}/hidden")]);
    old.git(&["update-index", "--skip-worktree", &format!("{core}/skipped")]);
    for name in ["hidden", "skipped", "modified"] {
        old.write(format!("{core}/{name}"), "changed");
    }
    // As long as before, and with the time that git remembers.
    old.write(format!("{core}/Dockerfile"), "FROM alpine\n");
    long_ago();
    old.write(format!("{core}/own/.git/HEAD"), "ref: refs/heads/main\n");
    old.write(format!("{core}/own/work"), "another repository's");
    let before = old.files();
    let refused = old.run(&["--yes"]);
    refused.ends(1).says("nothing was removed: git could not bring back");
    for (name, why) in [
        ("notes.txt", "not in the last commit"),
        ("build.log", "not in the last commit"),
        ("staged", "not in the last commit"),
        ("modified", "changed since the last commit"),
        ("Dockerfile", "changed since the last commit"),
        ("hidden", "changed since the last commit"),
        ("skipped", "changed since the last commit"),
        ("own", "another git repository"),
    ] {
        refused.says(&format!("{core}/{name}: {why}"));
    }
    assert!(!refused.stderr.contains("own/work"), "{}", refused.stderr);
    assert_eq!(old.files(), before);
    // Left, the rest goes.
    old.run(&["--keep", core, "--yes"]).ends(1).says("left alone: docker/docker-base/spark-core: you keep it");
    assert!(old.path(core).join("notes.txt").exists() && !old.path("build-all.sh").exists());
    old.run(&["--keep", &format!("{core}/notes.txt"), "--yes"])
        .ends(1)
        .says("it goes with docker/docker-base/spark-core");
    old.run(&["--keep", "../outside", "--yes"]).ends(1).says("write it relative to the checkout");
    old.run(&["--keep", "no-such", "--yes"]).ends(1).says("there is no such path");
    old.run(&["--force", "--yes"]).ends(1);
    old.is_clean();
}

#[test]
fn a_submodule_is_refused() {
    let old = Old::new();
    old.git(&["init", "-q", "../module"]);
    old.git(&["-C", "../module", "commit", "-q", "--allow-empty", "-m", "a"]);
    old.git(&["submodule", "--quiet", "add", "../module", "docker/docker-base/spark-core/module"]);
    old.commit();
    old.run(&["--yes"]).ends(1).says("docker/docker-base/spark-core/module: a submodule");
    old.run(&["--yes", "--force"]).ends(1);
    old.is_clean();
    assert!(old.path("../module/.git").exists());
}

#[test]
fn without_git_nothing_can_be_brought_back() {
    let old = Old::new();
    fs::remove_dir_all(old.path(".git")).unwrap();
    old.run(&["--yes"]).ends(1).says("Makefile: not in the last commit");
    assert!(old.path("Makefile").exists());
    old.run(&["--yes", "--force"]).ends(0);
    old.is_clean();
    // A folder of a larger repository is cleaned by itself.
    let old = Old::new();
    fs::rename(old.path(".git"), old.path("../.git")).unwrap();
    fs::rename(old.path("../outside"), old.path("../.git/outside")).unwrap();
    let git = |args: &[&str]| old.git(&[&["-C", ".."], args].concat());
    git(&["add", "-A"]);
    git(&["commit", "-qm", "a"]);
    fs::rename(old.path("../.git/outside"), old.path("../outside")).unwrap();
    let run = old.run(&["--yes", "--json"]);
    assert_eq!(run.ends(1).still_named(), named());
    old.is_clean();
}

#[test]
fn names_of_any_kind_are_removed_and_no_link_is_followed() {
    let old = Old::new();
    let core = old.path("docker/docker-base/spark-core");
    let names: [&[u8]; 8] =
        [b"a b", b"new\nline", b"-rf", "\u{fc}n\u{ef}".as_bytes(), b"*", b"[a]?.sh", b"\xff\xfe", b"$(id)"];
    for name in names {
        fs::write(core.join(OsStr::from_bytes(name)), "a").unwrap();
    }
    symlink("/", core.join("root")).unwrap();
    symlink("../../../../outside", core.join("outside")).unwrap();
    symlink("loop", core.join("loop")).unwrap();
    let iceberg = old.path("docker/docker-intermediate/jars-iceberg");
    fs::write(iceberg.join("build- *\n.sh"), "docker build").unwrap();
    // A parent that is a link, and a script that is one.
    old.write("../outside/build.sh", "docker build");
    symlink("../../../outside", old.path("docker/docker-intermediate/linked")).unwrap();
    symlink("../../../outside/build.sh", iceberg.join("build-linked.sh")).unwrap();
    // A link that points at what goes.
    symlink("docker/docker-base/spark-core", old.path("core")).unwrap();
    old.commit();
    let shown = old.run(&["--dry-run"]);
    shown.ends(0).says("left alone: docker/docker-intermediate/linked: a symbolic link, which is not followed");
    shown.says("jars-iceberg/build-linked.sh: a symbolic link").says("build- *\\n.sh\"  1 file");
    let run = old.run(&["--yes", "--json"]);
    let mut expected = named();
    expected.insert("core:null".to_owned());
    assert_eq!(run.ends(1).still_named(), expected);
    old.is_clean();
    assert!(old.path("../outside/build.sh").exists() && !iceberg.join("build- *\n.sh").exists());
}

#[test]
fn a_link_in_the_place_of_a_folder_is_no_way_out() {
    // The whole of docker/ is elsewhere: nothing below it is touched.
    let old = Old::new();
    fs::rename(old.path("docker"), old.path("../outside/docker")).unwrap();
    symlink("../outside/docker", old.path("docker")).unwrap();
    let run = old.run(&["--yes", "--force"]);
    run.says("left alone: docker: a symbolic link, which is not followed");
    assert!(old.path("../outside/docker/docker-base/spark-core/Dockerfile").exists());
    // The legacy folder itself is a link: it is changed in git's eyes, and the link alone goes.
    let old = Old::new();
    fs::remove_dir_all(old.path("docker/docker-base/spark-core")).unwrap();
    symlink("../../../outside", old.path("docker/docker-base/spark-core")).unwrap();
    old.run(&["--yes"]).ends(1).says("docker/docker-base/spark-core: not in the last commit");
    old.run(&["--yes", "--force"]).ends(1);
    old.is_clean();
}

#[test]
fn a_read_only_folder_is_named_before_anything_goes() {
    let old = Old::new();
    let closed = old.path("docker/docker-base/spark-core/conf");
    let own = rustix::process::geteuid().is_root();
    if own {
        // root may do everything: somebody else runs it.
        fs::set_permissions(old.folder.path(), Permissions::from_mode(0o755)).unwrap();
        fn give(path: &Path) {
            chown(path, Some(65534), Some(65534)).unwrap();
            if path.is_dir() {
                fs::read_dir(path).unwrap().for_each(|entry| give(&entry.unwrap().path()));
            }
        }
        give(&old.path(""));
    }
    let run = |args: &[&str]| {
        let mut command = old.command(args);
        if own {
            command.uid(65534).gid(65534);
        }
        command.output().map(|output| Ended::of(&output))
    };
    fs::set_permissions(&closed, Permissions::from_mode(0o555)).unwrap();
    // Where the program itself lies, nobody else may be let in.
    let Ok(refused) = run(&["--yes"]) else {
        eprintln!("skipped: another user may not start {}", env!("CARGO_BIN_EXE_xtask"));
        return;
    };
    refused.ends(1).says("nothing was removed: you may not change 1 folder").says("chmod u+w -- ");
    assert!(old.path("Makefile").exists());
    fs::set_permissions(&closed, Permissions::from_mode(0o755)).unwrap();
    run(&["--yes"]).unwrap().ends(1);
    old.is_clean();
}

#[test]
#[expect(clippy::disallowed_methods, reason = "tests start the program that they test")]
fn what_is_mounted_in_it_is_left_even_by_force() {
    let old = Old::new();
    fs::create_dir(old.path("docker/docker-base/spark-core/mounted")).unwrap();
    let script = "mount --bind outside old/docker/docker-base/spark-core/mounted && exec \"$0\" cleanup-legacy --root old \
                  --yes --force";
    let words = ["--user", "--map-root-user", "--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_xtask")];
    let mut command = Command::new("unshare");
    command.args(words).current_dir(old.folder.path()).env("HOME", old.folder.path()).stdin(Stdio::null());
    let Ok(output) = command.output() else { return eprintln!("skipped: there is no unshare") };
    let run = Ended::of(&output);
    if run.stderr.starts_with("unshare: ") || run.stderr.starts_with("mount: ") {
        assert!(std::env::var_os("SANDBOX_REQUIRED").is_none(), "{}", run.all());
        return eprintln!("skipped: {}", run.stderr);
    }
    run.ends(1).says(
        "left alone: docker/docker-base/spark-core: another file system is mounted at \
         docker/docker-base/spark-core/mounted",
    );
    old.outside_is_well();
    assert!(old.path("docker/docker-base/spark-core/Dockerfile").exists() && !old.path("Makefile").exists());
}
