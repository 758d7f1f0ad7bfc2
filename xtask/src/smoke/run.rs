//! Runs one job in one image and reads what it reports.

use std::{fs, io, os::unix::fs::PermissionsExt as _};

use anyhow::{Context as _, Result};
use camino::{Utf8Path, Utf8PathBuf};
use catalog::Catalog;
use sandbox::{Identity, Mount, Outcome, Output, Spec, Status};

use super::{
    Case, INTERRUPTED, Run, User, Verdict, What, file_name,
    jobs::{DEFAULTS, EVENTS, IN_IMAGE, Jobs, Wishes},
    permissions,
    place::Place,
    record,
    services::Services,
};
use crate::{
    boxed::{Boxed, until_interrupted},
    workspace::Workspace,
};

/// What all runs share.
pub(super) struct Bench<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) catalog: &'a Catalog,
    pub(super) place: &'a Place,
    pub(super) jobs: &'a Jobs,
    pub(super) services: &'a Services,
}

/// The cases of a run.
pub(super) fn run(bench: &Bench<'_>, run: &Run<'_>) -> Result<Vec<Case>> {
    let Bench { workspace, catalog, place, jobs, services } = *bench;
    let boxed = Boxed::open(workspace, catalog, run.target.image, run.target.platform)?;
    let who = identity(&boxed, run.user, place.random_uid())?;
    let (argv, wishes, expected) = match &run.what {
        What::Permissions => {
            let verdict = permissions::judge(&boxed.root, &who, &run.target.smoke)?;
            return Ok(vec![Case { digest: Some(boxed.digest), ..run.case("permissions", verdict) }]);
        }
        What::Session => {
            let mut argv = vec!["python3".to_owned(), format!("{IN_IMAGE}/jobs/checks.py")];
            argv.extend(run.target.smoke.checks.iter().cloned());
            (argv, Wishes::session(), run.target.smoke.checks.clone())
        }
        What::Job(job) => {
            let mut words = job.split_whitespace().map(str::to_owned);
            let file = words.next().context("a smoke job without a name")?;
            let wishes = jobs.wishes(&file)?;
            let interpreter = file.ends_with(".py").then(|| "python3".to_owned());
            let argv = interpreter.into_iter().chain([format!("{IN_IMAGE}/jobs/{file}")]).chain(words).collect();
            let own = || vec![run.what.name().to_owned()];
            let checks = if wishes.checks.is_empty() { own() } else { wishes.checks.clone() };
            (argv, wishes, checks)
        }
    };
    let log = log_path(workspace, run);
    let events = record::events(workspace, &run.title());
    empty(&events).with_context(|| format!("emptying {events}"))?;
    let folders = Folders { jobs, events: &events, log: &log };
    let mut spec = spec(&boxed, &folders, run, argv, &wishes, who)?;
    if place.uid_emulated(&boxed) {
        spec.env.insert("SMOKE_UID_EMULATED".to_owned(), "1".to_owned());
    }
    if let Err(verdict) = services.join(&wishes.services, &mut spec) {
        return Ok(vec![Case { digest: Some(boxed.digest), ..run.case(run.what.name(), verdict) }]);
    }
    let gpus = wishes.gpu && place.has_gpus();
    let (image, title) = (run.target.image, run.title());
    let outcome = until_interrupted(|cancel| place.run(&boxed, image, &title, spec, gpus, cancel))??;
    let stdout = String::from_utf8_lossy(&outcome.stdout);
    let relative = log.strip_prefix(&workspace.root).unwrap_or(&log).to_string();
    let user = label(run, &wishes, outcome.uid_emulated);
    if let Some(why) = place.refusal(&outcome, &log) {
        let case = run.case("start", Verdict::Failed(why));
        return Ok(vec![Case { digest: Some(boxed.digest), user, log: Some(relative), ..case }]);
    }
    let mut cases = read(&stdout, &expected, &ending(&outcome, &wishes));
    if gpus {
        // It was given what it needs.
        cases.iter_mut().for_each(|(_, verdict)| verdict.demand());
    }
    let ended_well = outcome.status.success() || outcome.status == Status::Cancelled;
    if !ended_well && !cases.iter().any(|(_, verdict)| matches!(verdict, Verdict::Failed(_))) {
        let why = format!("{} though no check failed", ending(&outcome, &wishes));
        cases.push(("end".to_owned(), Verdict::Failed(why)));
    }
    let ended = services.ended(&wishes.services).map(|why| format!(" ({why})")).unwrap_or_default();
    let again = services.flags(&wishes.services);
    let finish = |(name, verdict): (String, Verdict)| Case {
        digest: Some(boxed.digest),
        again: format!("{}{again}", run.target.again),
        user: user.clone(),
        elapsed: outcome.elapsed,
        log: Some(relative.clone()),
        ..run.case(&name, verdict.because(&ended))
    };
    Ok(cases.into_iter().map(finish).collect())
}

fn identity(boxed: &Boxed, user: User, random: u32) -> Result<Identity> {
    Ok(match user {
        User::Image => Identity::of(&boxed.root, &boxed.config.config.user)?,
        User::Random => Identity::unknown(random),
    })
}

fn label(run: &Run<'_>, wishes: &Wishes, emulated: bool) -> String {
    let user = if wishes.root { "root" } else { run.user.label() };
    if emulated { format!("{user} (uid emulated)") } else { user.to_owned() }
}

fn log_path(workspace: &Workspace, run: &Run<'_>) -> Utf8PathBuf {
    workspace.logs().join(format!("smoke-{}.log", file_name(&run.title())))
}

