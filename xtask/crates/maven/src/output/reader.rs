//! The state that the lines add up to.

use std::{collections::BTreeMap, time::Duration};

use super::{
    advice::{self, Advice},
    failure::{self, Errors, Failure},
    line::{self, Level, Outcome},
};

/// What the script is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Asking Maven for versions, or Maven reading its projects. Nothing is printed for a minute and more.
    Preparing,
    /// Maven goes through the modules.
    Building,
    /// Maven was successful; the script copies its results together.
    Collecting,
    /// Maven reported a failure.
    Failed,
}

/// A module that is being built.
#[derive(Debug, Clone, PartialEq)]
pub struct Running {
    /// The module's name: `Spark Project Core`.
    pub name: String,
    /// Its artifact id: `spark-core_2.12`; empty where Maven did not print it.
    pub artifact: String,
    /// It is the n-th to be started, from 1.
    pub number: usize,
    /// The goal at work, `scala:compile`, once there was one.
    pub goal: Option<String>,
    /// When it began, on the caller's clock.
    pub since: Duration,
    /// The number of the last line that spoke of it.
    heard: u64,
}

/// A module that was built, failed or was left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// The module's name.
    pub name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took, in seconds: Maven's own figure once there is a summary, else the time between the lines.
    pub seconds: Option<f64>,
    /// The last goal that it was heard in.
    pub goal: Option<String>,
}

