//! `cleanup-legacy` on a tree with the shape of the one that this repository replaced. The table is this repository's own.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::{self, Permissions},
    io::{Read as _, Write as _},
    os::unix::{
        ffi::OsStrExt as _,
        fs::{PermissionsExt as _, chown, symlink},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// The old tree, in git, beside a folder that is none of its business.
struct Old {
    folder: tempfile::TempDir,
}

/// What goes, with a word of the line in each.
const LEGACY: [(&str, &str); 16] = [
    (
        "Makefile",
        "all:\n\tbash build-all.sh\niceberg: all\n\tbash docker/docker-intermediate/jars-iceberg/build-3.5.7.sh\n",
    ),
    ("build-all.sh", "for d in docker/docker-intermediate/*; do (cd $d && ./build.sh); done\n"),
    ("test-images.sh", "docker/docker-intermediate/test-jars.sh\n"),
    ("docker/docker-base/spark-core/Dockerfile", "FROM debian\n"),
    ("docker/docker-base/spark-core/build.sh", "docker build .\n"),
    ("docker/docker-base/spark-core/conf/spark.conf", "a\n"),
    ("docker/docker-intermediate/python-deps/build.sh", "docker build -t spark-k8s-python-deps:latest .\n"),
    ("docker/docker-intermediate/jdbc-drivers/build.sh", "docker build -t spark-k8s-jdbc-drivers:latest .\n"),
    ("docker/docker-intermediate/jars-iceberg/build-3.5.7.sh", "docker build .\n"),
    ("docker/docker-intermediate/jars-iceberg/build-4.1.0.sh", "docker build .\n"),
    ("docker/docker-intermediate/jars-rapids/build.sh", "docker build .\n"),
    ("docker/docker-intermediate/test-jars.sh", "docker run --rm x ls\n"),
    ("docker/runtime/spark/build-3.5.sh", "docker build .\n"),
    ("docker/runtime/spark/build-4.1.sh", "docker build .\n"),
    ("docker/spark-custom/3.5.7/Makefile", "image:\n\tdocker build .\n"),
    ("docker/spark-custom/3.5.7/build.sh", "docker build .\n"),
];

/// What stays, and names nothing of that.
const OTHERS: [(&str, &str); 12] = [
    ("test.sh", "docker-compose ps\n"),
    ("build-site.sh", "mkdocs build\n"),
    ("test-mine.sh", "cargo xtask smoke # what lies in docker/docker-intermediate\n"),
    ("ci/build.sh", "docker build .\n"),
    ("ci/test-all.sh", "docker run x\n"),
    ("charts/Makefile", "all:\n\thelm package .\n"),
    ("docker/docker-base/jdk-17/Dockerfile", "FROM debian\n"),
    ("docker/docker-base/jdk-17/test.sh", "docker run x\n"),
    ("docker/docker-intermediate/jars-iceberg/Dockerfile", "FROM spark-core_2.12\n"),
    ("docker/runtime/jupyter/build-3.5.sh", "docker build .\n"),
    ("docker/smoke/jobs/builder.sh", "docker build .\n"),
    ("README.md", "Call `make -C charts all`, and make all of it yours. See charts/Makefile.\n"),
];

/// What names some of it, with the lines that do.
const NAMES: [(&str, &str, &[usize]); 5] = [
    (
        ".github/workflows/images.yml",
        "jobs:\n  a:\n    steps:\n      - run: make iceberg\n      - run: ./build.sh\n        \
         working-directory: docker/docker-intermediate/jdbc-drivers\n      - run: ci/build.sh\n",
        &[4, 5],
    ),
    (
        "docs/images.md",
        "# Images\nSee [core](../docker/docker-base/spark-core/Dockerfile).\nThe spark-core.tar is another.\n",
        &[2],
    ),
    ("docker/docker-intermediate/jars-iceberg/README.md", "Run\n\n    ./build-3.5.7.sh\n    build-9.9.9.sh\n", &[3]),
    (
        "ci/all.sh",
        "for s in docker/docker-intermediate/*/build.sh; do $s; done\n$ROOT/docker/runtime/spark/build-3.5.sh\n",
        &[1, 2],
    ),
    ("k8s/pod.yaml", "image: spark-k8s-jdbc-drivers:latest\n", &[]),
];

impl Old {
    fn new() -> Self {
        let old = Self { folder: tempfile::tempdir().unwrap() };
        old.write("../outside/precious", "precious");
        let all = LEGACY.iter().chain(&OTHERS).copied().chain(NAMES.iter().map(|(path, text, _)| (*path, *text)));
        for (path, text) in all {
            old.write(path, text);
        }
        old.git(&["init", "-q"]);
        old.commit();
        old
    }

    fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join("old").join(path)
    }

    fn write(&self, path: impl AsRef<Path>, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[expect(clippy::disallowed_methods, reason = "tests make the checkout that they test")]
    fn git(&self, args: &[&str]) -> String {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always"]).args(args);
        let output = git.current_dir(self.path("")).env("HOME", self.folder.path()).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn commit(&self) {
        self.git(&["add", "-A", "-f"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", "the old tree"]);
    }

    #[expect(clippy::disallowed_methods, reason = "tests start the program that they test")]
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command
            .arg("cleanup-legacy")
            .arg("--root")
            .arg(self.path(""))
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Ended {
        Ended::of(&self.command(args).output().unwrap())
    }

    /// Every file and link below the checkout, but git's own; a folder without any counts as well.
    fn files(&self) -> BTreeSet<PathBuf> {
        fn walk(folder: &Path, root: &Path, files: &mut BTreeSet<PathBuf>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.symlink_metadata().unwrap().is_dir() && path != root.join(".git") {
                    files.insert(path.strip_prefix(root).unwrap().to_owned());
                    walk(&path, root, files);
                } else {
                    files.insert(path.strip_prefix(root).unwrap().to_owned());
                }
            }
        }
        let mut files = BTreeSet::new();
        walk(&self.path(""), &self.path(""), &mut files);
        files
    }

    /// Nothing outside of the checkout was touched.
    #[track_caller]
    fn outside_is_well(&self) {
        assert_eq!(fs::read_to_string(self.path("../outside/precious")).unwrap(), "precious");
    }

    /// What is legacy is gone, and all else is there.
    #[track_caller]
    fn is_clean(&self) {
        let files = self.files();
        let gone: BTreeSet<PathBuf> = LEGACY.iter().map(|(path, _)| path.into()).collect();
        assert_eq!(files.intersection(&gone).collect::<Vec<_>>(), Vec::<&PathBuf>::new());
        assert!(!files.contains(Path::new("docker/docker-base/spark-core")), "{files:#?}");
        assert!(!files.contains(Path::new("docker/spark-custom")), "an empty folder is left: {files:#?}");
        for path in OTHERS.iter().map(|(path, _)| path).chain(NAMES.iter().map(|(path, ..)| path)) {
            assert!(files.contains(Path::new(path)), "{path} is gone");
        }
        self.outside_is_well();
    }
}

struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ended {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    fn all(&self) -> String {
        format!("code {:?}\n{}\n{}", self.code, self.stdout, self.stderr)
    }

    #[track_caller]
    fn says(&self, words: &str) -> &Self {
        assert!(self.stdout.contains(words) || self.stderr.contains(words), "expected {words:?}, found {}", self.all());
        self
    }

    #[track_caller]
    fn ends(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{}", self.all());
        self
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {}", self.all()))
    }

    /// `file:line` of what still names something.
    fn still_named(&self) -> BTreeSet<String> {
        let lines = self.json()["still_named"].as_array().unwrap().clone();
        lines.iter().map(|line| format!("{}:{}", line["file"].as_str().unwrap(), line["line"])).collect()
    }
}

fn named() -> BTreeSet<String> {
    let lines = NAMES.iter().flat_map(|(path, _, lines)| lines.iter().map(move |line| format!("{path}:{line}")));
    lines.collect()
}

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
    old.write(format!("{core}/own/.git/HEAD"), "ref: refs/heads/main\n");
    old.write(format!("{core}/own/work"), "another repository's");
    let before = old.files();
    let refused = old.run(&["--yes"]);
    refused.ends(1).says("nothing was removed: git could not bring back");
    for (name, why) in [
        ("notes.txt", "not in git"),
        ("build.log", "not in git"),
        ("staged", "changed since the last commit"),
        ("modified", "changed since the last commit"),
        ("hidden", "git was told not to look at it"),
        ("skipped", "git was told not to look at it"),
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
    old.run(&["--yes"]).ends(1).says("Makefile: not in git");
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
    old.run(&["--yes"]).ends(1).says("docker/docker-base/spark-core: not in git");
    old.run(&["--yes", "--force"]).ends(1);
    old.is_clean();
}

/// The command with a terminal as its standard input, stopped at its question.
struct Asked {
    child: Child,
    terminal: fs::File,
}

impl Asked {
    fn of(mut command: Command) -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap();
        let stdin = fs::File::options().read(true).write(true).open(OsStr::from_bytes(name.as_bytes())).unwrap();
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (mut said, mut byte) = (Vec::new(), [0]);
        while !said.ends_with(b"type `yes`: ") {
            let stderr = child.stderr.as_mut().unwrap();
            assert_eq!(stderr.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&said));
            said.push(byte[0]);
        }
        Self { child, terminal: terminal.into() }
    }

    fn answer(mut self, answer: &str) -> Ended {
        writeln!(self.terminal, "{answer}").unwrap();
        Ended::of(&self.child.wait_with_output().unwrap())
    }
}

#[test]
fn on_a_terminal_it_asks() {
    let old = Old::new();
    let before = old.files();
    for answer in ["", "y", "no", "yes please"] {
        Asked::of(old.command(&[])).answer(answer).ends(1).says("error: nothing was removed");
        assert_eq!(old.files(), before);
    }
    Asked::of(old.command(&[])).answer("yes").ends(1).says("removed 16 files");
    old.is_clean();
}

#[test]
fn what_is_replaced_while_it_asks_is_left() {
    let old = Old::new();
    let core = old.path("docker/docker-base/spark-core");
    // A folder for a link to elsewhere; a parent for one; a file for another; one more file.
    let changes: [&dyn Fn(); 4] = [
        &|| {
            fs::rename(&core, old.path("../moved")).unwrap();
            symlink("../../../outside", &core).unwrap();
        },
        &|| {
            fs::rename(old.path("docker"), old.path("../moved")).unwrap();
            symlink("../moved", old.path("docker")).unwrap();
        },
        &|| fs::write(old.path("build-all.sh"), "docker/docker-intermediate, and my own work").unwrap(),
        &|| fs::write(core.join("mine"), "mine").unwrap(),
    ];
    for change in changes {
        let asked = Asked::of(old.command(&[]));
        change();
        asked.answer("yes").ends(1).says("nothing was removed: ").says("was changed since this was shown");
        old.outside_is_well();
        if old.path("../moved").exists() {
            let place = if core.is_symlink() { core.clone() } else { old.path("docker") };
            fs::remove_file(&place).unwrap();
            fs::rename(old.path("../moved"), place).unwrap();
        }
        fs::remove_file(core.join("mine")).ok();
        assert_eq!(old.git(&["diff", "--name-only", "--diff-filter=D"]), "");
        old.git(&["checkout", "--", "."]);
    }
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
fn killed_at_any_time_the_next_run_ends_the_same() {
    let old = Old::new();
    for n in 0..200 {
        old.write(format!("docker/docker-base/spark-core/many/{n:03}/file"), "a");
    }
    old.commit();
    let watched =
        ["000/file", "020/file", "150", "199/file"].map(|name| format!("docker/docker-base/spark-core/many/{name}"));
    for watched in watched {
        let mut child = old.command(&["--yes"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while old.path(&watched).exists() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let run = old.run(&["--yes", "--json"]);
        assert_eq!(run.ends(1).still_named(), named());
        old.is_clean();
        old.git(&["checkout", "--", "."]);
    }
    // Killed before the last folder, it leaves one that git does not know.
    old.run(&["--yes"]).ends(1);
    fs::create_dir_all(old.path("docker/spark-custom/3.5.7")).unwrap();
    old.run(&["--yes"]).ends(1);
    old.is_clean();
    // Two at once.
    old.git(&["checkout", "--", "."]);
    let spawn = || old.command(&["--yes"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut both = [spawn(), spawn()];
    for child in &mut both {
        child.wait().unwrap();
    }
    old.run(&["--yes"]).ends(1);
    old.is_clean();
}

/// A client of an engine that keeps lines of `id|name:tag|size|label` and of `container image`.
const CLIENT: &str = r#"#!/bin/sh
echo "$*" >> "$STATE/calls"
case "$1 $2" in
  "images --no-trunc")
    case "$*" in *label=io.spark-images.fingerprint*) pick='|ours$' ;; *) pick= ;; esac
    grep -e "$pick" "$STATE/images" | cut -d'|' -f1-3 ;;
  "ps --all") grep "${5#ancestor=}" "$STATE/containers" | cut -d' ' -f1; true ;;
  "image inspect")
    found=$(grep -F "|$5|" "$STATE/images" || grep -F "$5|" "$STATE/images") || { echo "no such image: $5" >&2; exit 1; }
    echo "$found" | head -n1 | cut -d'|' -f1 ;;
  "image rm")
    [ "$3" = --no-prune ] || exit 1
    [ "$4" = spark-k8s-jars-rapids:latest ] && { echo "conflict: it has dependent child images" >&2; exit 1; }
    grep -v -F -e "|$4|" -e "$4|<none>" "$STATE/images" > "$STATE/new"; mv "$STATE/new" "$STATE/images" ;;
  *) echo "what is $*?" >&2; exit 1 ;;
