//! One compile, from the source to a kept distribution: in the builder image, in the sandbox or in an engine.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    io::Write as _,
    num::NonZeroUsize,
    os::unix::fs::PermissionsExt as _,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use camino::{Utf8Path, Utf8PathBuf};
use maven::{
    output::Reader,
    progress::{Progress, Times, progress},
};
use sandbox::{Network, Output, Status};
use spark_source::{Pom, Tree};
use store::{Guard, Store};

use super::{
    Wanted, keep,
    place::{Job, Place},
    work::Work,
};
use crate::{
    flags::CompileArgs,
    machine::kept_folder,
    report::{
        progress::{Board, Step},
        text::{bytes, duration},
    },
    session::Session,
};

/// Stack of a thread of the Scala compiler, and space for the code that Java compiles: as Spark's own scripts set them.
const JAVA: &str = "-Xss128m -XX:ReservedCodeCacheSize=128m";
/// Heap for one module at a time, in MiB; and for each further one that is compiled beside it.
const HEAP: u64 = 4096;
const HEAP_PER_THREAD: u64 = 2048;
/// How long a module may take in silence: CI systems end jobs that say nothing.
const SILENCE: Duration = Duration::from_secs(120);

/// The folder of all compiles of this machine's store.
pub(super) fn root(session: &Session) -> Utf8PathBuf {
    kept_folder(&session.workspace, &session.machine.store).join("compile")
}

/// The right to compile and to use Maven's repository. A compile that runs is waited for.
pub(super) fn lock(session: &Session) -> Result<Guard> {
    let waiting = |holder: &str| session.board.say(&format!("waiting   {holder} is compiling"));
    Ok(Store::open(root(session))?.lock("compile", &session.machine.cancel, &waiting)?)
}

/// Compiles what is wanted and keeps it. Another run that compiles is waited for.
///
/// # Errors
/// The compile fails or is interrupted, or what came out is not what the table says. Nothing is kept then but Maven's
/// repository and the log.
pub(super) fn compile(session: &Session, wanted: &Wanted<'_>, args: &CompileArgs) -> Result<()> {
    let jobs = args.compile_jobs;
    let stager = session.stager();
    let machine = &session.machine;
    let root = root(session);
    let _guard = lock(session)?;
    if wanted.kept(&stager)?.is_some() && !args.recompile {
        return Ok(());
    }
    if !machine.http.is_offline() {
        machine.registries.require(&[registries::Kind::Maven])?;
    }
    Place::remove_leftover(&root)?;
    let begin = Instant::now();
    let work = Work::prepare(session, wanted, &root)?;
    let tree = Tree::open(&work.tree())?;
    let pom = tree.pom();
    if pom.version != wanted.version {
        bail!("the source is not what the table says: expected Spark {}, found {}", wanted.version, pom.version);
    }
    check_versions(session, wanted, pom)?;
    check_modes(&work.tree())?;
    let place = Place::open(session, wanted, args.compile_in, &root)?;
    let arguments = wanted.arguments.clone();
    announce(session, wanted, &arguments, jobs);
    let job = job(session, &work, pom, arguments, jobs);
    let times = root.join(format!("times-{}.json", wanted.spark.line));
    run(session, wanted, &place, job, &times)?;
    let seconds = begin.elapsed().as_secs();
    keep::keep(session, wanted, &place, &work, pom, seconds)?;
    work.remove()?;
    session.board.say(&format!("compiled  Spark {} in {}", wanted.version, duration(begin.elapsed())));
    Ok(())
}

/// Makes sure that what the distribution takes from the tree to be run can be: a compile is too long to find it out at its end.
fn check_modes(tree: &Utf8Path) -> Result<()> {
    let dockerfiles = "resource-managers/kubernetes/docker/src/main/dockerfiles/spark";
    let mut plain = Vec::new();
    for (folder, in_dist) in
        [("dev", ""), ("bin", "bin"), ("sbin", "sbin"), (dockerfiles, "kubernetes/dockerfiles/spark")]
    {
        let at = tree.join(folder);
        // Who leaves a folder out is told by what needs it.
        for entry in at.read_dir_utf8().into_iter().flatten() {
            let entry = entry.with_context(|| format!("reading {at}"))?;
            let name = entry.file_name();
            let runs = name == "make-distribution.sh" || dist::is_program(&Utf8Path::new(in_dist).join(name));
            let mode = entry.metadata().with_context(|| format!("reading {}", entry.path()))?.permissions().mode();
            if runs && mode & 0o100 == 0 {
                plain.push(format!("{folder}/{name}"));
            }
        }
    }
    if !plain.is_empty() {
        plain.sort();
        let plain = plain.join(" ");
        bail!(
            "the tree has scripts that are not executable, which git and tar keep: {plain}\n\
             to mend it, in the tree: chmod +x {plain}"
        );
    }
    Ok(())
}

