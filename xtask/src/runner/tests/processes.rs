//! The same in processes of their own: as an ordinary user, killed, and interrupted.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read},
    os::unix::fs::PermissionsExt,
    process::{Child, Command, Stdio},
};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::process::{Pid, Signal, kill_process};

use super::bench::Bench;

/// The variable by which a child gets its folder.
const FOLDER: &str = "RUN_TEST_FOLDER";

/// Waits for ever when it is run first, and ends when it is run again.
const ONCE: &str = "FROM base\nRUN --mount=type=cache,target=/c test -e /c/again || first=1; touch /c/again; echo 1 >/tmp/f; \
                    echo started; test -z \"$first\" || sleep 1000";

/// This program again, below `prefix`, with its temporary files in `folder`.
#[expect(clippy::disallowed_methods, reason = "tests start the program that they test")]
fn child(folder: &Utf8Path, prefix: &[&str], arguments: &[&str]) -> Child {
    // The build folder may be one that only root can enter.
    let program = folder.join("program");
    // By a process of its own: one that another test forks meanwhile would hold the copy open, and so keep it from being run.
    let copied = Command::new("cp").args([env::current_exe().unwrap().as_path(), program.as_std_path()]).status();
    assert!(copied.unwrap().success());
    for path in [&program, folder] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let words: Vec<&str> = prefix.iter().copied().chain([program.as_str()]).chain(arguments.iter().copied()).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).env(FOLDER, folder).env("TMPDIR", folder).current_dir(folder);
    command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap()
}

/// A child that has begun to run its command.
fn victim(folder: &Utf8Path) -> (Child, impl Read) {
    let name = "runner::tests::processes::builds_once";
    let mut child = child(folder, &[], &["--ignored", "--exact", name, "--nocapture"]);
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("started") {
        line.clear();
        assert!(output.read_line(&mut line).unwrap() > 0, "it ended before it began");
    }
    (child, output)
}

#[test]
#[ignore = "started by other tests as a process of its own"]
fn builds_once() {
    let bench = Bench::at(Utf8PathBuf::from(env::var(FOLDER).unwrap()).join("bench")).unwrap();
    bench.show.store(true, std::sync::atomic::Ordering::Relaxed);
    println!("{}", bench.refuse(ONCE));
}

#[test]
fn everything_again_as_an_ordinary_user() {
    if !rustix::process::geteuid().is_root() || Bench::new().is_none() {
        return;
    }
    let guard = tempfile::tempdir().unwrap();
    let folder = Utf8Path::from_path(guard.path()).unwrap();
    let user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
    let output = child(folder, &user, &["runner::"]).wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("test result: ok."), "{text}");
}

#[test]
fn what_was_killed_is_not_trusted() {
    let guard = tempfile::tempdir().unwrap();
    let folder = Utf8Path::from_path(guard.path()).unwrap();
    let Some(bench) = Bench::at(folder.join("bench")) else { return };
    let runs = bench.layout.root().join(".assemble/runs");
    let (mut child, _output) = victim(folder);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(runs.read_dir_utf8().unwrap().count(), 1, "it could not clean up");
    let built = bench.build(ONCE);
    assert_eq!(bench.said(), "started", "it was run again");
    assert_eq!(super::bench::text(&bench.tree(&built), "tmp/f"), "1\n");
    assert_eq!(runs.read_dir_utf8().unwrap().count(), 0);
}

#[test]
fn an_interrupt_ends_the_command_and_keeps_nothing() {
    let guard = tempfile::tempdir().unwrap();
    let folder = Utf8Path::from_path(guard.path()).unwrap();
    let Some(bench) = Bench::at(folder.join("bench")) else { return };
    let (mut child, mut output) = victim(folder);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let mut said = String::new();
    output.read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success() && said.contains("was interrupted; nothing of it was kept"), "{said}");
    assert_eq!(bench.layout.root().join(".assemble/runs").read_dir_utf8().unwrap().count(), 0);
    bench.build(ONCE);
    assert_eq!(bench.said(), "started");
}
