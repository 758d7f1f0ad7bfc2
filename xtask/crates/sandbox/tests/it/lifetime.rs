//! Runs that end before their command would: nothing of them is left, neither processes nor files.

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Read},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::process::{Pid, Signal, kill_process};
use sandbox::{Cancel, Output, Sandbox, Status};

use crate::{
    bench::{Archive, Bench, run, says},
    child,
};

/// Starts processes in every way in which one may get away, all with `mark` in their arguments, then says that they are
/// there. The time only bounds how long a failing test leaves them.
const FAMILY: &str = r#"
for n in 1 2; do sh -c 'sleep 120; : "$1"' sh "$1" & done
setsid sh -c 'trap "" TERM INT HUP; sleep 120; : "$1"' sh "$1" </dev/null >/dev/null 2>&1 &
(sh -c 'sleep 120; : "$1"' sh "$1" &)
echo up
wait; sleep 120
"#;

/// The pids of processes that have `mark` in their arguments, this one excepted.
fn alive(mark: &str) -> Vec<String> {
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc").unwrap() {
        let path = entry.unwrap().path();
        let line = fs::read(path.join("cmdline")).unwrap_or_default();
        let is_process = path.file_name().is_some_and(|name| name.to_string_lossy().parse::<u32>().is_ok());
        if is_process && String::from_utf8_lossy(&line).contains(mark) {
            pids.push(path.display().to_string());
        }
    }
    pids
}

fn mark(bench: &Bench) -> String {
    format!("mark-{}", bench.path.file_name().unwrap())
}

fn is_empty(folder: &Utf8Path) -> bool {
    folder.read_dir_utf8().unwrap().next().is_none()
}

#[test]
fn a_command_whose_time_is_over_is_killed() {
    let bench = Bench::new();
    let Some(sandbox) = bench.sandbox() else { return };
    let mut spec = bench.spec([], &["sleep", "120"]);
    spec.timeout = Some(Duration::from_millis(200));
    let outcome = run(&sandbox, spec);
    assert_eq!(outcome.status, Status::TimedOut);
    assert!(outcome.elapsed < Duration::from_secs(60));
    assert!(is_empty(&bench.path.join("runs")));
}

#[test]
fn a_cancelled_command_leaves_no_process() {
    let bench = Bench::new();
    let Some(sandbox) = bench.sandbox() else { return };
    let mark = mark(&bench);
    let cancel = Cancel::new();
    let mut spec = bench.spec([], &["sh", "-c", FAMILY, "sh", &mark]);
    let seen = Arc::new(Mutex::new(0));
    spec.stdout = Output::Lines(Box::new({
        let (cancel, seen, mark) = (cancel.clone(), seen.clone(), mark.clone());
        move |line| {
            assert_eq!(line, "up");
            *seen.lock().unwrap() = alive(&mark).len();
            cancel.cancel();
        }
    }));
    let outcome = sandbox.run(spec, &cancel).unwrap();
    assert_eq!(outcome.status, Status::Cancelled);
    assert!(*seen.lock().unwrap() >= 5, "the family was there");
    assert_eq!(alive(&mark), Vec::<String>::new());
    let later = sandbox.run(bench.spec([], &["sleep", "120"]), &cancel).unwrap();
    assert_eq!(later.status, Status::Cancelled, "a run that starts after the cancelling");
}

#[test]
fn what_a_command_left_in_the_background_dies_with_it() {
    let bench = Bench::new();
    let Some(sandbox) = bench.sandbox() else { return };
    let mark = mark(&bench);
    let script = FAMILY.replace("wait; sleep 120", "exit 7");
    assert_eq!(run(&sandbox, bench.spec([], &["sh", "-c", &script, "sh", &mark])).status, Status::Exited(7));
    assert_eq!(alive(&mark), Vec::<String>::new());
}

#[test]
fn a_command_that_somebody_kills_has_the_exit_code_of_that_and_its_own_words_alone() {
    let bench = Bench::new();
    let Some(sandbox) = bench.sandbox() else { return };
    let mark = mark(&bench);
    let mut spec = bench.spec([], &["sh", "-c", "echo words >&2; echo here; sleep 120; :", "sh", &mark]);
    spec.stdout = Output::Lines(Box::new(move |_| {
        let name = |path: &str| fs::read(format!("{path}/cmdline")).unwrap_or_default();
        let path = alive(&mark).into_iter().find(|path| name(path).starts_with(b"sh\0-c\0echo words")).unwrap();
        let pid = Pid::from_raw(path.trim_start_matches("/proc/").parse().unwrap()).unwrap();
        kill_process(pid, Signal::KILL).unwrap();
    }));
    let outcome = run(&sandbox, spec);
    assert_eq!(outcome.status, Status::Exited(137));
    assert_eq!(String::from_utf8_lossy(&outcome.stderr), "words\n");
}

