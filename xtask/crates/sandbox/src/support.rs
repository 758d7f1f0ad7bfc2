//! Whether this machine can run a sandbox, and how: found out by making one.

use std::fs;

use camino::Utf8Path;

use crate::{
    Cancel, Error, Output, Root, Spec, Status, Stdin, Unsupported,
    mounts::{self, UpperAt},
    process::{self, Streams, Victim},
    scratch::Scratch,
    vector::Vector,
};

/// What this machine can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Support {
    /// One uid is mapped and the kernel enforces no owners: the caller is not root.
    pub uid_emulated: bool,
    /// Where changes go that are not kept.
    pub upper: Upper,
    pub(crate) mode: Mode,
}

/// Where the changes of a command go that are not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upper {
    /// To the disk of the sandbox's folder.
    Disk,
    /// To memory: that disk cannot be the upper layer of an overlay (it is an overlay itself, or a network share).
    /// Changes cannot be kept on it.
    Memory,
}

/// Whose rights the box has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Root's: real uids.
    Real,
    /// Those of an ordinary user: one mapped uid.
    Mapped,
}

/// The programs of the host that are needed.
const TOOLS: [&str; 8] = ["unshare", "mount", "setpriv", "setsid", "sh", "env", "mkdir", "hostname"];

/// Makes a box below `runs` in each way, the best first, until one works.
pub(crate) fn probe(runs: &Utf8Path) -> Result<Support, Error> {
    let missing = process::missing(&TOOLS);
    if !missing.is_empty() {
        return Err(Error::Unsupported(Unsupported {
            cause: format!("these programs are missing: {}", missing.join(", ")),
            remedy: "install util-linux, coreutils and hostname".to_owned(),
        }));
    }
    let modes: &[Mode] =
        if rustix::process::geteuid().is_root() { &[Mode::Real, Mode::Mapped] } else { &[Mode::Mapped] };
    let mut failures = Vec::new();
    for &mode in modes {
        for upper in [Upper::Disk, Upper::Memory] {
            match attempt(runs, mode, upper)? {
                Ok(()) => return Ok(Support { uid_emulated: mode == Mode::Mapped, upper, mode }),
                Err(message) => failures.push(message),
            }
        }
    }
    Err(Error::Unsupported(explain(&failures.pop().unwrap_or_default())))
}

/// Makes one box that runs nothing; the inner error is what the tools had to say.
fn attempt(runs: &Utf8Path, mode: Mode, upper: Upper) -> Result<Result<(), String>, Error> {
    let scratch = Scratch::new(runs)?;
    let spec = Spec::new(Root::new(Vec::new()), ["true"]);
    let place = if upper == Upper::Disk { UpperAt::Scratch } else { UpperAt::Memory };
    let read_only = mounts::prepare(&scratch, &spec, mode, place)?;
    let mut vector = Vector::begin(&spec, mode, upper, scratch.path(), &read_only);
    vector.nothing(mode);
    let streams = Streams { stdin: Stdin::Null.into(), stdout: Output::Capture, stderr: Output::Capture };
    let ended = process::run(&vector.0, process::environment(), streams, None, Victim::Box, &Cancel::new())
        .map_err(Error::io("starting", vector.0[0].as_str()))?;
    let said = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
    Ok(match (scratch.is_ready(), ended.status) {
        (Ok(()), Status::Exited(0)) => Ok(()),
        (Ok(()), _) => Err(said),
        (Err(log), _) => Err(if log.is_empty() { said } else { log }),
    })
}

/// From the words of the tools and the settings of the kernel to a cause and a remedy.
fn explain(message: &str) -> Unsupported {
    let setting = |name: &str| fs::read_to_string(format!("/proc/sys/{name}")).map(|text| text.trim().to_owned());
    let is = |name: &str, value: &str| setting(name).is_ok_and(|found| found == value);
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let filtered = status.lines().any(|line| line.split_whitespace().eq(["Seccomp:", "2"]));
    let (cause, remedy) = diagnose(&Facts {
        message,
        no_namespaces: is("user/max_user_namespaces", "0"),
        no_clone: is("kernel/unprivileged_userns_clone", "0"),
        apparmor: is("kernel/apparmor_restrict_unprivileged_userns", "1"),
        filtered,
    });
    Unsupported { cause: format!("{cause} ({message})"), remedy: remedy.to_owned() }
}

/// What is known when no box could be made.
struct Facts<'a> {
    message: &'a str,
    no_namespaces: bool,
    no_clone: bool,
    apparmor: bool,
    filtered: bool,
}

fn diagnose(facts: &Facts<'_>) -> (&'static str, &'static str) {
    let said = |text: &str| facts.message.contains(text);
    if facts.no_namespaces {
        ("user namespaces are switched off", "as root: sysctl -w user.max_user_namespaces=15000")
    } else if facts.no_clone {
        ("user namespaces are switched off for ordinary users", "as root: sysctl -w kernel.unprivileged_userns_clone=1")
    } else if said("unrecognized option") || said("invalid option") {
        ("its util-linux is too old", "install util-linux 2.36 or newer")
    } else if said("ip: not found") || said("ip: command not found") {
        ("a new /sys is refused and the program `ip` is missing", "install iproute2")
    } else if facts.apparmor {
        (
            "AppArmor forbids user namespaces to programs without a profile",
            "as root: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        )
    } else if facts.filtered {
        (
            "this container may make no namespaces or mounts",
            "start it with --security-opt seccomp=unconfined --security-opt apparmor=unconfined \
             --security-opt systempaths=unconfined, or run this outside of it",
        )
    } else if said("overlay") {
        ("the kernel mounts no overlay in a user namespace", "use Linux 5.11 or newer, or run as root")
    } else {
        ("the kernel refuses a namespace or a mount", "run as root, or on a machine that allows user namespaces")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_found_before_the_symptom() {
        let base = || Facts { message: "", no_namespaces: false, no_clone: false, apparmor: false, filtered: false };
        let denied = "unshare: unshare failed: Operation not permitted";
        let cases = [
            (Facts { no_namespaces: true, filtered: true, ..base() }, "user.max_user_namespaces"),
            (Facts { no_clone: true, message: denied, ..base() }, "unprivileged_userns_clone"),
            (Facts { message: "unshare: unrecognized option '--map-user=0'", ..base() }, "util-linux 2.36"),
            (Facts { apparmor: true, message: denied, ..base() }, "apparmor_restrict_unprivileged_userns"),
            (Facts { message: "setup.sh: 24: ip: not found", filtered: true, ..base() }, "iproute2"),
            (Facts { filtered: true, message: denied, ..base() }, "--security-opt"),
            (Facts { message: "mount: /x/root: mount overlay failed: Invalid argument.", ..base() }, "Linux 5.11"),
            (Facts { message: denied, ..base() }, "run as root"),
        ];
        for (facts, expected) in cases {
            let (_, remedy) = diagnose(&facts);
            assert!(remedy.contains(expected), "{remedy}");
        }
    }
}
