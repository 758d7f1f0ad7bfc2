//! The job files, with modes that every user of an image can read, and how each of them wants to be run.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _, time::Duration};

use anyhow::{Context as _, Result, bail};
use blob::Digest;
use camino::{Utf8Path, Utf8PathBuf};

use super::temporary::Temporary;
use crate::workspace::Workspace;

/// Where the jobs are seen in an image.
pub(crate) const IN_IMAGE: &str = "/opt/smoke";
/// Where Spark's event logs are put in an image, for the report.
pub(crate) const EVENTS: &str = "/opt/smoke-events";

/// Where Spark defaults lie that come after all of an image's own.
pub(crate) const DEFAULTS: &str = "/opt/spark/image-conf/spark-defaults.d/99-smoke.conf";

/// A copy of the jobs and what they read, removed when it is dropped.
pub(crate) struct Jobs {
    folder: Temporary,
}

/// How a job wants to be run: the words behind `# smoke:` in one of its first lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wishes {
    /// As root.
    pub(crate) root: bool,
    /// With a root filesystem that takes changes; they are gone afterwards.
    pub(crate) writable: bool,
    /// With `docker/smoke/conf` mounted read-only here.
    pub(crate) conf: Option<Utf8PathBuf>,
    /// With a GPU, where there is one.
    pub(crate) gpu: bool,
    /// With these services at hand.
    pub(crate) services: Vec<String>,
    /// With empty folders in memory here.
    pub(crate) tmpfs: Vec<Utf8PathBuf>,
    /// The checks that it reports; one of its own name, if there are none.
    pub(crate) checks: Vec<String>,
    /// Bytes of memory that it needs.
    pub(crate) memory: u64,
    /// After this time it is stuck.
    pub(crate) time: Duration,
}

impl Default for Wishes {
    /// One JVM with its Python processes; five minutes on a machine that has other things to do.
    fn default() -> Self {
        Self {
            root: false,
            writable: false,
            conf: None,
            gpu: false,
            services: Vec::new(),
            tmpfs: Vec::new(),
            checks: Vec::new(),
            memory: 1 << 30,
            time: Duration::from_secs(300),
        }
    }
}

impl Wishes {
    /// How the session wants to be run that all checks of an image share.
    pub(crate) fn session() -> Self {
        Self { time: Duration::from_secs(600), ..Self::default() }
    }
}

impl Jobs {
    /// Copies the jobs. A checkout may lie where only its owner can read.
    pub(crate) fn stage(workspace: &Workspace) -> Result<Self> {
        let folder = Temporary::new(&std::env::temp_dir()).context("making a folder for the smoke jobs")?;
        let jobs = Self { folder };
        for name in ["jobs", "conf"] {
            let target = jobs.path().join(name);
            make_folder(&target).with_context(|| format!("making {target}"))?;
            let source = workspace.path("docker/smoke").join(name);
            // Not every checkout has a conf/.
            if source.exists() {
                copy(&source, &target)?;
            }
        }
        Ok(jobs)
    }

    /// A file of Spark defaults with these settings.
    pub(crate) fn defaults(&self, settings: &BTreeMap<String, String>) -> Result<Utf8PathBuf> {
        let text: String = settings.iter().map(|(key, value)| format!("{key} {value}\n")).collect();
        let path = self.path().join(format!("defaults-{}.conf", Digest::of(text.as_bytes()).hex()));
        blob::write(&path, text.as_bytes()).with_context(|| format!("writing {path}"))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644))
            .with_context(|| format!("opening {path} to all"))?;
        Ok(path)
    }

    /// Where the copy lies.
    pub(crate) fn path(&self) -> &Utf8Path {
        self.folder.path()
    }

    /// How the job in this file wants to be run.
    pub(crate) fn wishes(&self, job: &str) -> Result<Wishes> {
        let path = self.path().join("jobs").join(job);
        let text = fs::read_to_string(&path).with_context(|| format!("reading docker/smoke/jobs/{job}"))?;
        let line = text.lines().take(8).find_map(|line| line.strip_prefix("# smoke:"));
        wishes(line.unwrap_or_default()).with_context(|| format!("reading docker/smoke/jobs/{job}"))
    }
}

