//! `load`: gives built images to an engine or a cluster.

use std::{
    process::ExitCode,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use assemble::Layout;
use catalog::{Catalog, Image, Platform, Selection};
use engines::load::{Destination, Sent, State, Step, Wanted};
use serde_json::json;

use crate::{
    boxed::until_interrupted,
    flags::{Global, LoadArgs, LoadTo},
    images::{not_built, one_platform},
    interrupt,
    platform::oci,
    report::{
        progress::Board,
        text::{bytes, count, duration, table},
    },
    workspace::Workspace,
};

/// How often a line is said of an archive on its way, where lines do not move.
const SILENCE: Duration = Duration::from_secs(10);

pub(crate) fn run(global: &Global, args: &LoadArgs) -> Result<ExitCode> {
    let workspace = Workspace::find(global)?;
    let catalog = workspace.catalog()?;
    let chosen = Selection::from(&args.select).chosen(&catalog)?;
    let destination = destination(args)?;
    let platform = one_platform(&catalog, args.platform.as_ref())?;
    let (layout, wanted) = wanted(&workspace, &catalog, platform, &chosen, args.select.images.is_empty())?;
    let target =
        destination.probe().map_err(|problems| anyhow::anyhow!("{destination} cannot take images\n{problems}"))?;
    let found = target.look(&wanted)?;
    let steps = target.steps(&layout, &wanted, &found);
    if args.dry_run {
        steps.iter().for_each(|step| println!("{}", described(step, &wanted)));
        return Ok(ExitCode::SUCCESS);
    }
    let board = Board::new();
    let begin = Instant::now();
    for step in &steps {
        let shown = described(step, &wanted);
        board.say(&format!("running   {shown}"));
        let line = board.step(&destination.to_string(), &shown);
        let meter = Meter::new(&board, &line, step.bytes(&wanted));
        let taken = until_interrupted(|cancel| target.take(step, &layout, &wanted, &|sent| meter.sent(sent), cancel))?;
        drop(line);
        match taken {
            Err(_) if interrupt::is_set() => bail!("interrupted; what is there by now is not sent again"),
            taken => taken.with_context(|| format!("loading into {destination}"))?,
        }
    }
    // An engine may say that all is well, and lie: it is asked again.
    let states = if steps.is_empty() { found.states.clone() } else { target.look(&wanted)?.states };
    report(args, &destination, &wanted, &found.states, &states, begin.elapsed())
}

fn destination(args: &LoadArgs) -> Result<Destination> {
    let namespace = || args.namespace.clone().unwrap_or_else(|| "k8s.io".to_owned());
    let only = |flag: &str, given: bool, takers: &[LoadTo]| match given && !takers.contains(&args.to) {
        true => bail!("{flag} says nothing to {}", args.to.name()),
        false => Ok(()),
    };
    only("--namespace", args.namespace.is_some(), &[LoadTo::Containerd, LoadTo::K3s])?;
    only("--cluster", args.cluster.is_some(), &[LoadTo::Minikube, LoadTo::Kind])?;
    let cluster = |usual: &str| args.cluster.clone().unwrap_or_else(|| usual.to_owned());
    Ok(match args.to {
        LoadTo::Docker => Destination::Docker,
        LoadTo::Podman => Destination::Podman,
        LoadTo::Containerd => Destination::Containerd { namespace: namespace() },
        LoadTo::Minikube => Destination::Minikube { profile: cluster("minikube") },
        LoadTo::Kind => Destination::Kind { cluster: cluster("kind") },
        LoadTo::K3s => Destination::K3s { namespace: namespace() },
    })
}

/// The images in the layout. Without a word, all that are built; what was named must be.
fn wanted(
    workspace: &Workspace,
    catalog: &Catalog,
    platform: Platform,
    chosen: &[&Image],
    all: bool,
) -> Result<(Layout, Vec<Wanted>)> {
    let first = chosen.first().context("no image is chosen")?;
    let layout = workspace.open_layout().with_context(|| not_built(catalog, first, platform))?;
    let on = oci(platform);
    let mut wanted = Vec::new();
    for image in chosen {
        match layout.lookup_for(&image.reference.to_string(), &on)? {
            Some(found) => {
                wanted.push(Wanted::new(&layout, found, image.references().map(ToString::to_string).collect())?);
            }
            None if all => {}
            None => bail!(not_built(catalog, image, platform)),
        }
    }
    if wanted.is_empty() {
        bail!("no image is built\nto build them: cargo xtask build-layers");
    }
    Ok((layout, wanted))
}

/// A call, and what it reads.
fn described(step: &Step, wanted: &[Wanted]) -> String {
    match step {
        Step::Call { .. } => step.shown(),
        Step::Archive { images, there, .. } => {
            let layers = |index: &usize| wanted[*index].manifest.layers.iter().map(|layer| layer.digest);
            let layers: std::collections::BTreeSet<_> = images.iter().flat_map(layers).collect();
            let left = layers.intersection(there).count();
            format!(
                "{}  # {}: {} of {}, {}",
                step.shown(),
                count(images.len(), "image"),
                layers.len() - left,
                count(layers.len(), "layer"),
                bytes(step.bytes(wanted).unwrap_or(0))
            )
        }
    }
}

fn report(
    args: &LoadArgs,
    destination: &Destination,
    wanted: &[Wanted],
    before: &[State],
    after: &[State],
    elapsed: Duration,
) -> Result<ExitCode> {
    let state = |index: usize| match (&before[index], &after[index]) {
        (State::There, State::There) => "there",
        (State::Unnamed(..), State::There) => "named",
        (State::Absent, State::There) => "loaded",
        _ => "MISSING",
    };
    let name = |wanted: &Wanted| wanted.names.first().cloned().unwrap_or_default();
    if args.json {
        let images: Vec<_> = wanted
            .iter()
            .enumerate()
            .map(|(index, image)| {
                json!({
                    "image": name(image),
                    "also": image.names.get(1..).unwrap_or_default(),
                    "digest": image.image.digest,
                    "id": image.manifest.config.digest,
                    "state": state(index),
                })
            })
            .collect();
        println!("{}", serde_json::to_string_pretty(&images)?);
    } else {
        let row = |(index, image): (usize, &Wanted)| {
            let id = image.manifest.config.digest.short();
            vec![name(image), id, state(index).to_owned()]
        };
        let rows: Vec<Vec<String>> = wanted.iter().enumerate().map(row).collect();
        print!("{}", table(&["IMAGE", "ID", "STATE"], &rows, &[]));
        println!("images: in {destination}, {}", duration(elapsed));
    }
    if (0..wanted.len()).any(|index| state(index) == "MISSING") {
        bail!("{destination} said that all is well, and has not all of these images");
    }
    Ok(ExitCode::SUCCESS)
}

/// Progress of an archive.
struct Meter<'a> {
    board: &'a Board,
    line: &'a crate::report::progress::Step<'a>,
    total: Option<u64>,
    begin: Instant,
    spoke: Mutex<Instant>,
}

impl<'a> Meter<'a> {
    fn new(board: &'a Board, line: &'a crate::report::progress::Step<'a>, total: Option<u64>) -> Self {
        let now = Instant::now();
        Self { board, line, total, begin: now, spoke: Mutex::new(now) }
    }

    fn sent(&self, sent: Sent) {
        let count = match sent {
            Sent::Bytes(count) => count,
            Sent::Again => {
                self.board.say("it lacks a layer that it seemed to have: sending all of them");
                return;
            }
        };
        let rate = count as f64 / self.begin.elapsed().as_secs_f64().max(0.001);
        let of = self.total.filter(|total| count <= *total).map_or_else(String::new, |total| {
            let left = Duration::from_secs_f64((total - count) as f64 / rate.max(1.0));
            format!(" of {}, {} left", bytes(total), duration(left))
        });
        let text = format!("{}{of}, {}/s", bytes(count), bytes(rate as u64));
        self.line.now(&text);
        let mut spoke = self.spoke.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.board.is_live() && spoke.elapsed() >= SILENCE {
            *spoke = Instant::now();
            self.board.say(&format!("sending   {text}"));
        }
    }
}