esac
"#;

fn id(n: u32) -> String {
    format!("sha256:{n:064x}")
}

#[test]
fn images_go_by_their_exact_name_or_our_label_and_never_in_use() {
    for engine in ["docker", "podman"] {
        let old = Old::new();
        let bin = old.path("../bin");
        fs::create_dir_all(&bin).unwrap();
        fs::write(bin.join(engine), CLIENT).unwrap();
        fs::set_permissions(bin.join(engine), Permissions::from_mode(0o755)).unwrap();
        let run = |args: &[&str]| {
            let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
            Ended::of(&old.command(args).env("PATH", path).env("STATE", &bin).output().unwrap())
        };
        let there = [
            (1, "spark-k8s-jdbc-drivers:latest", ""),
            (2, "spark-k8s-python-deps:latest", ""),
            (3, "localhost:5000/spark-custom:3.5", ""),
            (4, "localhost/spark-k8s-jars-iceberg:latest", ""),
            (5, "spark-k8s-jars-rapids:latest", ""),
            (6, "spark-k8s-jars-iceberg:3.5.7", "ours"),
            (6, "spark-images.invalid/spark-k8s-jars-iceberg:aa", "ours"),
            (7, "spark-images.invalid/spark-k8s-jars-iceberg:bb", "ours"),
            (8, "<none>:<none>", "ours"),
            (9, "<none>:<none>", ""),
            (10, "registry.example/spark-k8s-jdbc-drivers:latest", ""),
            (11, "debian:bookworm", ""),
        ];
        let lines: String = there.iter().map(|(n, name, label)| format!("{}|{name}|1.5GB|{label}\n", id(*n))).collect();
        fs::write(bin.join("images"), &lines).unwrap();
        fs::write(bin.join("containers"), format!("c0ffee {}\n", id(2))).unwrap();
        // Nothing is asked that was not named, and an engine that is not there is an error.
        run(&["--dry-run"]).ends(0);
        assert!(!bin.join("calls").exists());
        let shown = run(&["--dry-run", "--engine", engine]);
        shown.ends(0).says(&format!("{engine}: spark-k8s-jdbc-drivers:latest  1.5 GB"));
        shown.says("left: in use by container c0ffee").says("one tag for every Spark version");
        shown.says(&format!("{engine}: spark-images.invalid/spark-k8s-jars-iceberg:bb")).says("built by this program");
        assert_eq!(fs::read_to_string(bin.join("images")).unwrap(), lines);
        let run = run(&["--yes", "--json", "--engine", engine]);
        let report = run.json();
        let states = report["images"].as_array().unwrap().iter();
        let states: BTreeSet<String> = states
            .map(|image| format!("{} {}", image["name"].as_str().unwrap(), image["state"].as_str().unwrap()))
            .collect();
        let mut expected = vec![
            "spark-k8s-jdbc-drivers:latest removed".to_owned(),
            "spark-k8s-python-deps:latest in use by container c0ffee".to_owned(),
            "localhost:5000/spark-custom:3.5 removed".to_owned(),
            "spark-k8s-jars-rapids:latest conflict: it has dependent child images".to_owned(),
            "spark-images.invalid/spark-k8s-jars-iceberg:bb removed".to_owned(),
            format!("{} removed", id(8)),
        ];
        // Only Podman writes this host before a name that has none.
        expected.extend((engine == "podman").then(|| "localhost/spark-k8s-jars-iceberg:latest removed".to_owned()));
        assert_eq!(states, expected.into_iter().collect(), "{engine}");
        let left = fs::read_to_string(bin.join("images")).unwrap();
        for n in [2, 5, 6, 9, 10, 11] {
            assert!(left.contains(&id(n)), "{n} is gone: {left}");
        }
        let calls = fs::read_to_string(bin.join("calls")).unwrap();
        let calls = calls.replace("--no-prune", "");
        assert!(!calls.contains("prune") && !calls.contains("--force") && !calls.contains(" -f "), "{calls}");
    }
}

#[test]
fn an_engine_that_is_not_there_is_an_error_before_anything_goes() {
    let old = Old::new();
    let mut command = old.command(&["--yes", "--engine", "docker"]);
    // git alone is there.
    let tools = old.path("../tools");
    fs::create_dir_all(&tools).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let git = std::env::split_paths(&path).map(|folder| folder.join("git")).find(|path| path.exists()).unwrap();
    symlink(git, tools.join("git")).unwrap();
    let run = Ended::of(&command.env("PATH", &tools).output().unwrap());
    run.ends(1).says("docker is not installed").says("leave --engine out");
    assert!(old.path("Makefile").exists());
}