fn wishes(words: &str) -> Result<Wishes> {
    let mut wishes = Wishes::default();
    for word in words.split_whitespace() {
        let value = |key: &str| word.strip_prefix(key)?.strip_prefix('=').filter(|value| !value.is_empty());
        let known = if word == "root" {
            wishes.root = true;
            Some(())
        } else if word == "writable" {
            wishes.writable = true;
            Some(())
        } else if word == "gpu" {
            wishes.gpu = true;
            Some(())
        } else if let Some(path) = value("conf") {
            wishes.conf = Some(path.into());
            Some(())
        } else if let Some(paths) = value("tmpfs") {
            wishes.tmpfs = paths.split(',').map(Into::into).collect();
            Some(())
        } else if let Some(name) = value("service") {
            wishes.services.push(name.to_owned());
            Some(())
        } else if let Some(names) = value("checks") {
            wishes.checks = names.split(',').map(str::to_owned).collect();
            Some(())
        } else if let Some(size) = value("memory") {
            size_of(size).map(|size| wishes.memory = size)
        } else if let Some(seconds) = value("seconds") {
            seconds.parse().ok().map(|seconds| wishes.time = Duration::from_secs(seconds))
        } else {
            None
        };
        if known.is_none() {
            bail!(
                "`# smoke:{words}` has the word `{word}`; known words are `root`, `writable`, `gpu`, `conf=PATH`, `service=NAME`, \
                 `tmpfs=PATH,...`, `checks=NAME,...`, `memory=2g` (or `1500m`) and `seconds=N`"
            );
        }
    }
    Ok(wishes)
}

/// `2g` or `1500m`, in bytes.
fn size_of(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let shift = match unit {
        "g" => 30,
        "m" => 20,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

fn copy(from: &Utf8Path, to: &Utf8Path) -> Result<()> {
    for entry in from.read_dir_utf8().with_context(|| format!("reading {from}"))? {
        let entry = entry.with_context(|| format!("reading {from}"))?;
        let target = to.join(entry.file_name());
        let doing = || format!("copying {} to {target}", entry.path());
        if entry.file_type().with_context(doing)?.is_dir() {
            make_folder(&target).with_context(doing)?;
            copy(entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target).with_context(doing)?;
            fs::set_permissions(&target, fs::Permissions::from_mode(0o755)).with_context(doing)?;
        }
    }
    Ok(())
}

fn make_folder(path: &Utf8Path) -> std::io::Result<()> {
    fs::create_dir(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_says_how_it_wants_to_be_run() {
        let expected = Wishes {
            root: true,
            writable: true,
            conf: Some("/opt/spark/conf".into()),
            gpu: true,
            services: vec!["s3".to_owned(), "kafka".to_owned()],
            tmpfs: vec!["/a".into(), "/b".into()],
            checks: vec!["one".to_owned(), "two".to_owned()],
            memory: 1500 << 20,
            time: Duration::from_secs(60),
        };
        let words = " root writable gpu conf=/opt/spark/conf service=s3 service=kafka tmpfs=/a,/b checks=one,two memory=1500m seconds=60";
        assert_eq!(wishes(words).unwrap(), expected);
        assert_eq!(wishes("memory=2g").unwrap().memory, 2 << 30);
        assert_eq!(wishes("").unwrap(), Wishes::default());
        for wrong in ["as root", "conf=", "memory=2", "memory=g", "memory=99999999999999g", "seconds=soon"] {
            let error = wishes(wrong).unwrap_err().to_string();
            assert!(error.contains("known words are"), "{wrong}: {error}");
        }
    }
}
