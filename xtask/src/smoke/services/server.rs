//! One server: started in its image, watched until it is ready, stopped.

use std::{
    fs,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use camino::Utf8PathBuf;
use catalog::{Catalog, Image};
use sandbox::{Cancel, Network, Outcome, Output, Status};

use super::{Case, NAMES, Place, SECONDS, URL, Verdict};
use crate::{boxed::Boxed, interrupt, report::text::duration, workspace::Workspace};

/// A server that takes longer than this never gets ready, unless its image says another time.
const READY_LIMIT: Duration = Duration::from_secs(180);
/// How often a wait looks whether Ctrl-C was pressed.
const POLL: Duration = Duration::from_millis(100);
/// Lines of the log that a message quotes.
const QUOTED: usize = 3;

/// A server that was started.
pub(super) struct Server {
    /// Where jobs reach it.
    pub(super) url: String,
    /// Further names of the loopback address.
    pub(super) names: Vec<String>,
    image: Image,
    log: Log,
    begin: Instant,
    limit: Duration,
    watch: Arc<Watch>,
    cancel: Cancel,
    thread: Option<JoinHandle<()>>,
}

/// What is known of a server, by the threads that ask and the one that runs it.
#[derive(Default)]
struct Watch {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct State {
    /// What it said when it was ready, and after how long.
    ready: Option<(String, Duration)>,
    /// How it ended, if it did so by itself or was given up; with what it had said last.
    ended: Option<String>,
}

/// What it says.
#[derive(Debug, Clone)]
struct Log {
    path: Utf8PathBuf,
    /// As messages have it.
    relative: String,
}

impl Log {
    /// Why it ended, with what it has said last and where all of it is.
    fn words(&self, why: &str) -> String {
        let said = fs::read_to_string(&self.path).unwrap_or_default();
        format!("{why}; {}log: {}", quoted(&said), self.relative)
    }
}

impl Watch {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_all();
    }
}

impl Server {
    /// Starts the server of this image in a network.
    pub(super) fn start(
        workspace: &Workspace,
        catalog: &Catalog,
        place: &Place,
        name: &str,
        image: &Image,
        network: Network,
    ) -> Result<Self> {
        let label = |key: &str| image.labels.get(key).map(String::as_str);
        let url = label(URL)
            .with_context(|| format!("{} has no label {URL:?} for jobs to find its server by", image.file))?;
        let limit = label(SECONDS).map_or(Ok(READY_LIMIT), |text| {
            let seconds = text.parse().map(Duration::from_secs);
            seconds.with_context(|| format!("{}: {SECONDS} = {text:?}: expected a number of seconds", image.file))
        })?;
        let boxed = Boxed::open(workspace, catalog, image, catalog.table.default_platform())?;
        let log = workspace.logs().join(format!("smoke-service-{name}.log"));
        if let Some(folder) = log.parent() {
            fs::create_dir_all(folder).with_context(|| format!("making {folder}"))?;
        }
        let mut server = Self {
            url: url.to_owned(),
            names: names(image).collect(),
            image: image.clone(),
            log: Log { relative: log.strip_prefix(&workspace.root).unwrap_or(&log).to_string(), path: log },
            begin: Instant::now(),
            limit,
            watch: Arc::default(),
            cancel: Cancel::new(),
            thread: None,
        };
        server.run(place.clone(), boxed, network)?;
        Ok(server)
    }

    fn run(&mut self, place: Place, boxed: Boxed, network: Network) -> Result<()> {
        let mut spec = boxed.spec(boxed.argv(&[]), None)?;
        spec.network = network;
        spec.names.clone_from(&self.names);
        spec.stderr = Output::File(self.log.path.clone());
        let (watch, begin) = (Arc::clone(&self.watch), self.begin);
        spec.stdout = Output::Lines(Box::new(move |line| {
            if let Some(evidence) = line.strip_prefix("ready ") {
                watch.change(|state| state.ready = Some((evidence.trim().to_owned(), begin.elapsed())));
            }
        }));
        let (watch, cancel, log) = (Arc::clone(&self.watch), self.cancel.clone(), self.log.clone());
        let image = self.image.clone();
        self.thread = Some(thread::spawn(move || {
            let ending = match place.run(&boxed, &image, &image.id, spec, false, &cancel) {
                Ok(Outcome { status: Status::Exited(code), .. }) => format!("ended with exit code {code}"),
                // It was stopped.
                Ok(_) => return,
                Err(error) => format!("did not start: {error:#}"),
            };
            watch.change(|state| state.ended = Some(log.words(&ending)));
        }));
        Ok(())
    }

    /// Waits until it is ready or will never be; what is said of it then.
    ///
    /// # Errors
    /// Ctrl-C cannot be watched for.
    pub(super) fn wait(&self) -> Result<String> {
        interrupt::flag()?;
        let mut state = self.watch.state();
        loop {
            if state.ended.is_some() {
                return Ok("FAILED".to_owned());
            }
            if let Some((_, elapsed)) = &state.ready {
                return Ok(format!("ok {:>6}", duration(*elapsed)));
            }
            if self.begin.elapsed() > self.limit || interrupt::is_set() {
                let limit = self.limit.as_secs();
                let why = if interrupt::is_set() { "interrupted".into() } else { format!("not ready after {limit} s") };
                state.ended = Some(self.log.words(&why));
                self.cancel.cancel();
                continue;
            }
            state = self.watch.changed.wait_timeout(state, POLL).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// How it ended, if it did; with what it said last.
    pub(super) fn ended(&self) -> Option<String> {
        self.watch.state().ended.clone()
    }

    /// Stops it. Whether it got ready, and was there until now.
    pub(super) fn stop(self) -> Case {
        let state = self.watch.state().clone();
        let (verdict, elapsed) = match (self.ended(), state.ready) {
            (Some(why), Some(_)) => (Verdict::Failed(format!("it got ready and then {why}")), self.begin.elapsed()),
            (Some(why), None) => (Verdict::Failed(why), self.begin.elapsed()),
            (None, Some((evidence, elapsed))) => (Verdict::Passed(evidence), elapsed),
            (None, None) => (Verdict::Skipped("it was stopped before it was ready".to_owned()), self.begin.elapsed()),
        };
        Case {
            image: self.image.reference.to_string(),
            again: "--with-services".to_owned(),
            digest: None,
            user: "service".to_owned(),
            run: format!("{} service", self.image.reference),
            name: "ready".to_owned(),
            verdict,
            earlier: None,
            elapsed,
            log: Some(self.log.relative.clone()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.cancel.cancel();
        if let Some(thread) = self.thread.take() {
            // What it panicked with was printed.
            let _ = thread.join();
        }
    }
}

/// The further names of the loopback address that the image of a server asks for.
pub(super) fn names(image: &Image) -> impl Iterator<Item = String> {
    image.labels.get(NAMES).into_iter().flat_map(|names| names.split_whitespace().map(str::to_owned))
}

/// The last lines of a log on one line, as `said: "…"; `.
fn quoted(log: &str) -> String {
    let lines: Vec<&str> = log.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(QUOTED)..];
    if last.is_empty() { String::new() } else { format!("it said last: {}; ", last.join(" | ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_quotes_the_last_lines_that_say_something() {
        assert_eq!(quoted("one\ntwo\n\n  three\nfour\n\n"), "it said last: two | three | four; ");
        assert_eq!(quoted("\n\n"), "");
    }
}
