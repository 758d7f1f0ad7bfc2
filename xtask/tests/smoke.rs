//! `smoke` with services, in the sandbox: what is said of a server that fails, and that nothing is left of a run, however it
//! ended. The images hold the shell of this machine. Where the machine allows no namespaces, the tests say so and pass; with
//! `SANDBOX_REQUIRED` set, they fail.

mod support;

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use support::Repository;

/// Nothing here takes so long.
const LIMIT: Duration = Duration::from_secs(60);

/// A service or a job as it is told of in the report: who, what, the verdict, the text.
type Case = (String, String, String, String);

struct Smoke {
    repository: Repository,
    temporary: tempfile::TempDir,
    /// Words that no process has but the servers of this test.
    mark: String,
}

impl Smoke {
    /// A repository with these services (`NAME`, seconds to get ready in, script) and these jobs (`NAME`, services, script).
    /// Nothing, if this machine runs no sandbox.
    fn new(services: &[(&str, u32, &str)], jobs: &[(&str, &[&str], &str)]) -> Option<Self> {
        let temporary = tempfile::tempdir().unwrap();
        let mark = format!("3600.{:09}", fs::metadata(temporary.path()).map_or(0, |meta| inode(&meta) % 1_000_000_000));
        let smoke = Self { repository: Repository::new(), temporary, mark };
        smoke.shell("docker/base/rootfs");
        smoke.repository.write("docker/base/Dockerfile", "FROM scratch\nCOPY rootfs/ /\nENV PATH=/bin\n");
        for (name, seconds, script) in services {
            let folder = format!("docker/smoke/{name}");
            smoke.repository.write(
                &format!("{folder}/image.toml"),
                &format!(
                    "id = \"service-{name}\"\nname = \"service-{name}\"\nabout = \"a\"\ntags = [\"1\"]\n[parents]\nPARENT = \"base\"\n\
                     [labels]\n\"io.spark-images.service.url\" = \"test://{name}.test\"\n\
                     \"io.spark-images.service.seconds\" = \"{seconds}\"\n[[stage]]\ninto = \"bin/\"\nfolder = \"bin\"\n"
                ),
            );
            let dockerfile = "ARG PARENT\nFROM ${PARENT}\nCOPY bin/ /bin/\nCMD [\"/bin/sh\", \"/bin/start\"]\n";
            smoke.repository.write(&format!("{folder}/Dockerfile"), dockerfile);
            smoke.repository.write(&format!("{folder}/bin/start"), &script.replace("MARK", &smoke.mark));
        }
        let names: Vec<String> = jobs.iter().map(|(name, ..)| format!("\"{name}.sh\"")).collect();
        let image = fs::read_to_string(smoke.repository.path("docker/base/image.toml")).unwrap();
        let declared = format!("{image}[[smoke]]\nonly-here = true\njobs = [{}]\n", names.join(", "));
        smoke.repository.write("docker/base/image.toml", &declared);
        for (name, services, script) in jobs {
            let services: String = services.iter().map(|service| format!(" service={service}")).collect();
            let text = format!("#!/bin/sh\n# smoke:{services}\n{script}\n");
            smoke.repository.write(&format!("docker/smoke/jobs/{name}.sh"), &text);
        }
        smoke.repository.ok(&["build-layers", "base", "service-*"]);
        let run = smoke.repository.run(&["run", "base", "--", "/bin/sh", "-c", ":"]);
        if run.code != Some(0) {
            assert!(env::var_os("SANDBOX_REQUIRED").is_none(), "{}", run.stderr);
            eprintln!("what needs a sandbox is skipped: {}", run.stderr);
            return None;
        }
        Some(smoke)
    }