/// What is about to be compiled, and how.
fn announce(session: &Session, wanted: &Wanted<'_>, arguments: &[String], jobs: Option<NonZeroUsize>) {
    let say = |line: String| session.board.say(&line);
    say(format!("compiling Spark {}: about an hour, once", wanted.version));
    say(format!("  source    {}", wanted.source));
    for patch in &wanted.patches {
        say(format!("  patch     {}", patch.path));
    }
    say(format!("  maven     {}", arguments.join(" ")));
    let threads = jobs.map_or(1, NonZeroUsize::get);
    say(format!(
        "  memory    {} of heap, {threads} {}",
        bytes(heap(jobs) << 20),
        if threads == 1 { "thread" } else { "threads" }
    ));
    say(format!("  log       {}", shown(session, &log_path(session, wanted))));
}

fn job(session: &Session, work: &Work, pom: &Pom, arguments: Vec<String>, jobs: Option<NonZeroUsize>) -> Job {
    let java = format!(
        "-Xmx{}m {JAVA} -Duser.home=/tmp -Djavax.net.ssl.trustStore=/compile/in/truststore.jks \
         -Djavax.net.ssl.trustStorePassword=changeit",
        heap(jobs)
    );
    let mut env = BTreeMap::from(
        [("MAVEN_OPTS", java), ("KAFKA", pom.kafka.clone()), ("COMMONS_POOL2", pom.commons_pool2.clone())]
            .map(|(name, value)| (name.to_owned(), value)),
    );
    env.extend(jobs.map(|jobs| ("THREADS".to_owned(), jobs.to_string())));
    let mut network = Network::Host;
    if session.machine.http.is_offline() {
        env.insert("OFFLINE".to_owned(), "1".to_owned());
        network = Network::None;
    }
    Job { argv: [vec![Work::command()], arguments].concat(), env, mounts: work.mounts(), network }
}

/// Heap of Maven, in MiB: what the compile needs, as far as this machine has it.
fn heap(jobs: Option<NonZeroUsize>) -> u64 {
    let further = jobs.map_or(0, |jobs| jobs.get() as u64 - 1);
    let wanted = HEAP + further * HEAP_PER_THREAD;
    crate::machine::memory().map_or(wanted, |memory| wanted.min((memory.total >> 20) / 4 * 3))
}

/// Runs the compile to its end, with a log of all it says and progress of what Maven does.
fn run(session: &Session, wanted: &Wanted<'_>, place: &Place, job: Job, times: &Utf8Path) -> Result<()> {
    let path = log_path(session, wanted);
    let mut log = Log::create(&path)?;
    let (sender, lines) = mpsc::channel::<String>();
    // The receiver lives until the command has ended.
    let stdout = Output::Lines(Box::new(move |line| drop(sender.send(line.to_owned()))));
    let last: Times = fs::read(times).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    let known = measured()?.updated(last.clone());
    let (outcome, reader, written) = thread::scope(|scope| {
        let (log, known) = (&mut log, &known);
        let watcher = scope.spawn(move || watch(session, wanted, &lines, log, known));
        let outcome = place.run(job, stdout, Output::Stdout);
        let (reader, written) = watcher.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (outcome, reader, written)
    });
    written.with_context(|| format!("writing {path}"))?;
    let shown = shown(session, &path);
    match outcome?.status {
        Status::Exited(0) => {
            let last = last.updated(Times::of(&reader));
            blob::write(times, &serde_json::to_vec(&last)?).with_context(|| format!("writing {times}"))?;
            Ok(())
        }
        Status::Cancelled => bail!(
            "the compile of Spark {} was interrupted; what Maven fetched is kept\nlog: {shown}\nto begin again: {}",
            wanted.version,
            wanted.command()
        ),
        status => bail!("{}", failure(wanted, &reader, status, &shown)),
    }
}

/// How long each module took once, for the estimate of a first compile.
fn measured() -> Result<Times> {
    toml::from_str(include_str!("times.toml")).context("reading xtask/src/compile/times.toml")
}

