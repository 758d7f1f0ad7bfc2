//! Random graphs, random changes: what must hold for all of them.

use std::collections::{BTreeMap, BTreeSet};

use blob::Digest;
use catalog::{
    Decision, Github, Gitlab, Image, ImageRef, Inputs, Plan, Platform, Record, Runners, Smoke, fingerprints,
};
use matrix::{Before, Graph, GroupBy, Job, Node, Rates, State, affected, entries, fit, keep, partition, render};
use proptest::prelude::*;

/// An image as it is drawn: which of the images before it are its parents, its Spark, and its inputs.
#[derive(Debug, Clone)]
struct Drawn {
    parents: Vec<usize>,
    spark: Option<u8>,
    /// Each input has a value, of which a build uses the half: half of all changes make no difference.
    inputs: BTreeMap<u8, u8>,
    blocked: bool,
}

fn drawn(images: usize) -> impl Strategy<Value = Vec<Drawn>> {
    let one = (
        prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        prop::option::of(0..3_u8),
        prop::collection::btree_map(0..6_u8, any::<u8>(), 0..4),
        prop::bool::weighted(0.1),
    );
    prop::collection::vec(one, 0..images).prop_map(|all| {
        let place = |(place, (parents, spark, inputs, blocked)): (usize, (Vec<prop::sample::Index>, _, _, _))| {
            let parents: BTreeSet<usize> =
                parents.iter().filter(|_| place > 0).map(|index| index.index(place.max(1))).collect();
            Drawn { parents: parents.into_iter().collect(), spark, inputs, blocked }
        };
        all.into_iter().enumerate().map(place).collect()
    })
}

/// What happens to an input of an image: it gets a value, or it goes.
type Change = (prop::sample::Index, u8, Option<u8>);

fn changes() -> impl Strategy<Value = Vec<Change>> {
    prop::collection::vec((any::<prop::sample::Index>(), 0..6_u8, prop::option::of(any::<u8>())), 0..6)
}

/// The images after the changes, and the places of those whose inputs are others.
fn changed(before: &[Drawn], changes: &[Change]) -> (Vec<Drawn>, BTreeSet<usize>) {
    let mut after = before.to_vec();
    for (index, input, value) in changes.iter().filter(|_| !before.is_empty()) {
        let inputs = &mut after[index.index(before.len())].inputs;
        match value {
            Some(value) => inputs.insert(*input, *value),
            None => inputs.remove(input),
        };
    }
    let touched = (0..after.len()).filter(|&place| after[place].inputs != before[place].inputs).collect();
    (after, touched)
}

fn image(place: usize, drawn: &Drawn) -> Image {
    let reference = |place: usize| ImageRef { name: format!("image-{place}"), tag: "1".into() };
    Image {
        reference: reference(place),
        also: Vec::new(),
        id: format!("image-{place}"),
        about: String::new(),
        spark: drawn.spark.map(|spark| format!("3.5.{spark}")),
        variant: None,
        group: None,
        file: String::new(),
        dockerfile: String::new(),
        target: None,
        network: false,
        parents: drawn.parents.iter().map(|&parent| (format!("P{parent}"), reference(parent))).collect(),
        args: BTreeMap::new(),
        labels: BTreeMap::new(),
        stages: Vec::new(),
        smoke: Smoke::default(),
        own_smoke: Smoke::default(),
    }
}

fn own(drawn: &Drawn) -> Inputs {
    let mut inputs = Inputs::default();
    drawn.inputs.iter().for_each(|(name, value)| inputs.add(format!("input {name}"), value));
    inputs
}

fn graph(all: &[Drawn]) -> Graph {
    let images: Vec<Image> = all.iter().enumerate().map(|(place, drawn)| image(place, drawn)).collect();
    let references: Vec<&Image> = images.iter().collect();
    let place = |image: &Image| images.iter().position(|other| other.reference == image.reference).unwrap();
    let known = fingerprints(&references, |image| Ok::<_, ()>(own(&all[place(image)]))).unwrap();
    let node = |(image, drawn): (&Image, &Drawn)| {
        let (inputs, key) = &known[&image.reference];
        Node {
            image: image.reference.to_string(),
            platform: "linux/amd64".into(),
            // The same for several, so that ids have to be told apart.
            kind: format!("kind {}", place(image) % 7),
            suffix: String::new(),
            spark: image.spark.clone(),
            scala: None,
            origin: "release".into(),
            parents: drawn.parents.clone(),
            state: State { key: Some(*key), own: inputs.own(), proof: Inputs::default() },
            files: *key,
            distribution: None,
            blocked: if drawn.blocked { vec!["why".into()] } else { Vec::new() },
            seconds: 1.0,
            measured: false,
            smoke_runs: 1,
            tested: true,
            runner: None,
        }
    };
    Graph::new(images.iter().zip(all).map(node).collect()).unwrap()
}