    /// The shell and `sleep` of this machine, with the libraries that they load.
    #[expect(clippy::disallowed_methods, reason = "asks the linker of this machine")]
    fn shell(&self, rootfs: &str) {
        let copy = |from: &str, to: &str| {
            let target = self.repository.path(rootfs).join(to.trim_start_matches('/'));
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::copy(from, &target).unwrap();
        };
        for program in ["/bin/sh", "/bin/sleep"] {
            copy(program, program);
            let said = Command::new("ldd").arg(program).output().unwrap();
            let said = String::from_utf8(said.stdout).unwrap();
            said.split_whitespace().filter(|word| word.starts_with('/')).for_each(|library| copy(library, library));
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.repository.command(&[&["smoke", "base", "--with-services", "--json"], args].concat());
        command.env("TMPDIR", self.temporary.path());
        command
    }

    /// The exit code and the cases of a run.
    fn run(&self, args: &[&str]) -> (Option<i32>, Vec<Case>) {
        let output = self.command(args).output().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        let text = |case: &serde_json::Value, key: &str| case[key].as_str().unwrap().to_owned();
        let case = |case| (text(case, "user"), text(case, "check"), text(case, "verdict"), text(case, "text"));
        let image = |case: &serde_json::Value| text(case, "image").trim_end_matches(":1").to_owned();
        let cases = report["cases"].as_array().unwrap().iter();
        let cases = cases.map(|value| match case(value) {
            (user, check, verdict, text) if user == "service" => (image(value), check, verdict, text),
            other => other,
        });
        (output.status.code(), cases.collect())
    }

    fn spawn(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// The folder in which a job makes files that this machine sees.
    fn events(&self, job: &str) -> PathBuf {
        let run = format!("base_1_random_uid_{job}");
        self.repository.path("target/spark-images/logs/smoke/events").join(run)
    }

    /// Everything that a run might leave: files outside of logs, mounts, processes.
    fn remains(&self) -> BTreeSet<String> {
        let mut remains = BTreeSet::new();
        let target = self.repository.path("target/spark-images");
        let mut folders = vec![self.repository.store().to_owned(), target.clone(), self.temporary.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.starts_with(target.join("logs")) {
                    continue;
                }
                if path.is_dir() && !path.is_symlink() {
                    folders.push(path.clone());
                }
                remains.insert(path.display().to_string());
            }
        }
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let store = self.repository.store().to_str().unwrap();
        remains.extend(mounts.lines().filter(|line| line.contains(store)).map(str::to_owned));
        remains.extend(
            self.processes(store).into_iter().chain(self.processes(&self.mark)).map(|pid| format!("process {pid}")),
        );
        remains
    }

    /// The processes that have `words` in their arguments.
    fn processes(&self, words: &str) -> Vec<i32> {
        let pids = fs::read_dir("/proc").unwrap();
        let pids = pids.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse::<i32>().ok());
        let line = |pid: &i32| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        pids.filter(|pid| String::from_utf8_lossy(&line(pid)).contains(words)).collect()
    }

    /// The process of a server, once it is there.
    fn server(&self) -> Pid {
        let marked = |pid: &i32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.starts_with(b"sleep\0")
        };
        let mut found = None;
        until("the server", || {
            found = self.processes(&self.mark).into_iter().find(marked);
            found.is_some()
        });
        Pid::from_raw(found.unwrap()).unwrap()
    }
}

fn inode(meta: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(meta)
}

/// Waits for what another process does.
#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < LIMIT, "{what}: not after {} s", LIMIT.as_secs());
        thread::sleep(Duration::from_millis(10));
    }
}

fn case(user: &str, check: &str, verdict: &str, text: &str) -> Case {
    (user.to_owned(), check.to_owned(), verdict.to_owned(), text.to_owned())
}

/// A job that says that it has begun and waits until it may go on.
const WAITS: &str = ": > \"$SMOKE_EVENTS/begun\"\nuntil [ -e \"$SMOKE_EVENTS/go\" ]; do sleep 0.05; done";
const FINE: &str = "echo log line >&2\necho ready in the best of health\nexec sleep MARK";