/// Reads the output of a compile.
#[derive(Debug, Clone)]
pub struct Reader {
    phase: Phase,
    /// `mvn clean package` was announced by the script, or a second reactor began.
    announced: bool,
    order: Vec<String>,
    total: usize,
    threads: usize,
    began: Option<Duration>,
    /// Artifact of the header line that comes right before `Building ...`.
    header: Option<String>,
    running: Vec<Running>,
    finished: Vec<Finished>,
    last_end: Duration,
    /// Artifact id to module name, of all that were started.
    names: BTreeMap<String, String>,
    section: Section,
    lines: u64,
    errors: Errors,
    advice: Vec<(Advice, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Body,
    Order,
    Summary,
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl Reader {
    /// A reader that has heard nothing.
    pub fn new() -> Self {
        Self {
            phase: Phase::Preparing,
            announced: false,
            order: Vec::new(),
            total: 0,
            threads: 1,
            began: None,
            header: None,
            running: Vec::new(),
            finished: Vec::new(),
            last_end: Duration::ZERO,
            names: BTreeMap::new(),
            section: Section::Body,
            lines: 0,
            errors: Errors::default(),
            advice: Vec::new(),
        }
    }

    /// Takes the next line, which arrived `at` this time after the start of the script.
    pub fn push(&mut self, line: &str, at: Duration) {
        self.lines += 1;
        let (level, text) = line::split(line);
        if let Some(advice) = advice::recognise(&text)
            && !self.advice.iter().any(|(known, _)| *known == advice)
        {
            self.advice.push((advice, text.clone()));
        }
        match level {
            Some(Level::Info) => self.info(&text, at),
            Some(Level::Error) => self.error(&text),
            Some(Level::Warning) => {}
            None => self.plain(&text),
        }
        if level.is_some_and(|level| level != Level::Error) {
            self.errors.end_of_message();
        }
    }

    /// What the script is doing.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The modules being built, the one that was heard of last at the end. More than one only with `-T`.
    pub fn running(&self) -> &[Running] {
        &self.running
    }

    /// The modules that are done, in the order of their end. With `-T` Maven prints no end: a module counts as done when
    /// there are more than there are threads, and the summary corrects it.
    pub fn finished(&self) -> &[Finished] {
        &self.finished
    }

    /// The names of all modules in the order in which Maven goes through them; empty before it has said so.
    pub fn order(&self) -> &[String] {
        &self.order
    }

    /// The number of modules; 0 before it is known.
    pub fn total(&self) -> usize {
        self.total.max(self.order.len())
    }

    /// How many modules are built at once (`-T`).
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// When Maven began to go through the modules.
    pub fn began(&self) -> Option<Duration> {
        self.began
    }

    /// When the last module so far ended.
    pub fn last_end(&self) -> Duration {
        self.last_end
    }

    /// Why it failed. `exit` is the script's exit status, once known; 128 + n where signal n ended it. Nothing where it
    /// did not fail.
    pub fn failure(&self, exit: Option<i32>) -> Option<Failure> {
        if exit == Some(0) || (exit.is_none() && self.phase != Phase::Failed) {
            return None;
        }
        let mut advice = self.advice.clone();
        if let Some(by_exit) = advice::of_exit(exit, self.announced, self.errors.is_empty() && advice.is_empty()) {
            advice.retain(|(known, _)| *known != by_exit);
            advice.push((by_exit, String::new()));
        }
        let failed = self.finished.iter().filter(|module| module.outcome == Outcome::Failure);
        let mut failure = failure::of(&self.errors, &self.names, failed, advice);
        if failure.projects.is_empty() && self.phase == Phase::Building {
            failure.projects = self.running.iter().map(failure::interrupted).collect();
        }
        failure.collecting = self.phase == Phase::Collecting;
        failure.exit = exit;
        Some(failure)
    }

    /// A line that is not Maven's own: the script's, a compiler's, the shell's.
    fn plain(&mut self, text: &str) {
        if text == "Building with..." {
            self.restart();
            self.announced = true;
        } else if text.starts_with("Error: ") {
            self.errors.take(text);
        } else {
            self.errors.go_on(text);
        }
    }

    fn error(&mut self, text: &str) {
        self.errors.take(text);
        if text.starts_with("The build could not read ") {
            self.phase = Phase::Failed;
        }
    }

    fn info(&mut self, text: &str, at: Duration) {
        match text {
            "Scanning for projects..." => self.restart(),
            "Reactor Build Order:" => self.section = Section::Order,
            "BUILD SUCCESS" => {
                self.end_running(at, Outcome::Success);
                (self.phase, self.section) = (Phase::Collecting, Section::Body);
            }
            "BUILD FAILURE" => (self.phase, self.section) = (Phase::Failed, Section::Body),
            text if text.starts_with("Reactor Summary") => {
                self.end_running(at, Outcome::Success);
                self.section = Section::Summary;
            }
            text => self.other_info(text, at),
        }
    }

    /// A line that is no sign of where in its output Maven is.
    fn other_info(&mut self, text: &str, at: Duration) {
        if let Some(threads) =
            text.strip_prefix("Using the MultiThreadedBuilder implementation with a thread count of ")
        {
            self.threads = threads.parse().unwrap_or(1).max(1);
        }
        if let Some(artifact) = line::header(text) {
            self.section = Section::Body;
            self.header = Some(artifact.to_owned());
            return;
        }
        match self.section {
            Section::Order => self.order.extend(line::in_order(text).map(str::to_owned)),
            Section::Summary => self.summary(text),
            Section::Body => self.body(text, at),
        }
    }

    fn body(&mut self, text: &str, at: Duration) {
        if let Some((goal, artifact)) = line::goal(text) {
            self.goal(goal, artifact);
        } else if let (Some(artifact), Some((name, count))) = (self.header.take(), line::building(text)) {
            let (number, total) = count.unwrap_or((1, 1));
            self.start(name.to_owned(), artifact, number, total, at);
        }
    }

    fn start(&mut self, name: String, artifact: String, number: usize, total: usize, at: Duration) {
        self.phase = Phase::Building;
        self.began.get_or_insert(at);
        self.total = total;
        self.names.insert(artifact.clone(), name.clone());
        while self.running.len() >= self.threads {
            let ended = self.running.remove(0);
            self.end(ended, at, Outcome::Success);
        }
        let heard = self.lines;
        self.running.push(Running { name, artifact, number, goal: None, since: at, heard });
    }

    fn goal(&mut self, goal: String, artifact: &str) {
        if let Some(module) = self.running.iter_mut().find(|module| module.artifact == artifact) {
            module.goal = Some(goal);
            module.heard = self.lines;
            self.running.sort_by_key(|module| module.heard);
        }
    }

    fn summary(&mut self, text: &str) {
        let Some((name, outcome, seconds)) = line::summary(text) else { return };
        // A module of another version than its parent carries the version in the summary.
        let is = |known: &str| name.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
        let known = self.order.iter().filter(|known| is(known)).max_by_key(|known| known.len());
        let name = known.cloned().unwrap_or_else(|| name.to_owned());
        match self.finished.iter_mut().find(|module| module.name == name) {
            Some(module) => (module.outcome, module.seconds) = (outcome, seconds.or(module.seconds)),
            None => self.finished.push(Finished { name, outcome, seconds, goal: None }),
        }
    }

    fn end_running(&mut self, at: Duration, outcome: Outcome) {
        for module in std::mem::take(&mut self.running) {
            self.end(module, at, outcome);
        }
    }

    fn end(&mut self, module: Running, at: Duration, outcome: Outcome) {
        let seconds = Some(at.saturating_sub(module.since).as_secs_f64());
        self.last_end = at;
        self.finished.push(Finished { name: module.name, outcome, seconds, goal: module.goal });
    }

    /// Another run of Maven begins. What an earlier one said was an answer to the script.
    fn restart(&mut self) {
        let announced = self.announced;
        let (lines, advice) = (self.lines, std::mem::take(&mut self.advice));
        *self = Self { announced, lines, advice, ..Self::new() };
    }
}