fn before(graph: &Graph) -> Before {
    graph.nodes().iter().map(|node| ((node.platform.clone(), node.image.clone()), node.state.clone())).collect()
}

/// The images and all that stand on one of them.
fn descendants(all: &[Drawn], roots: &BTreeSet<usize>) -> BTreeSet<usize> {
    let mut reached = roots.clone();
    for (place, drawn) in all.iter().enumerate() {
        if drawn.parents.iter().any(|parent| reached.contains(parent)) {
            reached.insert(place);
        }
    }
    reached
}

/// What a build makes of an image: half of each input, and what its parents came out as.
fn made(drawn: &Drawn, parents: &[Digest]) -> Digest {
    let inputs: Vec<String> = drawn.inputs.iter().map(|(name, value)| format!("{name}={}", value / 2)).collect();
    Digest::of(format!("{inputs:?} {parents:?}").as_bytes())
}

/// Builds what the records do not hold already, as the scheduler does: the digests, the records, and what was built.
fn build(
    images: &[Image],
    all: &[Drawn],
    records: &BTreeMap<ImageRef, Record>,
) -> (Vec<Digest>, BTreeMap<ImageRef, Record>, BTreeSet<usize>) {
    let references: Vec<&Image> = images.iter().collect();
    let place = |image: &Image| images.iter().position(|other| other.reference == image.reference).unwrap();
    let record = |image: &Image| records.get(&image.reference).cloned();
    let plan = Plan::new(
        Platform::Amd64,
        &references,
        &BTreeMap::new(),
        |image| own(&all[place(image)]),
        |image| record(image).map(Ok),
    );
    let mut digests: BTreeMap<&ImageRef, Digest> = BTreeMap::new();
    let (mut kept, mut built) = (BTreeMap::new(), BTreeSet::new());
    for (index, planned) in plan.images.iter().enumerate() {
        let (decision, inputs) = planned.settle(&digests, record(planned.image));
        let digest = match decision {
            Decision::Cached(digest) => digest,
            Decision::Build(_) => {
                built.insert(index);
                let parents: Vec<Digest> = planned.image.parents.values().map(|parent| digests[parent]).collect();
                made(&all[index], &parents)
            }
            Decision::Blocked(reasons) => panic!("{reasons:?}"),
        };
        digests.insert(&planned.image.reference, digest);
        kept.insert(planned.image.reference.clone(), Record { inputs, manifest: digest });
    }
    (images.iter().map(|image| digests[&image.reference]).collect(), kept, built)
}

fn check_partition(graph: &Graph, jobs: &[Job], wanted: &[bool]) -> Result<(), TestCaseError> {
    let mut holder: BTreeMap<usize, usize> = BTreeMap::new();
    for (place, job) in jobs.iter().enumerate() {
        prop_assert!(!job.images.is_empty());
        for &image in &job.images {
            prop_assert_eq!(holder.insert(image, place), None, "image {} is in two jobs", image);
        }
        prop_assert!(job.images.is_sorted());
    }
    let wanted: BTreeSet<usize> = (0..wanted.len()).filter(|&place| wanted[place]).collect();
    prop_assert_eq!(&holder.keys().copied().collect::<BTreeSet<_>>(), &wanted);
    for (place, job) in jobs.iter().enumerate() {
        let mut needed = BTreeSet::new();
        for &image in &job.images {
            for parent in graph.nodes()[image].parents.iter().filter(|parent| wanted.contains(parent)) {
                let other = holder[parent];
                prop_assert!(other <= place, "a parent is in a later job");
                if other < place {
                    prop_assert!(jobs[other].level < job.level, "a parent is in a job of the same level");
                    needed.insert(other);
                }
            }
        }
        prop_assert_eq!(&job.needs, &needed.into_iter().collect::<Vec<_>>());
    }
    let ids: BTreeSet<&str> = jobs.iter().map(|job| job.id.as_str()).collect();
    prop_assert_eq!(ids.len(), jobs.len());
    let is_safe = |id: &&str| {
        id.starts_with(|c: char| c.is_ascii_alphanumeric())
            && id.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    };
    prop_assert!(ids.iter().all(is_safe), "{:?}", ids);
    Ok(())
}

