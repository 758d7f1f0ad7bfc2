//! What a job did when, from the event log that Spark wrote of it. The log comes out of a container, so that nothing in it
//! is trusted: lines that are not understood are passed over, and only so much is read.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
};

use camino::Utf8Path;
use serde::Deserialize;

/// The most bytes that are read of one log.
const MOST: u64 = 64 << 20;

/// What one application did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Application {
    pub(super) name: String,
    /// Milliseconds since 1970, as all times here.
    pub(super) begin: u64,
    pub(super) end: u64,
    /// By id and attempt.
    pub(super) stages: BTreeMap<(u64, u64), Stage>,
    /// When executors went away, and why.
    pub(super) lost: Vec<(u64, String)>,
}

/// An attempt of a stage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stage {
    pub(super) name: String,
    pub(super) begin: u64,
    pub(super) end: u64,
    pub(super) failed: bool,
    pub(super) tasks: Vec<Task>,
}

/// An attempt of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) executor: String,
    pub(super) begin: u64,
    pub(super) end: u64,
    pub(super) failed: bool,
}

/// The events that are drawn, in the form of Spark's `JsonProtocol`.
#[derive(Deserialize)]
#[serde(tag = "Event")]
enum Event {
    #[serde(rename = "SparkListenerApplicationStart")]
    Start {
        #[serde(rename = "App Name")]
        name: String,
        #[serde(rename = "Timestamp")]
        time: u64,
    },
    #[serde(rename = "SparkListenerStageCompleted")]
    Stage {
        #[serde(rename = "Stage Info")]
        info: StageInfo,
    },
    #[serde(rename = "SparkListenerTaskEnd")]
    Task {
        #[serde(rename = "Stage ID")]
        stage: u64,
        #[serde(rename = "Stage Attempt ID")]
        attempt: u64,
        #[serde(rename = "Task Info")]
        info: TaskInfo,
    },
    #[serde(rename = "SparkListenerExecutorRemoved")]
    Lost {
        #[serde(rename = "Timestamp")]
        time: u64,
        #[serde(rename = "Executor ID")]
        executor: String,
        #[serde(rename = "Removed Reason")]
        reason: String,
    },
}

#[derive(Deserialize)]
struct StageInfo {
    #[serde(rename = "Stage ID")]
    id: u64,
    #[serde(rename = "Stage Attempt ID")]
    attempt: u64,
    #[serde(rename = "Stage Name")]
    name: String,
    #[serde(rename = "Submission Time")]
    begin: u64,
    #[serde(rename = "Completion Time")]
    end: u64,
    #[serde(rename = "Failure Reason")]
    failure: Option<String>,
}

#[derive(Deserialize)]
struct TaskInfo {
    #[serde(rename = "Executor ID")]
    executor: String,
    #[serde(rename = "Launch Time")]
    begin: u64,
    #[serde(rename = "Finish Time")]
    end: u64,
    #[serde(rename = "Failed")]
    failed: bool,
    #[serde(rename = "Killed", default)]
    killed: bool,
}

/// The applications whose logs lie in a folder, the first one first. Nothing, where there is no folder.
pub(super) fn read(folder: &Utf8Path) -> Vec<Application> {
    let Ok(entries) = folder.read_dir_utf8() else { return Vec::new() };
    // A link could lead anywhere.
    let files = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
    let mut found: Vec<Application> = files.filter_map(|entry| one(entry.path())).collect();
    found.sort_by(|one, other| (one.begin, &one.name).cmp(&(other.begin, &other.name)));
    found
}

fn one(path: &Utf8Path) -> Option<Application> {
    let mut application = Application::default();
    for line in BufReader::new(File::open(path).ok()?.take(MOST)).split(b'\n') {
        if let Ok(event) = serde_json::from_slice(&line.ok()?) {
            application.add(event);
        }
    }
    let drawn = application.begin > 0 && application.stages.values().any(|stage| stage.begin > 0);
    drawn.then_some(application)
}

impl Application {
    fn add(&mut self, event: Event) {
        match event {
            Event::Start { name, time } => {
                (self.name, self.begin) = (name, time);
                self.end = self.end.max(time);
            }
            Event::Stage { info } => {
                let stage = self.stages.entry((info.id, info.attempt)).or_default();
                (stage.name, stage.begin, stage.end) = (info.name, info.begin, info.end);
                stage.failed = info.failure.is_some();
                self.end = self.end.max(info.end);
            }
            Event::Task { stage, attempt, info } => {
                let TaskInfo { executor, begin, end, failed, killed } = info;
                let task = Task { executor, begin, end, failed: failed || killed };
                self.end = self.end.max(task.end);
                self.stages.entry((stage, attempt)).or_default().tasks.push(task);
            }
            Event::Lost { time, executor, reason } => {
                self.lost.push((time, format!("executor {executor}: {reason}")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Lines as Spark 3.5.7 and 4.1.0 write them, shortened to what is read and one field more.
    const LOG: &str = r#"{"Event":"SparkListenerLogStart","Spark Version":"3.5.7"}
{"Event":"SparkListenerApplicationStart","App Name":"smoke","App ID":"local-1","Timestamp":1000,"User":"spark"}
{"Event":"SparkListenerTaskEnd","Stage ID":0,"Stage Attempt ID":0,"Task Type":"ResultTask","Task End Reason":{"Reason":"Success"},"Task Info":{"Task ID":0,"Launch Time":1100,"Executor ID":"1","Finish Time":1300,"Failed":false,"Killed":false}}
{"Event":"SparkListenerTaskEnd","Stage ID":0,"Stage Attempt ID":0,"Task Info":{"Launch Time":1100,"Executor ID":"2","Finish Time":1200,"Failed":true,"Killed":false}}
{"Event":"SparkListenerExecutorRemoved","Timestamp":1250,"Executor ID":"2","Removed Reason":"worker lost: <b>"}
not JSON
{"Event":"SparkListenerStageCompleted","Stage Info":{"Stage ID":0,"Stage Attempt ID":0,"Stage Name":"sum at x.py:1","Number of Tasks":2,"Submission Time":1050,"Completion Time":1400,"Accumulables":[]}}
{"Event":"SparkListenerStageComp"#;

    #[test]
    fn stages_and_tasks_are_read_and_what_is_cut_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap();
        fs::write(path.join("local-1"), LOG).unwrap();
        fs::write(path.join("empty"), "").unwrap();
        std::os::unix::fs::symlink(path.join("local-1"), path.join("link")).unwrap();
        let [application] = <[_; 1]>::try_from(read(path)).unwrap();
        assert_eq!((application.name.as_str(), application.begin, application.end), ("smoke", 1000, 1400));
        assert_eq!(application.lost, [(1250, "executor 2: worker lost: <b>".to_owned())]);
        let stage = &application.stages[&(0, 0)];
        assert_eq!((stage.name.as_str(), stage.begin, stage.end, stage.failed), ("sum at x.py:1", 1050, 1400, false));
        let failed: Vec<bool> = stage.tasks.iter().map(|task| task.failed).collect();
        assert_eq!(failed, [false, true]);
        assert_eq!(read(&path.join("absent")), []);
    }
}
