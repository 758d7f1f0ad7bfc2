//! The machine itself: kernel, processors, memory, and the programs that this one calls.

use std::fs;

use ::engines::Client;
use catalog::Platform;

use super::{Finding, Section, State};
use crate::{
    machine::Memory,
    report::text::{bytes, count},
    schedule,
    workspace::Workspace,
};

/// The Rust that this builds with, as Cargo.toml has it.
const RUST: &str = env!("CARGO_PKG_RUST_VERSION");

/// A compile of Spark takes this much, with as many threads as it uses by itself.
const COMPILE: u64 = 6_000_000_000;

pub(super) fn look(workspace: &Workspace) -> Section {
    Section::new("machine", vec![kernel(), memory(), rust(), git(workspace)])
}

fn kernel() -> Finding {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let release = read("/proc/sys/kernel/osrelease");
    let system = read("/etc/os-release");
    let system = system.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("an unknown system");
    let processors = count(schedule::processors().get(), "processor");
    let what =
        format!("Linux {} on {}, {}, {processors}", release.trim(), std::env::consts::ARCH, system.trim_matches('"'));
    match Platform::host() {
        Some(_) => Finding::fine(what),
        None => Finding::new(
            State::Warning,
            format!("{what}: no image can be run here"),
            "use a machine with an x86-64 or arm64 processor for smoke, run and shell",
        ),
    }
}

fn memory() -> Finding {
    let Some(Memory { total, available }) = crate::machine::memory() else {
        return Finding::note("how much memory there is cannot be told");
    };
    let what = format!("{} of memory, {} free", bytes(total), bytes(available));
    if total < COMPILE {
        return Finding::note(format!("{what}: enough for images; a compile of Spark wants {}", bytes(COMPILE)));
    }
    Finding::fine(what)
}

fn rust() -> Finding {
    match Client::new(["rustc"]).ask(&["--version"]) {
        Ok(said) => {
            let version = said.split_whitespace().nth(1).unwrap_or_default().to_owned();
            match (::engines::Version::read(&version), ::engines::Version::read(RUST)) {
                (Some(found), Some(least)) if found < least => Finding::new(
                    State::Problem,
                    format!("rustc {version}, and this needs {RUST}"),
                    "rustup update stable",
                ),
                _ => Finding::fine(format!("rustc {version} (this needs {RUST})")),
            }
        }
        // Whoever got this far was built elsewhere.
        Err(failure) => Finding::note(format!("rustc: {failure}; this program was built elsewhere")),
    }
}

fn git(workspace: &Workspace) -> Finding {
    let version = match Client::new(["git"]).ask(&["--version"]) {
        Ok(said) => said.trim().to_owned(),
        Err(failure) => {
            let what = format!("{failure}: push and build-custom --source-dir ask it whether a tree is clean");
            return Finding::new(State::Warning, what, "apt-get install git");
        }
    };
    match git::changes(&workspace.root, &["docker/versions.toml"]) {
        Ok(_) => Finding::fine(version),
        Err(error) => {
            let remedy = match format!("{error:#}") {
                text if text.contains("safe.directory") => {
                    format!("git config --global --add safe.directory {}", workspace.root)
                }
                _ => format!("git -C {} status", workspace.root),
            };
            Finding::new(State::Warning, format!("{version}: {error:#}"), remedy)
        }
    }
}
