//! The only place of this crate that starts processes.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs::File,
    io::{self, BufRead, BufReader, PipeReader, Read},
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use duct::{Expression, Handle};
use rustix::process::{Pid, Signal, kill_process};

use crate::{Output, Status, Stdin};

/// Ends runs from another thread, as a handler of Ctrl-C does. Clones belong together.
#[derive(Clone, Default)]
pub struct Cancel(Arc<Mutex<Cancelling>>);

#[derive(Default)]
struct Cancelling {
    cancelled: bool,
    running: Vec<Weak<Child>>,
}

impl Cancel {
    /// Nothing is cancelled yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Kills every command that runs with this, and every one that is started with it later.
    pub fn cancel(&self) {
        let mut state = self.state();
        state.cancelled = true;
        for child in state.running.drain(..).filter_map(|child| child.upgrade()) {
            child.kill();
        }
    }

    /// Whether [`Cancel::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.state().cancelled
    }

    fn watch(&self, child: &Arc<Child>) {
        let mut state = self.state();
        state.running.retain(|child| child.strong_count() > 0);
        state.running.push(Arc::downgrade(child));
        if state.cancelled {
            child.kill();
        }
    }

    fn state(&self) -> MutexGuard<'_, Cancelling> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the three streams of a child go.
pub(crate) struct Streams {
    pub(crate) stdin: Input,
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
}

/// Where a child reads from.
pub(crate) enum Input {
    /// As for a command in a box.
    Stdin(Stdin),
    /// A pipe that the caller fills.
    Pipe(PipeReader),
}

impl From<Stdin> for Input {
    fn from(stdin: Stdin) -> Self {
        Self::Stdin(stdin)
    }
}

/// How a child ended, and what was captured.
pub(crate) struct Ended {
    pub(crate) status: Status,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

/// The environment of a child.
pub(crate) type Environment = BTreeMap<OsString, OsString>;

/// What is killed when a run is cancelled or takes too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Victim {
    /// The only child of the program, which is the first process of a pid namespace.
    Box,
    /// The program and its first child, if it has one: a client that runs a plugin, or itself again in a namespace.
    Program,
}

type Capture = fn(&Expression) -> Expression;
type ToFile = fn(&Expression, OwnedFd) -> Expression;

