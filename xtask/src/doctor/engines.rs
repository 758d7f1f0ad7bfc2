//! Container engines and clusters: which are here, and what each lacks. None is needed.

use std::{
    env,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use ::engines::{
    Engine, Problems,
    build::{Asked, probe},
    load::Destination,
};

use super::{Finding, Section, State, needs::Needs};

/// A client that says nothing for this long is left: a server far away may not answer at all.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is asked of a client that is installed.
enum Probe {
    Build(Engine),
    Load(Destination),
}

pub(super) fn look(needs: &Needs) -> Section {
    let namespace = || "k8s.io".to_owned();
    let probes = [
        ("docker", Probe::Build(Engine::Docker)),
        ("podman", Probe::Build(Engine::Podman)),
        ("buildah", Probe::Build(Engine::Buildah)),
        ("ctr", Probe::Load(Destination::Containerd { namespace: namespace() })),
        ("minikube", Probe::Load(Destination::Minikube { profile: "minikube".to_owned() })),
        ("kind", Probe::Load(Destination::Kind { cluster: "kind".to_owned() })),
        ("k3s", Probe::Load(Destination::K3s { namespace: namespace() })),
    ];
    let (here, absent): (Vec<_>, Vec<_>) = probes.into_iter().partition(|(program, _)| is_installed(program));
    let (sender, answers) = mpsc::channel();
    let programs: Vec<&str> = here.iter().map(|(program, _)| *program).collect();
    for (program, asked) in here {
        let (sender, dockerfiles, architecture) = (sender.clone(), needs.dockerfiles.clone(), needs.architecture);
        // Not joined: one that hangs ends with this process. Who is not waited for any more is told nothing.
        thread::spawn(move || drop(sender.send((program, ask(&asked, &dockerfiles, architecture)))));
    }
    drop(sender);
    let until = Instant::now() + PATIENCE;
    let mut said = Vec::new();
    while let Ok(answer) = answers.recv_timeout(until.saturating_duration_since(Instant::now())) {
        said.push(answer);
    }
    let mut findings = Vec::new();
    for program in programs {
        match said.iter().find(|(name, _)| *name == program) {
            Some((_, Ok(what))) => findings.push(Finding::fine(what.clone())),
            Some((_, Err(problems))) => findings.extend(problems.0.iter().map(|problem| {
                Finding::new(State::Warning, format!("{program}: {}", problem.cause), problem.remedy.clone())
            })),
            None => findings.push(Finding::new(
                State::Warning,
                format!("{program} says nothing for {} s", PATIENCE.as_secs()),
                format!("see what `{program} info` waits for"),
            )),
        }
    }
    let absent: Vec<&str> = absent.iter().map(|(program, _)| *program).collect();
    if !absent.is_empty() {
        findings.push(Finding::note(format!("not installed: {}; none is needed to build", absent.join(", "))));
    }
    Section::new("engines", findings)
}

fn ask(asked: &Probe, dockerfiles: &[(String, Vec<assemble::Need>)], architecture: &str) -> Result<String, Problems> {
    match asked {
        Probe::Build(engine) => {
            let asked: Vec<Asked<'_>> =
                dockerfiles.iter().map(|(dockerfile, needs)| Asked { dockerfile, needs }).collect();
            probe(*engine, &asked, architecture)?;
            Ok(format!("{engine} can build these images: build-layers --engine {engine}"))
        }
        Probe::Load(destination) => {
            destination.probe()?;
            Ok(format!(
                "{destination} takes images: load --to {}",
                destination.to_string().split(' ').next().unwrap_or_default()
            ))
        }
    }
}

/// Whether `PATH` has a program of this name.
fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
