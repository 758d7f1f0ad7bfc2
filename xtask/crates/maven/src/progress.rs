//! How far a compile is, and how long it will go on.
//!
//! A function of what was read, of the time that has passed, and of the times of an earlier run.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::output::{Outcome, Phase, Reader};

/// How long the modules took in an earlier run: name of the module to seconds. Names carry no version, so the times of
/// one Spark version are a fair guess for another.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Times {
    /// Name of the module to seconds.
    pub seconds: BTreeMap<String, f64>,
}

impl Times {
    /// What a run has shown, finished or not.
    pub fn of(reader: &Reader) -> Self {
        let built = reader.finished().iter().filter(|module| module.outcome == Outcome::Success);
        Self { seconds: built.filter_map(|module| Some((module.name.clone(), module.seconds?))).collect() }
    }

    /// These times, with those of a newer run in their place where it has any.
    pub fn updated(mut self, newer: Self) -> Self {
        self.seconds.extend(newer.seconds);
        self
    }

    /// The mean of all, for a module that is new; 1 where nothing is known.
    fn mean(&self) -> f64 {
        if self.seconds.is_empty() {
            return 1.0;
        }
        (self.seconds.values().sum::<f64>() / self.seconds.len() as f64).max(0.001)
    }
}

/// A moment of a compile. Its `Display` is one line.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// What the script is doing.
    pub phase: Phase,
    /// The module that was heard of last, and its number from 1.
    pub module: Option<(String, usize)>,
    /// That module's goal.
    pub goal: Option<String>,
    /// How many other modules are being built at the same time.
    pub others: usize,
    /// The number of modules, 0 before it is known.
    pub total: usize,
    /// Since the start of the script.
    pub elapsed: Duration,
    /// An estimate, where one can be made.
    pub left: Option<Duration>,
}

/// How far a compile is, `elapsed` after the start of the script.
pub fn progress(reader: &Reader, elapsed: Duration, times: &Times) -> Progress {
    let last = reader.running().last();
    Progress {
        phase: reader.phase(),
        module: last.map(|module| (module.name.clone(), module.number)),
        goal: last.and_then(|module| module.goal.clone()),
        others: reader.running().len().saturating_sub(1),
        total: reader.total(),
        elapsed,
        left: left(reader, elapsed, times),
    }
}

/// The estimate: what is left of the weights, at the speed that this run has shown so far against them.
fn left(reader: &Reader, elapsed: Duration, times: &Times) -> Option<Duration> {
    let began = match reader.phase() {
        Phase::Building => reader.began()?,
        Phase::Preparing | Phase::Collecting | Phase::Failed => return None,
    };
    let mean = times.mean();
    let weight = |name: &str| times.seconds.get(name).copied().unwrap_or(mean);
    let done: f64 = reader.finished().iter().map(|module| weight(&module.name)).sum();
    let running: f64 = reader.running().iter().map(|module| weight(&module.name)).sum();
    let all: f64 = reader.order().iter().map(|name| weight(name)).sum();
    let waiting = (all - done - running).max(0.0);
    let spent = reader.last_end().saturating_sub(began).as_secs_f64();
    let known = !times.seconds.is_empty();
    let speed = if done >= all / 20.0 && reader.finished().len() >= 3 {
        spent / done
    } else if known {
        1.0 / reader.threads() as f64
    } else {
        return None;
    };
    // A module that takes longer than before does not make the time left grow smaller than that of the waiting ones.
    let since = elapsed.saturating_sub(reader.last_end().max(began)).as_secs_f64();
    let left = ((waiting + running) * speed - since).max(waiting * speed);
    left.is_finite().then(|| Duration::from_secs_f64(left))
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.phase, &self.module) {
            (Phase::Preparing, _) => f.write_str("Maven reads the projects")?,
            (Phase::Collecting, _) => f.write_str("putting the distribution together")?,
            (Phase::Failed, _) => f.write_str("failed")?,
            (Phase::Building, None) => write!(f, "{} modules", self.total)?,
            (Phase::Building, Some((name, number))) => write!(f, "module {number} of {}: {name}", self.total)?,
        }
        if let (Phase::Building, Some(goal)) = (self.phase, &self.goal) {
            write!(f, ", {goal}")?;
        }
        if self.phase == Phase::Building && self.others > 0 {
            write!(f, " (and {} more)", self.others)?;
        }
        write!(f, ", {}", duration(self.elapsed))?;
        match self.left {
            Some(left) if left < Duration::from_secs(60) => f.write_str(", less than 1 min left"),
            Some(left) => write!(f, ", about {} left", rough(left)),
            None => Ok(()),
        }
    }
}

/// `45 s`, `3 min 10 s`, `1 h 2 min`.
fn duration(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// In minutes, and in steps of five from a quarter of an hour on.
fn rough(time: Duration) -> String {
    match time.as_secs().div_ceil(60) {
        minutes @ 0..15 => format!("{minutes} min"),
        minutes => match minutes.div_ceil(5) * 5 {
            minutes @ 0..60 => format!("{minutes} min"),
            minutes => format!("{} h {} min", minutes / 60, minutes % 60),
        },
    }
}
