//! What `cleanup-legacy` shows: for people, and as JSON.

use std::path::Path;

use serde::Serialize;

use super::text::{bytes, count};
use crate::legacy::{kept::Commit, shown};

/// How many lines of one kind are shown for one path: JSON has them all.
const SHOWN: usize = 3;

/// All that was found and done. The fields are those of the JSON.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Of this layout.
    pub(crate) version: u32,
    pub(crate) root: String,
    pub(crate) paths: Vec<PathReport>,
    /// Folders that are empty afterwards, and go as well.
    pub(crate) emptied: Vec<String>,
    /// What bears a legacy name and is left alone.
    pub(crate) spared: Vec<Why>,
    pub(crate) images: Vec<ImageReport>,
    /// Old image names that files still have.
    pub(crate) image_names: Vec<ImageName>,
    /// Nothing, if nothing was to be removed.
    pub(crate) removed: Option<Done>,
    /// What lies in docker/docker-base afterwards; nothing, if there is no such folder, or nothing was done.
    pub(crate) docker_base: Option<Vec<String>>,
    /// Lines that name what is gone.
    pub(crate) still_named: Vec<Line>,
}

/// A folder or file.
#[derive(Debug, Serialize)]
pub(crate) struct PathReport {
    pub(crate) path: String,
    pub(crate) folder: bool,
    pub(crate) files: usize,
    pub(crate) bytes: u64,
    pub(crate) reason: String,
    pub(crate) instead: String,
    pub(crate) last_commit: Option<CommitReport>,
    pub(crate) not_in_git: Vec<Why>,
    pub(crate) named_in: Vec<Line>,
}

#[derive(Debug, Serialize)]
pub(crate) struct CommitReport {
    pub(crate) id: String,
    pub(crate) date: String,
    pub(crate) subject: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct Why {
    pub(crate) path: String,
    pub(crate) why: String,
}

/// A line that names something; without a number it is a link that points there.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Line {
    pub(crate) file: String,
    pub(crate) line: Option<usize>,
    pub(crate) text: String,
    /// What it names.
    pub(crate) names: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ImageReport {
    pub(crate) engine: String,
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) bytes: u64,
    pub(crate) reason: String,
    pub(crate) instead: String,
    /// `removed`, `gone`, or why it was left; nothing before it was tried.
    pub(crate) state: Option<String>,
    pub(crate) in_use: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ImageName {
    pub(crate) name: String,
    pub(crate) instead: String,
    pub(crate) named_in: Vec<Line>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Done {
    pub(crate) files: usize,
    pub(crate) images: usize,
}

impl From<Commit> for CommitReport {
    fn from(Commit { id, date, subject }: Commit) -> Self {
        Self { id, date, subject }
    }
}

impl Why {
    pub(crate) fn new(path: &Path, why: &str) -> Self {
        Self { path: shown(path), why: why.to_owned() }
    }
}

impl Report {
    /// What would go, and why it may.
    pub(crate) fn print_found(&self, shallow: bool) {
        println!("in {}:", self.root);
        let mut reason = "";
        for path in &self.paths {
            if path.reason != reason {
                reason = &path.reason;
                println!("\n{reason}; now: {}", path.instead);
            }
            path.print();
        }
        if !self.images.is_empty() || !self.emptied.is_empty() {
            println!();
        }
        for image in &self.images {
            println!("{}: {}  {}", image.engine, image.name, bytes(image.bytes));
            println!("  {}; now: {}", image.reason, image.instead);
            if let Some(users) = &image.in_use {
                println!("  left: {users}");
            }
        }
        for image in &self.image_names {
            println!("files have the old image name {}; now: {}", image.name, image.instead);
            print_lines("in", &image.named_in, "  ");
        }
        for folder in &self.emptied {
            println!("{folder}/  empty then");
        }
        self.print_spared();
        if shallow && !self.paths.is_empty() {
            println!("this clone is shallow: where it ends, the last commit that touched something is not known");
        }
    }

    /// What bears a legacy name and stays.
    pub(crate) fn print_spared(&self) {
        for spared in &self.spared {
            println!("left alone: {}: {}", spared.path, spared.why);
        }
    }

    /// What was done, and what is left to do.
    pub(crate) fn print_done(&self) {
        match &self.removed {
            Some(done) => println!("removed {} and {}", count(done.files, "file"), count(done.images, "image name")),
            None => println!("nothing to remove: what was legacy is gone, and the last commit still has it"),
        }
        for image in &self.images {
            match image.state.as_deref() {
                Some("removed") | None => {}
                Some("gone") => println!("{}: {} was no longer there", image.engine, image.name),
                Some(why) => println!("{}: {} was left: {why}", image.engine, image.name),
            }
        }
        match &self.docker_base {
            Some(names) => println!("docker/docker-base/ has: {}", names.join(", ")),
            None => println!("there is no docker/docker-base/"),
        }
        for line in &self.still_named {
            println!("{} names {}: {}", line.place(), line.names.join(", "), line.text);
        }
        if self.still_named.is_empty() {
            println!("no file names what is gone");
        }
    }
}

impl PathReport {
    fn print(&self) {
        let slash = if self.folder { "/" } else { "" };
        let touched = match &self.last_commit {
            Some(commit) => format!("last touched {} by {} {}", commit.date, commit.id, commit.subject),
            None => "no commit has it".to_owned(),
        };
        println!("{}{slash}  {}, {}; {touched}", self.path, count(self.files, "file"), bytes(self.bytes));
        print_whys("git could not bring back", &self.not_in_git);
        match self.named_in.is_empty() {
            true => println!("  nothing else names it"),
            false => print_lines("named in", &self.named_in, "  "),
        }
    }
}

impl Line {
    fn place(&self) -> String {
        self.line.map_or_else(|| format!("{} (a link)", self.file), |line| format!("{}:{line}", self.file))
    }
}

fn print_whys(title: &str, whys: &[Why]) {
    for why in whys.iter().take(SHOWN) {
        println!("  {title}: {}: {}", why.path, why.why);
    }
    rest(whys.len(), title, "  ");
}

fn print_lines(title: &str, lines: &[Line], indent: &str) {
    for line in lines.iter().take(SHOWN) {
        println!("{indent}{title} {}: {}", line.place(), line.text);
    }
    rest(lines.len(), title, indent);
}

fn rest(all: usize, title: &str, indent: &str) {
    if all > SHOWN {
        println!("{indent}{title}: {} more, see --json", all - SHOWN);
    }
}
