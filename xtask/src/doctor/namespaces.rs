//! Whether commands can be run in an image without an engine: found out by making a sandbox.

use std::{fs, path::Path};

use ::sandbox::{Error, Sandbox, Upper};

use super::{Finding, Section, State, disk, needs::Needs};

/// Settings of the kernel that decide it, and what each is when it forbids nothing.
const SETTINGS: [(&str, &str); 3] = [
    ("user/max_user_namespaces", "user.max_user_namespaces"),
    ("kernel/unprivileged_userns_clone", "kernel.unprivileged_userns_clone"),
    ("kernel/apparmor_restrict_unprivileged_userns", "kernel.apparmor_restrict_unprivileged_userns"),
];

pub(super) fn look(needs: &Needs) -> Section {
    let mut findings = Vec::new();
    let folder = needs.kept.join("sandbox");
    match Sandbox::open(&folder) {
        Ok(sandbox) => {
            let support = sandbox.support();
            let who = match support.uid_emulated {
                true => "as an ordinary user: one uid is mapped, permissions are judged from what the layers record",
                false => "as root: users and permissions are the kernel's",
            };
            findings.push(Finding::fine(format!("a sandbox works, {who}")));
            if support.upper == Upper::Memory {
                let kind = disk::mount_of(&folder).map_or_else(|| "unknown".to_owned(), |mount| mount.kind);
                let what = format!(
                    "{folder} lies on a file system ({kind}) that cannot be written to by an overlay: RUN and \
                     build-custom cannot keep what they change there"
                );
                let remedy = "set SPARK_IMAGES_CACHE to a folder on a local disk (ext4, xfs, btrfs) or a volume";
                findings.push(Finding::new(severity(needs), what, remedy));
            }
        }
        Err(Error::Unsupported(why)) => {
            let what = match needs.run_in_sandbox() {
                Some(what) => format!("no sandbox: {}; {what}", why.cause),
                None => format!(
                    "no sandbox: {}; images are built all the same, smoke, run, shell, RUN and build-custom are not",
                    why.cause
                ),
            };
            findings.push(Finding::new(severity(needs), what, why.remedy));
            findings.push(Finding::note(settings()));
        }
        Err(error) => {
            let what = format!("a sandbox could not be tried: {}", chain(&error));
            findings.push(Finding::new(
                severity(needs),
                what,
                "set SPARK_IMAGES_CACHE to a folder that can be written to",
            ));
        }
    }
    Section::new("namespaces", findings)
}

/// Images are built without a sandbox, unless one of them has a RUN or Spark is compiled.
fn severity(needs: &Needs) -> State {
    if needs.run_in_sandbox().is_some() { State::Problem } else { State::Warning }
}

/// What the kernel and its surroundings say.
fn settings() -> String {
    let mut said = Vec::new();
    for (path, name) in SETTINGS {
        if let Ok(value) = fs::read_to_string(format!("/proc/sys/{path}")) {
            said.push(format!("{name} = {}", value.trim()));
        }
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    if status.lines().any(|line| line.split_whitespace().eq(["Seccomp:", "2"])) {
        said.push("system calls are filtered (seccomp)".to_owned());
    }
    if let Ok(profile) = fs::read_to_string("/proc/self/attr/current") {
        said.push(format!("security profile {}", profile.trim_matches(['\0', '\n', ' '])));
    }
    if container() {
        said.push("this is a container".to_owned());
    }
    said.join("; ")
}

/// Whether this is a container, as far as engines leave a mark.
fn container() -> bool {
    let marks = ["/.dockerenv", "/run/.containerenv"];
    marks.iter().any(|mark| Path::new(mark).exists()) || std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
