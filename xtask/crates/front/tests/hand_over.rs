//! What reaches `xtask`, and what comes back from it. A shell stands in the place of cargo.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::{
        ffi::OsStrExt as _,
        process::{CommandExt as _, ExitStatusExt as _},
    },
    path::Path,
    process::{Command, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process_group};

/// A folder with a script that a shell in the place of cargo takes for its argument `run`.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new(script: &str) -> Self {
        // Beside the binaries, so that they can be linked there.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        fs::write(folder.path().join("run"), script).unwrap();
        Self { folder }
    }

    fn command<A: AsRef<OsStr>>(&self, args: &[A]) -> Command {
        self.command_of(Path::new(env!("CARGO_BIN_EXE_front")), args)
    }

    #[expect(clippy::disallowed_methods, reason = "tests start the program that they test")]
    fn command_of<A: AsRef<OsStr>>(&self, front: &Path, args: &[A]) -> Command {
        let mut command = Command::new(front);
        // A signal for the child must not reach the tests.
        command.args(args).current_dir(self.folder.path()).env("CARGO", "/bin/sh").process_group(0);
        command
    }

    fn run<A: AsRef<OsStr>>(&self, args: &[A]) -> Output {
        self.command(args).output().unwrap()
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn arguments_and_folder_arrive_as_they_are() {
    let bench = Bench::new(r#"pwd; printf '<%s>\n' "$@""#);
    let given =
        ["run", "an image", "--env", "A=$b 'c'", "--", "sh", "-c", "echo \"x  y\"; exit", "", "*", "--help", "ä\nö"];
    let output = bench.run(&given);
    let folder = bench.folder.path().canonicalize().unwrap();
    let (here, args) = text(&output.stdout).split_once('\n').unwrap();
    assert_eq!(here, folder.to_str().unwrap());
    let expected: String = given.iter().map(|arg| format!("<{arg}>\n")).collect();
    let (cargos, ours) = args.split_once("<-->\n").unwrap();
    assert_eq!(ours, expected);
    assert_eq!(cargos.trim_start_matches("<--quiet>\n"), "<--package>\n<xtask>\n");
}

/// Else the same crates are compiled again by each `cargo xtask` after a `cargo build`, and by the next one after that.
#[test]
fn what_cargo_says_of_front_does_not_reach_the_next_cargo() {
    let bench = Bench::new("env");
    let output = bench.command(&["plan"]).env("CARGO_PKG_NAME", "front").env("CARGO_HOME", "/home").output().unwrap();
    let names: Vec<&str> = text(&output.stdout).lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    let of_front =
        |name: &&&str| **name == "CARGO" || name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    assert_eq!(names.iter().filter(of_front).collect::<Vec<_>>(), Vec::<&&str>::new());
    assert!(names.contains(&"CARGO_HOME"), "{names:?}");
}

#[test]
fn input_and_output_are_its_own() {
    let bench = Bench::new("cat; echo said >&2");
    let mut child = bench
        .command(&["shell", "image"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"in\0out\xff").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stdout, b"in\0out\xff");
    assert!(text(&output.stderr).ends_with("said\n"), "{output:?}");
}

#[test]
fn the_exit_status_is_its_own() {
    for code in [0, 1, 3, 130] {
        assert_eq!(Bench::new(&format!("exit {code}")).run(&["plan"]).status.code(), Some(code));
    }
    let status = Bench::new("kill -KILL $$").run(&["plan"]).status;
    assert_eq!(status.signal(), Some(Signal::KILL.as_raw()));
}

/// As a terminal sends one, to all processes of its group. Not Ctrl-C, which a shell has its background jobs ignore.
#[test]
fn a_signal_arrives_once_and_nobody_stands_in_between() {
    let bench = Bench::new("n=0; trap 'n=$((n+1))' TERM; echo $$; until read -r line; do :; done; echo $n; exit 7");
    let mut child = bench.command(&["smoke"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.next(), Some(child.id().to_string()));
    kill_process_group(Pid::from_child(&child), Signal::TERM).unwrap();
    child.stdin.take().unwrap().write_all(b"go on\n").unwrap();
    assert_eq!(lines.next().as_deref(), Some("1"));
    assert_eq!(child.wait().unwrap().code(), Some(7));
}

#[test]
fn a_list_with_a_tree_of_ones_own_is_handed_over_and_without_one_it_is_not() {
    let bench = Bench::new("echo handed over");
    assert_eq!(text(&bench.run(&["list", "--source-dir", "../spark"]).stdout), "handed over\n");
    for args in
        [&["list"][..], &["ci-matrix"], &["--help"], &["help", "build-layers"], &["--version"], &["run", "--help"]]
    {
        let output = bench.run(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        assert!(!text(&output.stdout).contains("handed over"), "{args:?}");
    }
}

#[test]
fn what_is_wrong_is_said_without_xtask() {
    let bench = Bench::new("echo handed over");
    let odd: [&OsStr; 2] = ["plan".as_ref(), OsStr::from_bytes(b"\xff")];
    for (args, message) in [
        (["list".as_ref(), "--jsom".as_ref()], "'--json'"),
        (["bulid-layers".as_ref(), "x".as_ref()], "'build-layers'"),
        (odd, "invalid UTF-8"),
    ] {
        let output = bench.run(&args);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(output.stdout.is_empty() && text(&output.stderr).contains(message), "{output:?}");
    }
}

#[test]
fn a_cargo_that_is_not_there_is_named() {
    let output = Bench::new("").command(&["plan"]).env("CARGO", "/no/cargo").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("error: starting /no/cargo to build and run xtask: "), "{output:?}");
}

/// After a clone somebody waits, and is told for what.
#[test]
fn the_first_build_is_announced_and_later_ones_are_quiet() {
    let bench = Bench::new(r#"echo "$*""#);
    let front = bench.folder.path().join("front");
    fs::hard_link(env!("CARGO_BIN_EXE_front"), &front).unwrap();
    let run = || {
        let output = bench.command_of(&front, &["plan"]).output().unwrap();
        (text(&output.stdout).to_owned(), text(&output.stderr).to_owned())
    };
    let (first, told) = run();
    assert_eq!(first, "--package xtask -- plan\n");
    assert!(told.contains("building xtask"), "{told}");
    fs::write(bench.folder.path().join("xtask"), "").unwrap();
    assert_eq!(run(), ("--quiet --package xtask -- plan\n".to_owned(), String::new()));
}