#[test]
fn a_service_that_never_gets_ready_or_ends_early_fails_its_jobs_and_no_other() {
    let services = [
        ("never", 1, "echo waiting for a disk >&2\nexec sleep MARK"),
        ("early", 60, "echo one >&2\necho no space left >&2\nexit 3"),
        ("fine", 60, FINE),
    ];
    let says = |name: &str| format!("echo ok {name} \"$SERVICE_FINE\"");
    let jobs: [(&str, &[&str], &str); 4] = [
        ("a_never", &["never"], "exit 9"),
        ("b_both", &["never", "fine", "early"], "exit 9"),
        ("c_fine", &["fine"], &says("c_fine")),
        ("d_alone", &[], &says("d_alone")),
    ];
    let Some(smoke) = Smoke::new(&services, &jobs) else { return };
    let (code, cases) = smoke.run(&[]);
    let log = |name: &str| format!("log: target/spark-images/logs/smoke-service-{name}.log");
    let never = format!("not ready after 1 s; it said last: waiting for a disk; {}", log("never"));
    let early = format!("ended with exit code 3; it said last: one | no space left; {}", log("early"));
    let user = cases.iter().find(|case| case.1 == "c_fine").unwrap().0.clone();
    let expected = [
        case("random uid", "a_never", "failed", &format!("not run: the service never: {never}")),
        case(
            "random uid",
            "b_both",
            "failed",
            &format!("not run: the service never: {never}; the service early: {early}"),
        ),
        case(&user, "c_fine", "passed", "test://fine.test"),
        case(&user, "d_alone", "passed", ""),
        case("service-early", "ready", "failed", &early),
        case("service-fine", "ready", "passed", "in the best of health"),
        case("service-never", "ready", "failed", &never),
    ];
    let found: Vec<Case> = cases.into_iter().filter(|case| case.1 != "permissions").collect();
    assert_eq!(found, expected);
    assert_eq!(code, Some(1));
}

#[test]
fn a_server_that_is_killed_under_a_job_is_named_as_the_reason() {
    let job = format!("{WAITS}\nsleep 1\necho not ok job the connection was closed\nexit 1");
    let jobs: [(&str, &[&str], &str); 1] = [("job", &["fine"], &job)];
    let Some(smoke) = Smoke::new(&[("fine", 60, FINE)], &jobs) else { return };
    let (code, cases) = thread::scope(|scope| {
        let run = scope.spawn(|| smoke.run(&["--only", "job"]));
        until("the job", || smoke.events("job").join("begun").exists());
        kill_process(smoke.server(), Signal::KILL).unwrap();
        until("the end of the server", || smoke.processes(&smoke.mark).is_empty());
        fs::write(smoke.events("job").join("go"), "").unwrap();
        run.join().unwrap()
    });
    let why = "ended with exit code 137; it said last: log line; log: target/spark-images/logs/smoke-service-fine.log";
    let user = cases[0].0.clone();
    let expected = [
        case(&user, "job", "failed", &format!("the connection was closed (the service fine: {why})")),
        case("service-fine", "ready", "failed", &format!("it got ready and then {why}")),
    ];
    assert_eq!(cases, expected);
    assert_eq!(code, Some(1));
}

#[test]
fn nothing_is_left_of_a_run_however_it_ended() {
    let fails = "echo not ok fails on purpose\nexit 1";
    let jobs: [(&str, &[&str], &str); 4] = [
        ("passes", &["fine"], "echo ok passes"),
        ("fails", &["fine"], fails),
        ("dies", &["fine"], "exit 7"),
        ("waits", &["fine"], WAITS),
    ];
    let Some(smoke) = Smoke::new(&[("fine", 60, FINE)], &jobs) else { return };
    let passes = || assert_eq!(smoke.run(&["--only", "passes"]).0, Some(0));
    // Its layers are unpacked now.
    passes();
    let before = smoke.remains();
    passes();
    assert_eq!(smoke.remains(), before, "after a success");
    assert_eq!(smoke.run(&["--only", "fails", "--only", "dies"]).0, Some(1));
    assert_eq!(smoke.remains(), before, "after a failure");

    let waits = || {
        let child = smoke.spawn(&["--only", "waits"]);
        until("the job", || smoke.events("waits").join("begun").exists());
        child
    };
    let mut child = waits();
    assert!(smoke.remains().difference(&before).count() > 3, "a run is seen while it lasts");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(smoke.remains(), before, "after Ctrl-C");

    fs::remove_dir_all(smoke.events("waits")).unwrap();
    let mut child = waits();
    child.kill().unwrap();
    child.wait().unwrap();
    let is_file = |path: &String| Path::new(path).is_absolute();
    until("the end of all processes and mounts", || smoke.remains().difference(&before).all(is_file));
    assert!(smoke.remains() != before, "the files are left");
    passes();
    assert_eq!(smoke.remains(), before, "the next run removes what kill -9 left");
}
