//! The only place of this crate that starts a process: buildx, as Docker's plugin or by itself.

use std::{
    collections::BTreeMap,
    io,
    process::Output,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use camino::{Utf8Path, Utf8PathBuf};
use duct::Expression;
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;

use crate::Error;

/// How often a running build looks whether it is to end.
const POLL: Duration = Duration::from_millis(100);
/// The first BuildKit whose Dockerfiles can name the results of other builds.
const OLDEST: (u32, u32) = (0, 10);

/// A buildx that is there.
#[derive(Debug, Clone)]
pub struct Buildx {
    words: Vec<String>,
}

/// What a builder is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Builder {
    /// Its name.
    pub name: String,
    /// Its nodes with the version of their BuildKit, where it says one.
    pub nodes: Vec<(String, Option<String>)>,
}

/// One bake.
#[derive(Debug, Clone)]
pub struct Run<'r> {
    /// The builder.
    pub builder: &'r str,
    /// The folder of the bake file, which is buildx's current folder.
    pub folder: &'r Utf8Path,
    /// The bake file in it.
    pub file: &'r str,
    /// Files outside of the folder that the build reads.
    pub reads: Vec<Utf8PathBuf>,
    /// Folders outside of the folder that the build writes to.
    pub writes: Vec<Utf8PathBuf>,
}

/// An image that came out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Made {
    /// The digest of its manifest or index.
    #[serde(rename = "containerimage.digest")]
    pub digest: Option<String>,
}

impl Buildx {
    /// Looks for `docker buildx`, then for `buildx`.
    ///
    /// # Errors
    /// [`Error::NoBuildx`].
    pub fn find() -> Result<Self, Error> {
        let mut found = Vec::new();
        for words in [&["docker", "buildx"][..], &["buildx"]] {
            let buildx = Self { words: words.iter().map(|&word| word.to_owned()).collect() };
            match buildx.ask(&["version"]) {
                Ok(output) if output.status.success() => return Ok(buildx),
                Ok(output) => found.push(format!("{buildx}: {}", first_line(&output.stderr))),
                Err(cause) => found.push(format!("{buildx}: {cause}")),
            }
        }
        Err(Error::NoBuildx { found: found.join("; ") })
    }

    /// Docker's plugin, whether it is here or not: for a command that is typed elsewhere.
    pub fn docker() -> Self {
        Self { words: vec!["docker".to_owned(), "buildx".to_owned()] }
    }