fn limits(jobs: u64, needs: u64, bytes: u64) -> (Github, Gitlab) {
    let runners = Runners([("linux/amd64".to_owned(), vec!["r".to_owned()])].into());
    let github =
        Github { runners: runners.clone(), actions: Default::default(), jobs_per_matrix: jobs, output_bytes: bytes };
    let image = "rust:1".to_owned();
    (github, Gitlab { runners, needs_per_job: needs, jobs_per_pipeline: jobs, yaml_bytes: bytes, image })
}

const RATES: Rates = Rates { job_minutes: 1, smoke_seconds: 1 };

proptest! {
    #[test]
    fn the_affected_images_are_the_changed_ones_and_all_on_top(all in drawn(40), changes in changes()) {
        let (after, touched) = changed(&all, &changes);
        let (old, new) = (graph(&all), graph(&after));
        let because = affected(&new, &before(&old));
        let found: BTreeSet<usize> = (0..because.len()).filter(|&place| because[place].is_some()).collect();
        prop_assert_eq!(&found, &descendants(&after, &touched));
        for (place, because) in because.iter().enumerate() {
            let Some(because) = because else { continue };
            prop_assert_eq!(!because.changes.is_empty(), touched.contains(&place));
            prop_assert!(touched.contains(&because.root), "the root of {} is not changed itself", place);
            let affected_parents: Vec<usize> =
                after[place].parents.iter().copied().filter(|parent| found.contains(parent)).collect();
            prop_assert_eq!(&because.through, &affected_parents);
        }
    }

    #[test]
    fn what_comes_out_otherwise_is_affected_and_what_stands_on_the_same_is_not_built(all in drawn(30), changes in changes()) {
        let (after, touched) = changed(&all, &changes);
        let images: Vec<Image> = all.iter().enumerate().map(|(place, drawn)| image(place, drawn)).collect();
        let (old, records, built) = build(&images, &all, &BTreeMap::new());
        prop_assert_eq!(built.len(), all.len());
        let (new, _, built) = build(&images, &after, &records);
        let because = affected(&graph(&after), &before(&graph(&all)));
        for place in 0..all.len() {
            let parents = || after[place].parents.iter();
            prop_assert!(old[place] == new[place] || because[place].is_some(), "{} changed, and is not affected", place);
            prop_assert!(!built.contains(&place) || because[place].is_some(), "{} was built, and is not affected", place);
            // Early cut-off: it is built if its own inputs changed or a parent came out otherwise, and only then.
            let has_cause = touched.contains(&place) || parents().any(|&parent| old[parent] != new[parent]);
            prop_assert_eq!(built.contains(&place), has_cause);
        }
        // And a whole build of what is affected gives what a build of everything gives.
        prop_assert_eq!(new, build(&images, &after, &BTreeMap::new()).0);
    }

    #[test]
    fn jobs_are_a_partition_whatever_is_left_out(all in drawn(40), left_out in prop::collection::vec(any::<bool>(), 40)) {
        let graph = graph(&all);
        for by in GroupBy::ALL {
            let jobs = partition(&graph, by);
            check_partition(&graph, &jobs, &vec![true; all.len()])?;
            let wanted: Vec<bool> = (0..all.len()).map(|place| !left_out[place] && !all[place].blocked).collect();
            let kept = keep(&graph, &jobs, &wanted);
            check_partition(&graph, &kept, &wanted)?;
            // What is left out changes neither ids nor levels.
            for job in &kept {
                let whole = jobs.iter().find(|other| other.id == job.id).unwrap();
                prop_assert_eq!(whole.level, job.level);
                prop_assert!(job.images.iter().all(|image| whole.images.contains(image)));
            }
        }
    }

    #[test]
    fn a_chain_is_what_no_other_job_could_begin_between(all in drawn(40)) {
        let graph = graph(&all);
        let mut children = vec![0; all.len()];
        all.iter().flat_map(|drawn| &drawn.parents).for_each(|&parent| children[parent] += 1);
        let jobs = partition(&graph, GroupBy::Chain);
        let job_of = |image: usize| jobs.iter().position(|job| job.images.contains(&image));
        for (place, drawn) in all.iter().enumerate() {
            for &parent in &drawn.parents {
                let together = drawn.parents.len() == 1 && children[parent] == 1 && all[parent].spark == drawn.spark;
                prop_assert_eq!(job_of(place) == job_of(parent), together);
            }
        }
    }

    #[test]
    fn what_is_printed_keeps_the_limits_and_loses_no_image(
        all in drawn(60), jobs in 1..20_u64, needs in 1..6_u64, bytes in 1000..60_000_u64,
    ) {
        let graph = graph(&all);
        let wanted: Vec<bool> = all.iter().map(|drawn| !drawn.blocked).collect();
        let names: BTreeSet<String> = graph.nodes().iter().filter(|node| node.blocked.is_empty()).map(|node| node.image.clone()).collect();
        let (github, gitlab) = limits(jobs, needs, bytes);
        let grouped = |by| {
            let whole = partition(&graph, by);
            let levels = whole.iter().map(|job| job.level + 1).max().unwrap_or(0);
            let kept = keep(&graph, &whole, &wanted);
            (levels, entries(&graph, &kept, RATES, &github.runners, |id, _| format!("run {id}")).unwrap())
        };
        for asked in GroupBy::ALL {
            let fitted = fit(asked, |by| {
                let (levels, entries) = grouped(by);
                render::github(&entries, by, levels, &github)
            });
            if let Ok((by, printed, _)) = fitted {
                prop_assert!(by >= asked);
                let size: usize = printed.outputs().iter().map(|(name, value)| name.len() + value.encode_utf16().count()).sum();
                prop_assert!(2 * size as u64 <= bytes);
                let matrix: serde_json::Value = serde_json::from_str(&printed.matrix).unwrap();
                let lists: Vec<&serde_json::Value> = match by {
                    GroupBy::Version => vec![&matrix["include"]],
                    _ => matrix.as_object().unwrap().values().map(|level| &level["include"]).collect(),
                };
                let mut found = Vec::new();
                for list in &lists {
                    let list = list.as_array().unwrap();
                    prop_assert!(list.len() as u64 <= jobs);
                    let images = list.iter().flat_map(|entry| entry["images"].as_array().unwrap());
                    found.extend(images.map(|image| image.as_str().unwrap().to_owned()));
                }
                prop_assert_eq!(found.len(), names.len());
                prop_assert_eq!(&found.into_iter().collect::<BTreeSet<_>>(), &names);
                prop_assert_eq!(printed.empty, names.is_empty());
                if by != GroupBy::Version {
                    let filled: Vec<String> = serde_json::from_str(&printed.levels).unwrap();
                    for (level, list) in matrix.as_object().unwrap() {
                        prop_assert_eq!(filled.contains(level), !list["include"].as_array().unwrap().is_empty());
                    }
                }
            } else {
                let (levels, entries) = grouped(GroupBy::Version);
                prop_assert!(render::github(&entries, GroupBy::Version, levels, &github).is_err());
            }
            let fitted = fit(asked, |by| {
                let (_, entries) = grouped(by);
                render::gitlab(&entries, &gitlab).map(|yaml| (entries, yaml))
            });
            if let Ok((_, (entries, yaml), _)) = fitted {
                prop_assert!(entries.len() as u64 <= jobs && yaml.len() as u64 <= bytes);
                prop_assert!(entries.iter().all(|entry| entry.needs.len() as u64 <= needs));
                let found: BTreeSet<String> = entries.iter().flat_map(|entry| entry.images.clone()).collect();
                prop_assert_eq!(&found, &names);
                for entry in &entries {
                    prop_assert_eq!(yaml.matches(&format!("\n\"{}\":\n", entry.id)).count(), 1);
                }
            }
        }
    }
}
