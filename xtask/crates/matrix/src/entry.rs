//! What a workflow is told of a job: docs/ci.md, "One entry".

use blob::Digest;
use catalog::Runners;
use serde::Serialize;

use crate::{graph::Graph, partition::Job};

/// A job, as a workflow reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The job.
    pub id: String,
    /// The level of the job in the whole graph.
    pub level: usize,
    /// Ids of jobs of this matrix that hold parents of its images.
    pub needs: Vec<String>,
    /// Version of Spark; empty for images of none.
    pub spark: String,
    /// Version of Scala; empty for images of no Spark.
    pub scala: String,
    /// `linux/amd64`
    pub platform: String,
    /// `release` or `source`.
    pub origin: String,
    /// What it builds, parents first.
    pub images: Vec<String>,
    /// Keys for the caches of the CI system.
    pub cache: Cache,
    /// Estimated minutes, at least 1.
    pub minutes: u64,
    /// `last-run` or `bytes`.
    pub estimate: &'static str,
    /// Minutes after which something is wrong.
    pub timeout: u64,
    /// Labels or tags of the runner.
    pub runner: Vec<String>,
    /// Those of the images that have checks.
    pub smoke: Vec<String>,
    /// The command that does all of it.
    pub command: String,
}

/// Keys for caches: hexadecimal digits of SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cache {
    /// Of the result.
    pub images: String,
    /// Of the fetched files.
    pub files: String,
    /// Of the compiled Spark.
    pub spark: Option<String>,
}

/// What an estimate is made of besides the seconds of the builds.
#[derive(Debug, Clone, Copy)]
pub struct Rates {
    /// Minutes that a job takes besides building and testing.
    pub job_minutes: u64,
    /// Seconds of one smoke run.
    pub smoke_seconds: u64,
}

/// The entries of these jobs. `command` gives the command of a job from its id and origin.
///
/// # Errors
/// The table names no runner of this name.
pub fn entries(
    graph: &Graph,
    jobs: &[Job],
    rates: Rates,
    runners: &Runners,
    command: impl Fn(&str, &str) -> String,
) -> Result<Vec<Entry>, String> {
    jobs.iter()
        .map(|job| {
            let nodes = || job.images.iter().map(|&image| &graph.nodes()[image]);
            let Some(first) = nodes().next() else { return Err(format!("the job {} has no image", job.id)) };
            let summed = |digests: Vec<Digest>| -> String {
                match digests.as_slice() {
                    [one] => one.hex(),
                    many => {
                        Digest::of(many.iter().map(|digest| digest.to_string() + "\n").collect::<String>().as_bytes())
                            .hex()
                    }
                }
            };
            let compiled: Vec<Digest> = nodes().filter_map(|node| node.distribution).collect();
            let runs: u32 = nodes().map(|node| node.smoke_runs).sum();
            let seconds: f64 =
                nodes().map(|node| node.seconds).sum::<f64>() + f64::from(runs) * rates.smoke_seconds as f64;
            let minutes = ((seconds / 60.0).ceil() as u64 + rates.job_minutes).max(1);
            let named = nodes().find_map(|node| node.runner.as_deref());
            // With `--group-by version` or `level` every image has the same Spark, or none has one.
            let spark = nodes().find(|node| node.spark.is_some()).unwrap_or(first);
            let images = || nodes().map(|node| node.image.clone());
            Ok(Entry {
                id: job.id.clone(),
                level: job.level,
                needs: job.needs.iter().map(|&need| jobs[need].id.clone()).collect(),
                spark: spark.spark.clone().unwrap_or_default(),
                scala: spark.scala.clone().unwrap_or_default(),
                platform: first.platform.clone(),
                origin: spark.origin.clone(),
                images: images().collect(),
                cache: Cache {
                    images: summed(nodes().filter_map(|node| node.state.key).collect()),
                    files: summed(nodes().map(|node| node.files).collect()),
                    spark: (!compiled.is_empty()).then(|| summed(compiled)),
                },
                minutes,
                estimate: if nodes().all(|node| node.measured) { "last-run" } else { "bytes" },
                timeout: (3 * minutes).max(30),
                runner: runners.labels(&first.platform, named)?.to_vec(),
                smoke: nodes().filter(|node| node.tested).map(|node| node.image.clone()).collect(),
                command: command(&job.id, &spark.origin),
            })
        })
        .collect()
}