/// Runs `argv` to its end. The thread must live until then: the child dies with the thread that started it.
pub(crate) fn run(
    argv: &[String],
    environment: Environment,
    streams: Streams,
    timeout: Option<Duration>,
    victim: Victim,
    cancel: &Cancel,
) -> io::Result<Ended> {
    let (program, arguments) = argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut expression = duct::cmd(program, arguments).full_env(environment).unchecked();
    expression = match streams.stdin {
        Input::Stdin(Stdin::Null) => expression.stdin_null(),
        Input::Stdin(Stdin::Inherit) => expression,
        Input::Pipe(reader) => expression.stdin_file(reader),
    };
    if matches!(streams.stderr, Output::Stdout) {
        // What is said last is done first: standard output is redirected below.
        expression = expression.stderr_to_stdout();
    }
    let mut readers = Vec::new();
    let mut connect = |expression: &Expression, output, capture: Capture, to_file: ToFile| {
        Ok::<_, io::Error>(match output {
            Output::Inherit | Output::Stdout => expression.clone(),
            Output::Capture => capture(expression),
            Output::File(path) => to_file(expression, File::create(path)?.into()),
            Output::Lines(callback) => {
                let (reader, writer) = io::pipe()?;
                readers.push(read_lines(reader, callback));
                to_file(expression, writer.into())
            }
        })
    };
    expression = connect(&expression, streams.stdout, Expression::stdout_capture, Expression::stdout_file)?;
    expression = connect(&expression, streams.stderr, Expression::stderr_capture, Expression::stderr_file)?;
    let started = expression.start();
    // The expression holds the writing ends of the pipes.
    drop(expression);
    let child = Arc::new(Child { handle: started?, victim, killed: AtomicBool::new(false) });
    cancel.watch(&child);
    let in_time = match timeout {
        None => child.handle.wait().map(Some),
        Some(timeout) => child.handle.wait_timeout(timeout),
    }?;
    let timed_out = in_time.is_none();
    if timed_out {
        child.kill();
    }
    let output = child.handle.wait()?;
    let status = match (output.status.code(), output.status.signal()) {
        _ if timed_out => Status::TimedOut,
        _ if child.killed.load(Ordering::Relaxed) => Status::Cancelled,
        (Some(code), _) => Status::Exited(code),
        (None, signal) => Status::Exited(128 + signal.unwrap_or_default()),
    };
    let ended = Ended { status, stdout: output.stdout.clone(), stderr: output.stderr.clone() };
    for reader in readers {
        match reader.join() {
            Ok(result) => result?,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
    Ok(ended)
}

/// A started vector, which several threads may want to end.
struct Child {
    handle: Handle,
    victim: Victim,
    killed: AtomicBool,
}

impl Child {
    /// Kills all that was started. In a box: the only child of this process is the first one of a pid namespace: when that one is
    /// dead, all others are, and this process ends by itself. So whoever waits for it knows that nothing is left.
    fn kill(&self) {
        self.killed.store(true, Ordering::Relaxed);
        let first_process = |pid: u32| {
            let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
            Pid::from_raw(children.split_whitespace().next()?.parse().ok()?)
        };
        for pid in self.handle.pids() {
            let killed = first_process(pid).is_some_and(|first| kill_process(first, Signal::KILL).is_ok());
            if !killed || self.victim == Victim::Program {
                // It has not come that far, or this kernel does not tell: without its parent the first process dies, too.
                // An error means that it has ended by itself.
                let _ = self.handle.kill();
            }
        }
    }
}

/// The most bytes of a line that are held before they are handed over.
const LINE: usize = 64 << 10;

fn read_lines(reader: PipeReader, mut callback: Box<dyn FnMut(&str) + Send>) -> JoinHandle<io::Result<()>> {
    thread::spawn(move || {
        let mut reader = BufReader::new(reader);
        let mut line = Vec::with_capacity(LINE);
        let mut is_rest = false;
        loop {
            let room = (LINE - line.len()) as u64;
            let read = (&mut reader).take(room).read_until(b'\n', &mut line)?;
            if read == 0 && line.is_empty() {
                return Ok(());
            }
            let is_cut = line.len() == LINE && !line.ends_with(b"\n");
            // A character is not cut in two: its first bytes are left for the next piece.
            let begun = if is_cut { line.utf8_chunks().last().map_or(0, |chunk| chunk.invalid().len()) } else { 0 };
            let left = line.split_off(line.len() - begun);
            // The end of a line all of which was handed over is no line.
            if !(is_rest && line == b"\n") {
                callback(&String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(&line)));
            }
            line.clear();
            line.extend(left);
            is_rest = is_cut;
        }
    })
}

/// The environment of the programs that make the box; the command gets none of it. The usual folders are added to the
/// host's `PATH`, which may lack the ones for the administrator.
pub(crate) fn environment() -> Environment {
    let usual = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(Into::into);
    let host = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&host).filter(|folder| folder.is_absolute()).chain(usual);
    // A folder of PATH holds no colon, having been cut at one.
    let path = env::join_paths(folders).unwrap_or_default();
    // The newer mount interface takes no option of more than 255 bytes, which the list of layers is (util-linux 2.39 on).
    BTreeMap::from([
        ("PATH".into(), path),
        ("LC_ALL".into(), "C".into()),
        ("LIBMOUNT_FORCE_MOUNT2".into(), "always".into()),
    ])
}

/// Which of `tools` are not in the `PATH` of [`environment`].
pub(crate) fn missing(tools: &[&'static str]) -> Vec<&'static str> {
    let path = environment().remove(&OsString::from("PATH")).unwrap_or_default();
    let is_there = |tool: &str| env::split_paths(&path).any(|folder| folder.join(tool).is_file());
    tools.iter().copied().filter(|tool| !is_there(tool)).collect()
}

#[cfg(test)]
mod tests {
    use std::{io::Write, sync::mpsc};

    use super::*;

    fn lines(output: &[u8]) -> Vec<String> {
        let (reader, mut writer) = io::pipe().unwrap();
        let (sender, lines) = mpsc::channel();
        let thread = read_lines(reader, Box::new(move |line| sender.send(line.to_owned()).unwrap()));
        writer.write_all(output).unwrap();
        drop(writer);
        thread.join().unwrap().unwrap();
        lines.into_iter().collect()
    }

    #[test]
    fn a_line_is_handed_over_when_it_is_whole_or_long() {
        let full = "x".repeat(LINE);
        for (output, expected) in [
            (String::new(), vec![]),
            ("a\n\nb".to_owned(), vec!["a", "", "b"]),
            (full.clone(), vec![&*full]),
            (format!("{full}\n"), vec![&*full]),
            (format!("{full}\n\nb\n"), vec![&*full, "", "b"]),
            (format!("{full}y\nb"), vec![&*full, "y", "b"]),
            (format!("{full}{full}\ny"), vec![&*full, &*full, "y"]),
            // Of four bytes the first two would fit.
            (format!("{}\u{1f980}\ny", &full[2..]), vec![&full[2..], "\u{1f980}", "y"]),
        ] {
            assert!(lines(output.as_bytes()) == expected, "{} bytes", output.len());
        }
        let other = lines(&[&b"\xff".repeat(LINE + 1)[..], b"\nb"].concat());
        assert_eq!(other.concat(), format!("{}b", "\u{fffd}".repeat(LINE + 1)));
    }
}