/// Makes a folder in which any user of an image may make files, and nothing of a run before.
fn empty(folder: &Utf8Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => fs::create_dir_all(folder)?,
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o1777))
}

/// What of this machine a job sees or writes.
struct Folders<'a> {
    jobs: &'a Jobs,
    events: &'a Utf8Path,
    log: &'a Utf8Path,
}

fn spec(
    boxed: &Boxed,
    folders: &Folders<'_>,
    run: &Run<'_>,
    argv: Vec<String>,
    wishes: &Wishes,
    who: Identity,
) -> Result<Spec> {
    let mut spec = boxed.spec(boxed.argv(&argv), None)?;
    spec.user = if wishes.root { Identity::of(&boxed.root, "0")? } else { who };
    spec.env.insert("HOME".to_owned(), spec.user.home.clone());
    for (name, value) in &run.target.smoke.expect {
        spec.env.insert(format!("EXPECT_{name}"), value.clone());
    }
    if wishes.root || run.user == User::Random {
        spec.env.insert("EXPECT_UID".to_owned(), spec.user.uid.to_string());
    }
    spec.env.insert("SMOKE_EVENTS".to_owned(), EVENTS.to_owned());
    let bind =
        |source: Utf8PathBuf, target: &Utf8Path, read_only| Mount::Bind { source, target: target.into(), read_only };
    let jobs = folders.jobs.path();
    spec.mounts.push(bind(jobs.to_owned(), IN_IMAGE.into(), true));
    spec.mounts.push(bind(folders.events.to_owned(), EVENTS.into(), false));
    if !run.target.smoke.defaults.is_empty() {
        spec.mounts.push(bind(folders.jobs.defaults(&run.target.smoke.defaults)?, DEFAULTS.into(), true));
    }
    if let Some(target) = &wishes.conf {
        spec.mounts.push(bind(jobs.join("conf"), target, true));
    }
    for target in std::iter::once(&"/tmp".into()).chain(&wishes.tmpfs) {
        spec.mounts.push(Mount::Tmpfs { target: target.clone(), mode: 0o1777, size: None });
    }
    spec.read_only_root = !(wishes.root || wishes.writable);
    spec.timeout = Some(wishes.time);
    spec.stdout = Output::Capture;
    if let Some(folder) = folders.log.parent() {
        fs::create_dir_all(folder).with_context(|| format!("making {folder}"))?;
    }
    spec.stderr = Output::File(folders.log.to_owned());
    Ok(spec)
}

/// How a job ended, for the checks that it said nothing about.
fn ending(outcome: &Outcome, wishes: &Wishes) -> String {
    match outcome.status {
        Status::Exited(code) => format!("the job ended with exit code {code}"),
        Status::TimedOut => {
            format!("the job was killed after {} s, with all that it had started,", wishes.time.as_secs())
        }
        Status::Cancelled => INTERRUPTED.to_owned(),
    }
}

/// The verdict on each expected check: the job's own line, or how the job ended.
fn read(stdout: &str, expected: &[String], ending: &str) -> Vec<(String, Verdict)> {
    let mut said = Vec::new();
    for line in stdout.lines() {
        let verdict = |rest: &str, make: fn(String) -> Verdict| {
            let (name, text) = rest.split_once(' ').unwrap_or((rest, ""));
            (name.to_owned(), make(text.to_owned()))
        };
        if let Some(rest) = line.strip_prefix("ok ") {
            said.push(verdict(rest, Verdict::Passed));
        } else if let Some(rest) = line.strip_prefix("not ok ") {
            said.push(verdict(rest, Verdict::Failed));
        } else if let Some(rest) = line.strip_prefix("skip ") {
            said.push(verdict(rest, Verdict::Skipped));
        }
    }
    let failed = said.iter().rev().find(|(_, verdict)| matches!(verdict, Verdict::Failed(_)));
    let why = match (failed, said.last()) {
        _ if ending == INTERRUPTED => ending.to_owned(),
        (Some((name, _)), _) => format!("not reached: {ending} after {name} failed"),
        (None, Some((name, _))) => {
            format!("{ending} and said nothing about it, {name} being the last that it spoke of")
        }
        (None, None) => format!("{ending} and said nothing about it"),
    };
    let silent = expected.iter().filter(|name| !said.iter().any(|(other, _)| other == *name));
    let missing: Vec<_> = silent.map(|name| (name.clone(), Verdict::Failed(why.clone()))).collect();
    said.extend(missing);
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_that_the_job_is_silent_about_has_failed() {
        let expected = ["a", "b", "c", "d"].map(str::to_owned);
        let ended = "the job ended with exit code 1";
        let cases = read("noise\nok a fine\nnot ok b wrong: x\nskip c no GPU\n", &expected, ended);
        let case = |name: &str, verdict| (name.to_owned(), verdict);
        let expected = [
            case("a", Verdict::Passed("fine".into())),
            case("b", Verdict::Failed("wrong: x".into())),
            case("c", Verdict::Skipped("no GPU".into())),
            case("d", Verdict::Failed("not reached: the job ended with exit code 1 after b failed".into())),
        ];
        assert_eq!(cases, expected);
        let of_last = |stdout: &str, ending: &str| read(stdout, &["a", "d"].map(str::to_owned), ending).pop().unwrap();
        let failed = |text: &str| case("d", Verdict::Failed(text.into()));
        let last = "the job ended with exit code 1 and said nothing about it, a being the last that it spoke of";
        assert_eq!(of_last("ok a fine\n", ended), failed(last));
        assert_eq!(of_last("", ended), failed("the job ended with exit code 1 and said nothing about it"));
        assert_eq!(of_last("not ok a x\n", INTERRUPTED), failed(INTERRUPTED));
    }
}
