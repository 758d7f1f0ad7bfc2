//! What has newer versions, which of them may be taken, and why the others may not.
//!
//! Versions of the table are looked up one by one: what the table holds ([held]), what another artifact of the same version
//! lacks, and what the other requirements of a Python set allow decide which may be taken. What no table pins (Debian
//! packages, what Python packages need) is resolved as `lock --update` would do it, and thrown away. Nothing is written.

mod locked;
mod maven;
mod python;
pub(crate) mod report;
mod spark;

use std::thread;

use anyhow::Result;
use catalog::{Catalog, Held, Lock, Pin, Pinned};
use serde::Serialize;

use crate::{machine::Machine, report::progress::Board, resolve::index::SimpleIndex, workspace::Workspace};

/// What is to be said of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// A newer one may be taken.
    Newer,
    /// There are newer ones, and none may be taken.
    Held,
    /// Nobody could say.
    Unknown,
    /// There is no newer one.
    Current,
}

/// A version, and what there is beside it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Row {
    pub(crate) state: State,
    /// `maven`, `pypi`, `debian` or `spark`.
    pub(crate) kind: &'static str,
    /// Its key in [versions], or what is had in it.
    pub(crate) name: String,
    /// What is had in it.
    pub(crate) of: Vec<String>,
    pub(crate) current: String,
    /// The newest that there is.
    pub(crate) newest: Option<String>,
    /// The newest that may be taken, if that is not the current one.
    pub(crate) takes: Option<String>,
    /// Why the newest may not be taken, or why nobody could say.
    pub(crate) why: Option<String>,
    /// Where the version is written, and what takes the newer one.
    pub(crate) take: String,
    /// The Spark versions that it is for.
    pub(crate) sparks: Vec<String>,
}

/// What the lookups need.
pub(crate) struct Survey<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) machine: &'a Machine,
    pub(crate) catalog: &'a Catalog,
    pub(crate) lock: &'a Lock,
    pub(crate) index: SimpleIndex<'a>,
    /// Only these, if any is named.
    pub(crate) names: &'a [String],
}

impl Survey<'_> {
    /// All rows: versions that may be taken first, then by kind and name.
    ///
    /// # Errors
    /// The table contradicts itself; what a registry lacks or does not answer is a row.
    pub(crate) fn rows(&self, board: &Board) -> Result<Vec<Row>> {
        let pins: Vec<&Pin> = self.catalog.pins().iter().filter(|pin| self.is_asked(pin)).collect();
        let is_python = |pin: &Pin| pin.of.keys().any(|of| matches!(of, Pinned::Python(_)));
        let (python, maven): (Vec<&Pin>, Vec<&Pin>) = pins.into_iter().partition(|pin| is_python(pin));
        let step = |name: &str, what: &str| board.step(name, what);
        let (maven, python, spark, locked) = thread::scope(|scope| {
            let maven = scope.spawn(|| {
                let _step = step("Maven", "asking for versions");
                maven::rows(self, &maven)
            });
            let python = scope.spawn(|| {
                let _step = step("Python", "asking for versions, and which of them fit together");
                python::rows(self, &python)
            });
            let spark =
                scope.spawn(|| match self.names.is_empty() || self.is_named("spark") || self.is_named("debian") {
                    true => spark::rows(self),
                    false => Vec::new(),
                });
            let locked = locked::rows(self, &step("what no table pins", "resolving it anew"));
            (done(maven), done(python), done(spark), locked)
        });
        let mut rows = maven;
        rows.extend(python?.into_iter().chain(spark).chain(locked?));
        rows.sort_by(|one, other| {
            (one.state, one.kind, &one.name, &one.current).cmp(&(other.state, other.kind, &other.name, &other.current))
        });
        Ok(rows)
    }

    fn is_named(&self, name: &str) -> bool {
        self.names.iter().any(|asked| asked == name)
    }

    /// Whether a version is among those that were asked for: by its key, or by what is had in it.
    fn is_asked(&self, pin: &Pin) -> bool {
        let by = |of: &Pinned| match of {
            Pinned::Maven { group, artifact } => {
                self.is_named(artifact) || self.is_named(&format!("{group}:{artifact}"))
            }
            Pinned::Python(name) => self.is_named(name),
        };
        self.names.is_empty() || pin.key.as_ref().is_some_and(|key| self.is_named(key)) || pin.of.keys().any(by)
    }

    /// Why a version is held, if it is.
    fn held(&self, pin: &Pin) -> Option<&Held> {
        self.catalog.table.held.get(pin.key.as_ref()?)
    }
}

impl Row {
    /// A row of which no more is known.
    fn new(kind: &'static str, name: String, current: String) -> Self {
        Self {
            state: State::Current,
            kind,
            name,
            of: Vec::new(),
            current,
            newest: None,
            takes: None,
            why: None,
            take: String::new(),
            sparks: Vec::new(),
        }
    }

    /// A row of a version of the table.
    fn of_pin(kind: &'static str, pin: &Pin) -> Self {
        let of: Vec<String> = pin.of.keys().map(shown).collect();
        let name = pin.key.clone().or_else(|| of.first().cloned()).unwrap_or_default();
        let sparks = pin.sparks.iter().cloned().collect();
        Self { of, sparks, ..Self::new(kind, name, pin.version.clone()) }
    }

    /// Settles the state, and what takes the version.
    fn settled(mut self, pin: &Pin) -> Self {
        self.state = match (&self.takes, &self.newest) {
            (Some(_), _) => State::Newer,
            (None, Some(newest)) if *newest != self.current => State::Held,
            (None, Some(_)) => State::Current,
            (None, None) => State::Unknown,
        };
        let place = format!("{}:{}", pin.path, pin.line);
        self.take = match (&self.takes, &pin.key) {
            (Some(version), Some(key)) => format!("{place}: {key} = \"{version}\", then cargo xtask lock"),
            (Some(version), None) => format!("{place}: write {version}, then cargo xtask lock"),
            (None, _) => place,
        };
        self
    }
}

fn done<T>(handle: thread::ScopedJoinHandle<'_, T>) -> T {
    handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// What is had in a version, as its client calls it.
fn shown(of: &Pinned) -> String {
    match of {
        Pinned::Maven { group, artifact } => format!("{group}:{artifact}"),
        Pinned::Python(name) => name.clone(),
    }
}
