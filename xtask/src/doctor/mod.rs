//! What would stop a build on this machine, and what to do about it.
//!
//! Each kind of check has a module, which looks and gives [`Finding`]s; nothing here repairs anything. What can be slow
//! (namespaces, engines, registries) is looked at side by side. No finding holds a secret: addresses are those that
//! `registries` and `store` have taken the credentials out of.

mod disk;
mod engines;
pub(crate) mod explain;
mod files;
mod machine;
mod namespaces;
mod needs;
mod network;
pub(crate) mod reach;
mod registries;
pub(crate) mod report;
mod store;

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use serde::Serialize;

use crate::{
    flags::{DoctorArgs, Global},
    report::{progress::Board, text::count},
};
use needs::Needs;
use report::Report;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// As it should be.
    Fine,
    /// Good to know.
    Note,
    /// Something does not work that a build does not need.
    Warning,
    /// Images are left out, and all others are built.
    LeftOut,
    /// A build would fail.
    Problem,
}

/// One thing that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) state: State,
    /// What was seen.
    pub(crate) what: String,
    /// What to do about it: a command, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remedy: Option<String>,
}

/// What one module saw.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Section {
    pub(crate) name: &'static str,
    pub(crate) findings: Vec<Finding>,
}

impl Finding {
    pub(crate) fn fine(what: impl Into<String>) -> Self {
        Self { state: State::Fine, what: what.into(), remedy: None }
    }

    pub(crate) fn note(what: impl Into<String>) -> Self {
        Self { state: State::Note, what: what.into(), remedy: None }
    }

    pub(crate) fn new(state: State, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { state, what: what.into(), remedy: Some(remedy.into()) }
    }
}

impl Section {
    fn new(name: &'static str, findings: Vec<Finding>) -> Self {
        Self { name, findings }
    }
}

/// Looks at everything.
///
/// # Errors
/// Not what is wrong with the machine, but what keeps this from looking: there is no checkout, its table cannot be read,
/// what was asked for does not exist.
pub(crate) fn examine(global: &Global, args: &DoctorArgs) -> Result<Report> {
    let board = Board::new();
    let began = Instant::now();
    let needs = Needs::find(global, args)?;
    let until = began + Duration::from_secs(args.within);
    let step = |name: &str, what: &str, look: &(dyn Fn() -> Section + Sync)| {
        let step = board.step(name, what);
        let section = look();
        drop(step);
        section
    };
    let (machine, namespaces, engines, (reach, files)) = thread::scope(|scope| {
        let machine = scope.spawn(|| step("machine", "asking rustc and git", &|| machine::look(&needs.workspace)));
        let namespaces = scope.spawn(|| step("namespaces", "trying a sandbox", &|| namespaces::look(&needs)));
        let engines =
            scope.spawn(|| step("engines", "asking the clients that are installed", &|| engines::look(&needs)));
        let network = scope.spawn(|| {
            if needs.machine.offline {
                return (Vec::new(), files::Files::default());
            }
            let waiting = board.step("registries", "asking whether they answer");
            let reach = reach::all(&needs.machine, needs.samples());
            if !needs.asked.is_empty() {
                board.say(&format!("asking the registries for {}", count(needs.asked.len(), "file")));
            }
            waiting.now(&format!("asking for {}", count(needs.asked.len(), "file")));
            let files = files::ask(&needs.machine, &needs.asked, &reach, until);
            (reach, files)
        });
        let done = |handle: thread::ScopedJoinHandle<'_, Section>| {
            handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        let network = network.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (done(machine), done(namespaces), done(engines), network)
    });
    let mut network = network::look(&needs);
    network.findings.extend(network::clock(&reach));
    let sections = vec![
        machine,
        namespaces,
        engines,
        store::look(&needs),
        disk::look(&needs),
        network,
        registries::look(&needs, &reach),
        files::look(&needs, &files, &reach),
        needs.images(),
    ];
    Ok(Report {
        sections,
        registries: registries::facts(&needs, &reach, &files),
        needs: needs.facts(),
        took: began.elapsed(),
    })
}