#[test]
#[ignore = "started by another test as a process of its own, to be killed"]
fn victim() {
    let bench = Bench::new();
    let path = Utf8PathBuf::from(env::var(child::FOLDER).unwrap());
    let sandbox = Sandbox::open(&path).unwrap();
    let mut spec = bench.spec([], &["sh", "-c", FAMILY, "sh", &format!("mark-{}", path.file_name().unwrap())]);
    spec.stdout = Output::Inherit;
    spec.stderr = Output::Inherit;
    run(&sandbox, spec);
}

#[test]
fn nothing_survives_the_kill_of_the_caller() {
    let bench = Bench::new();
    if bench.sandbox().is_none() {
        return;
    }
    let (reader, writer) = io::pipe().unwrap();
    let victim = child::of("lifetime::victim", &bench).stdin_null().stdout_file(writer).start().unwrap();
    let mut output = BufReader::new(reader);
    let mut line = String::new();
    while line != "up\n" {
        line.clear();
        assert_ne!(output.read_line(&mut line).unwrap(), 0, "the victim ended early");
    }
    assert!(alive(&mark(&bench)).len() >= 5);
    assert!(!is_empty(&bench.path.join("runs")));
    let killed = Instant::now();
    victim.kill().unwrap();
    victim.wait().unwrap();
    // All of the box that hold the pipe must die for this to end; the rest is killed by the kernel at the same time.
    output.read_to_string(&mut line).unwrap();
    assert!(killed.elapsed() < Duration::from_secs(60));
    while !alive(&mark(&bench)).is_empty() {
        assert!(killed.elapsed() < Duration::from_secs(60), "{:?}", alive(&mark(&bench)));
        std::thread::yield_now();
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(bench.path.as_str()), "{mounts}");
    Sandbox::open(&bench.path).unwrap();
    assert!(is_empty(&bench.path.join("runs")), "what the killed one left is removed by the next");
}

#[test]
fn scratch_folders_that_are_in_use_are_left_alone() {
    let bench = Bench::new();
    let Some(sandbox) = bench.sandbox() else { return };
    let mut spec = bench.spec([], &["sh", "-c", "echo up; read line </gate; echo $line"]);
    let gate = bench.path.join("gate");
    rustix::fs::mknodat(rustix::fs::CWD, gate.as_std_path(), rustix::fs::FileType::Fifo, 0o666.into(), 0).unwrap();
    spec.mounts.push(sandbox::Mount::Bind { source: gate.clone(), target: "/gate".into(), read_only: false });
    let lines = Arc::new(Mutex::new(Vec::new()));
    spec.stdout = Output::Lines(Box::new({
        let (lines, path) = (lines.clone(), bench.path.clone());
        move |line| {
            lines.lock().unwrap().push(line.to_owned());
            if line == "up" {
                Sandbox::open(&path).unwrap();
                fs::write(&gate, "still here\n").unwrap();
            }
        }
    }));
    assert!(run(&sandbox, spec).status.success());
    assert_eq!(*lines.lock().unwrap(), ["up", "still here"]);
}

#[test]
fn runs_side_by_side_do_not_see_each_other() {
    let bench = Bench::new();
    let Some(sandbox) = bench.sandbox() else { return };
    let spec = |n: u32| {
        let script = "cat /number; echo $0 >/number; cat /number; hostname; set -- /proc/[0-9]*; echo $#";
        let mut spec = bench.spec([Archive::new().file("number", "none ")], &["sh", "-c", script, &n.to_string()]);
        spec.hostname = format!("box{n}");
        spec
    };
    std::thread::scope(|scope| {
        for n in 0..8 {
            let (spec, sandbox) = (spec(n), &sandbox);
            scope.spawn(move || assert_eq!(says(sandbox, spec), format!("none {n}\nbox{n}\n1\n")));
        }
    });
}
