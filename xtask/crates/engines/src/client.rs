//! A client of an engine or a cluster: a program of this machine, and the words that every call begins with.

use std::{collections::BTreeMap, io};

use sandbox::{
    Cancel, Output, Status,
    host::{self, Command, Feed},
};

/// A program, as `docker`, or `docker exec -i NODE ctr`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    words: Vec<String>,
    /// Variables of its calls, beside those of this process.
    env: BTreeMap<String, String>,
}

/// Why a call gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// There is no such program.
    #[error("{0} is not installed")]
    Missing(String),
    /// It could not be started, or not be fed.
    #[error("running `{command}`")]
    Io {
        /// What was called.
        command: String,
        /// Why it failed.
        source: io::Error,
    },
    /// It said no.
    #[error("`{command}` failed{}: {said}", code.map_or_else(String::new, |code| format!(" with exit code {code}")))]
    Refused {
        /// What was called.
        command: String,
        /// Its exit code; nothing if it was killed.
        code: Option<i32>,
        /// What it said on standard error, or else on standard output.
        said: String,
        /// What it printed all the same.
        printed: String,
    },
    /// The run was interrupted.
    #[error("`{0}` was interrupted")]
    Cancelled(String),
}

impl Failure {
    /// What the client said; what happened, if it said nothing.
    pub fn said(&self) -> String {
        match self {
            Self::Refused { said, .. } if !said.is_empty() => said.clone(),
            other => other.to_string(),
        }
    }
}

impl Client {
    /// A client that is called by these words.
    pub fn new<'w>(words: impl IntoIterator<Item = &'w str>) -> Self {
        Self { words: words.into_iter().map(String::from).collect(), env: BTreeMap::new() }
    }

    /// The same with a variable in its environment.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.insert(name.to_owned(), value.into());
        self
    }

    /// The program.
    pub fn program(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// A call as a shell takes it. Variables are left out: they may be secrets.
    pub fn shown(&self, arguments: &[&str]) -> String {
        let words = self.words.iter().map(String::as_str).chain(arguments.iter().copied());
        // Only a NUL cannot be quoted, and no argument can have one.
        shlex::try_join(words).unwrap_or_default()
    }

    /// What the client prints.
    ///
    /// # Errors
    /// It is not there, or it fails.
    pub fn ask(&self, arguments: &[&str]) -> Result<String, Failure> {
        self.call(arguments, None, Output::Capture, Output::Capture, &Cancel::new())
    }

    /// Runs a call that takes its time. What it reads is fed, if it reads anything; what it prints is captured.
    ///
    /// # Errors
    /// It is not there, it fails, or `cancel` was used.
    pub fn feed(&self, arguments: &[&str], feed: Option<Feed<'_>>, cancel: &Cancel) -> Result<String, Failure> {
        self.call(arguments, feed, Output::Capture, Output::Capture, cancel)
    }

    /// Runs a call that takes its time, and hands each line that it prints to `line`.
    ///
    /// # Errors
    /// It is not there, it fails (what it said is what it printed last), or `cancel` was used.
    pub fn watch(
        &self,
        arguments: &[&str],
        line: impl FnMut(&str) + Send + 'static,
        cancel: &Cancel,
    ) -> Result<(), Failure> {
        self.call(arguments, None, Output::Lines(Box::new(line)), Output::Stdout, cancel).map(drop)
    }

    fn call(
        &self,
        arguments: &[&str],
        stdin: Option<Feed<'_>>,
        stdout: Output,
        stderr: Output,
        cancel: &Cancel,
    ) -> Result<String, Failure> {
        let argv: Vec<String> = self.words.iter().cloned().chain(arguments.iter().map(ToString::to_string)).collect();
        let shown = || self.shown(arguments);
        let ended = host::run(Command { argv: &argv, env: &self.env, stdin, stdout, stderr }, cancel);
        let ended = ended.map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => Failure::Missing(self.program().to_owned()),
            _ => Failure::Io { command: shown(), source },
        })?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        let printed = String::from_utf8_lossy(&ended.stdout).into_owned();
        let code = match ended.status {
            Status::Exited(0) => return Ok(printed),
            Status::Cancelled => return Err(Failure::Cancelled(shown())),
            Status::Exited(code) => Some(code),
            Status::TimedOut => None,
        };
        let said = Some(text(&ended.stderr)).filter(|said| !said.is_empty()).unwrap_or_else(|| text(&ended.stdout));
        Err(Failure::Refused { command: shown(), code, said, printed })
    }
}