/// The lines of a compile, as they come.
fn watch(
    session: &Session,
    wanted: &Wanted<'_>,
    lines: &mpsc::Receiver<String>,
    log: &mut Log,
    known: &Times,
) -> (Reader, std::io::Result<()>) {
    let begin = Instant::now();
    let mut reader = Reader::new();
    let mut written = Ok(());
    let mut said = Said::default();
    let step = session.board.step(&format!("Spark {}", wanted.version), "starting Maven");
    loop {
        match lines.recv_timeout(Duration::from_secs(1)) {
            Ok(line) => {
                written = written.and(log.line(&line));
                reader.push(&line, begin.elapsed());
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => return (reader, written),
        }
        show(&session.board, &step, &progress(&reader, begin.elapsed(), known), &mut said);
    }
}

/// On a terminal the line moves; elsewhere each module is said once, and a long one again now and then.
fn show(board: &Board, step: &Step<'_>, progress: &Progress, said: &mut Said) {
    step.now(&progress.to_string());
    let (false, Some((module, _))) = (board.is_live(), &progress.module) else { return };
    if said.modules.insert(module.clone()) || progress.elapsed >= said.at + SILENCE {
        board.say(&format!("compiling {progress}"));
        said.at = progress.elapsed;
    }
}

/// What was said where lines do not move, and when last.
#[derive(Default)]
struct Said {
    modules: BTreeSet<String>,
    at: Duration,
}

fn failure(wanted: &Wanted<'_>, reader: &Reader, status: Status, log: &str) -> String {
    let mut text = format!("the compile of Spark {} failed", wanted.version);
    // Writing to a string cannot fail.
    let exit = if let Status::Exited(code) = status { Some(code) } else { None };
    match reader.failure(exit) {
        Some(failure) => drop(write!(text, "\n{failure}")),
        None => drop(write!(text, ": {status:?}")),
    }
    let _ = write!(text, "\nlog: {log}\nwhat Maven fetched is kept; to compile again: {}", wanted.command());
    text
}

/// What the source says of itself and what the table says of it have to agree; better now than in an hour.
fn check_versions(session: &Session, wanted: &Wanted<'_>, pom: &Pom) -> Result<()> {
    let stager = session.stager();
    let mut differ = String::new();
    for (name, found) in [("kafka-clients", &pom.kafka), ("commons-pool2", &pom.commons_pool2), ("py4j", &pom.py4j)] {
        let expected = wanted.expected(&stager, name)?;
        if expected != *found {
            let _ = write!(differ, "\n  {name} = \"{expected}\", found {found}");
        }
    }
    if !differ.is_empty() {
        bail!(
            "the source of Spark {} has other versions than docker/versions.toml expects{differ}\n\
             change them in [spark.\"{}\".versions]",
            wanted.version,
            wanted.spark.version
        );
    }
    Ok(())
}

fn log_path(session: &Session, wanted: &Wanted<'_>) -> Utf8PathBuf {
    session.workspace.logs().join(format!("compile-{}.log", wanted.version))
}

fn shown(session: &Session, path: &Utf8Path) -> String {
    path.strip_prefix(&session.workspace.root).unwrap_or(path).to_string()
}

/// The log: every line with the time since the beginning.
struct Log {
    file: fs::File,
    begin: Instant,
}

impl Log {
    fn create(path: &Utf8Path) -> Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("making {folder}"))?;
        }
        let file = fs::File::create(path).with_context(|| format!("writing {path}"))?;
        Ok(Self { file, begin: Instant::now() })
    }

    fn line(&mut self, line: &str) -> std::io::Result<()> {
        let seconds = self.begin.elapsed().as_secs();
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        writeln!(self.file, "{hours}:{minutes:02}:{seconds:02} {line}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_that_cannot_be_run_is_found_before_the_compile() {
        let folder = tempfile::tempdir().unwrap();
        let tree = Utf8Path::from_path(folder.path()).unwrap();
        let dockerfiles = "resource-managers/kubernetes/docker/src/main/dockerfiles/spark";
        let write = |path: &str, mode| {
            let path = tree.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        };
        for path in ["dev/make-distribution.sh", "bin/spark-submit", "sbin/start-worker.sh"] {
            write(path, 0o755);
        }
        // These are sourced, or another system's, or no program of a distribution.
        for path in
            ["bin/load-spark-env.sh", "bin/spark-submit.cmd", "sbin/spark-config.sh", "dev/lint", "bin/README.md"]
        {
            write(path, 0o644);
        }
        check_modes(tree).unwrap();
        write(&format!("{dockerfiles}/entrypoint.sh"), 0o644);
        write("bin/spark-shell", 0o644);
        let plain = format!("bin/spark-shell {dockerfiles}/entrypoint.sh");
        let expected = format!(
            "the tree has scripts that are not executable, which git and tar keep: {plain}\n\
             to mend it, in the tree: chmod +x {plain}"
        );
        assert_eq!(check_modes(tree).unwrap_err().to_string(), expected);
    }

    #[test]
    fn a_first_compile_knows_that_modules_differ() {
        let Times { seconds } = measured().unwrap();
        assert!(seconds["Spark Project SQL"] > 50.0 * seconds["Spark Project Unsafe"]);
    }
}