    /// Looks whether a builder is there, whether it answers, and whether it can do what is needed.
    ///
    /// # Errors
    /// [`Error::NoBuilder`], [`Error::Unreachable`] and [`Error::TooOld`].
    pub fn builder(&self, name: &str) -> Result<Builder, Error> {
        let output = self.ask(&["inspect", "--bootstrap", name]).map_err(self.io())?;
        let (said, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if !output.status.success() {
            if stderr.contains("no builder") {
                return Err(Error::NoBuilder {
                    name: name.to_owned(),
                    known: self.builders()?,
                    program: self.to_string(),
                });
            }
            let reason = stderr.trim().trim_start_matches("ERROR: ").to_owned();
            return Err(Error::Unreachable { name: name.to_owned(), reason, program: self.to_string() });
        }
        let builder = inspected(name, &said).map_err(|reason| Error::Unreachable {
            name: name.to_owned(),
            reason,
            program: self.to_string(),
        })?;
        for (node, version) in &builder.nodes {
            if let Some(found) = version.as_ref().filter(|version| is_too_old(version)) {
                let (name, node, found) = (name.to_owned(), node.clone(), found.clone());
                return Err(Error::TooOld { name, node, found });
            }
        }
        Ok(builder)
    }

    fn builders(&self) -> Result<Vec<String>, Error> {
        #[derive(Deserialize)]
        struct Listed {
            #[serde(rename = "Name")]
            name: String,
        }
        let output = self.ask(&["ls", "--format", "json"]).map_err(self.io())?;
        let text = String::from_utf8_lossy(&output.stdout);
        // One line for each. A buildx that knows no JSON lists none.
        let names = text.lines().filter_map(|line| serde_json::from_str::<Listed>(line).ok());
        Ok(names.map(|listed| listed.name).collect())
    }

    /// The command of a run, as it would be typed in the folder.
    pub fn command(&self, run: &Run<'_>) -> Vec<String> {
        let mut words = self.words.clone();
        words.extend(["bake", "--builder", run.builder, "--file", run.file].map(str::to_owned));
        for (access, paths) in [("read", &run.reads), ("write", &run.writes)] {
            words.extend(paths.iter().map(|path| format!("--allow=fs.{access}={path}")));
        }
        words
    }

    /// Bakes all targets of the file. buildx writes to this process's standard error. `stop` ends the build.
    ///
    /// Returns what came out, by target.
    ///
    /// # Errors
    /// [`Error::Failed`], and what is said where it is read.
    pub fn bake(&self, run: &Run<'_>, stop: &AtomicBool) -> Result<BTreeMap<String, Made>, Error> {
        let mut words = self.command(run);
        let asks = !run.reads.is_empty() || !run.writes.is_empty();
        if asks && !self.knows_allow()? {
            // A buildx that does not know the flag refuses no file.
            words.retain(|word| !word.starts_with("--allow="));
        }
        let metadata = run.folder.join("metadata.json");
        match std::fs::remove_file(&metadata) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(self.io()(error)),
            _ => {}
        }
        let command = words.join(" ");
        words.push("--metadata-file=metadata.json".to_owned());
        let expression = self.expression(&words).dir(run.folder).stdout_to_stderr().unchecked();
        // It would read the whole cache for a statement that nobody asks for.
        let expression = expression.env("BUILDX_METADATA_PROVENANCE", "disabled");
        let handle = expression.start().map_err(self.io())?;
        let mut told = false;
        let output = loop {
            if let Some(output) = handle.wait_timeout(POLL).map_err(self.io())? {
                break output.clone();
            }
            if stop.load(Ordering::Relaxed) && !std::mem::replace(&mut told, true) {
                // It tells its builder to stop; killed it would leave the build running there. Not SIGINT, which a shell has its
                // background jobs ignore.
                for pid in handle.pids().into_iter().filter_map(|pid| Pid::from_raw(pid.cast_signed())) {
                    // One that has ended meanwhile is what was wanted.
                    let _ = kill_process(pid, Signal::TERM);
                }
            }
        };
        if told {
            return Err(Error::Interrupted);
        }
        if !output.status.success() {
            let code = output.status.code();
            let signal = std::os::unix::process::ExitStatusExt::signal(&output.status);
            return Err(Error::Failed { command, code: code.unwrap_or(128 + signal.unwrap_or_default()) });
        }
        let wrong = |reason: String| Error::Metadata { path: metadata.clone(), reason };
        let text = std::fs::read_to_string(&metadata).map_err(|error| wrong(error.to_string()))?;
        let found: BTreeMap<String, serde_json::Value> =
            serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        // Beside the targets there are notes of buildx's own.
        let targets = found.into_iter().filter(|(name, _)| !name.contains('.'));
        targets
            .map(|(name, value)| Ok((name, Made::deserialize(value).map_err(|error| wrong(error.to_string()))?)))
            .collect()
    }

    fn knows_allow(&self) -> Result<bool, Error> {
        let output = self.ask(&["bake", "--help"]).map_err(self.io())?;
        Ok(String::from_utf8_lossy(&output.stdout).contains("--allow"))
    }

    fn ask(&self, arguments: &[&str]) -> io::Result<Output> {
        let words: Vec<String> =
            self.words.iter().cloned().chain(arguments.iter().map(|&word| word.to_owned())).collect();
        self.expression(&words).stdout_capture().stderr_capture().unchecked().run()
    }

    fn expression(&self, words: &[String]) -> Expression {
        duct::cmd(&words[0], &words[1..]).stdin_null()
    }

    fn io(&self) -> impl Fn(io::Error) -> Error {
        let program = self.to_string();
        move |source| Error::Io { program: program.clone(), source }
    }
}

impl std::fmt::Display for Buildx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.words.join(" "))
    }
}

fn first_line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().lines().next().unwrap_or("it failed and said nothing").to_owned()
}

/// Reads what `buildx inspect` prints: `Key: value` lines, in which every node begins with its name.
fn inspected(name: &str, text: &str) -> Result<Builder, String> {
    let mut nodes: Vec<(String, Option<String>)> = Vec::new();
    let mut in_nodes = false;
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        let (key, value) = (key.trim(), value.trim());
        match key {
            "Nodes" => in_nodes = true,
            "Name" if in_nodes => nodes.push((value.to_owned(), None)),
            "Error" => return Err(value.to_owned()),
            "BuildKit version" | "Buildkit version" | "Buildkit" => {
                if let Some(node) = nodes.last_mut() {
                    node.1 = Some(value.to_owned());
                }
            }
            _ => {}
        }
    }
    if nodes.is_empty() { Err("it has no node".to_owned()) } else { Ok(Builder { name: name.to_owned(), nodes }) }
}

/// Whether this is the version of a BuildKit that is too old. One that was built by hand says no version; it is tried.
fn is_too_old(version: &str) -> bool {
    let mut numbers = version.trim_start_matches('v').split(['.', '-', '+']).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        // The engines of Docker up to 20.10 said their own version, and had BuildKit 0.8.
        (Some(Ok(major)), _) if (17..23).contains(&major) => true,
        (Some(Ok(0)), Some(Ok(0))) => false,
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < OLDEST,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
