//! A tree that makes images: Dockerfiles, scripts, Makefiles, compose files, and jars that lie in it. Nothing is run.
//!
//! What a shell would do is not known here. Variables with a value in the same file are expanded; a line that cannot be
//! understood is no finding.

mod coordinates;
mod downloads;
mod lines;
mod owners;
mod tags;

use std::collections::HashSet;

use blob::Digest;

use crate::{
    exceptions::Exceptions,
    expect::Spark,
    finding::{Finding, Place, Rule, Severity},
    jar::Names,
    layer::JarState,
    secrets::{Scanner, is_secret_variable},
};

pub use lines::Kind;
use lines::Script;

/// A jar of more bytes is not opened as a text; a text of more bytes is not read.
pub const MAX_TEXT: u64 = crate::secrets::MAX_FILE;

/// A file of a tree.
#[derive(Debug)]
pub struct File {
    /// Its path, relative to the tree.
    pub path: String,
    /// What it holds.
    pub content: Content,
}

/// What a file holds.
#[derive(Debug)]
pub enum Content {
    /// A text.
    Text(String),
    /// A jar: the digest of its bytes, and what it says.
    Jar(Digest, Box<JarState>),
}

/// What a tree is judged by: this repository's own table.
#[derive(Debug, Default)]
pub struct TreeExpect {
    /// The Spark versions of the table.
    pub sparks: Vec<Spark>,
    /// The artifacts of the lock.
    pub known: HashSet<Digest>,
    /// Names of images that the table calls legacy, each with the reason.
    pub tags: Vec<(String, String)>,
}

/// A jar that is a file of its own.
///
/// # Errors
/// As for a jar in a layer: why it is none.
pub fn read_jar(file: std::fs::File, size: u64) -> JarState {
    crate::jar::Jar::read(rawzip::FileReader::from(file), size, &Names::default())
}

/// What one file is judged with.
struct Subject<'s> {
    path: &'s str,
    script: &'s Script,
    expect: &'s TreeExpect,
    /// The Spark that the file is about, if it says so.
    spark: Option<&'s Spark>,
    findings: Vec<Finding>,
}

impl Subject<'_> {
    fn find(&mut self, rule: Rule, line: usize, message: impl Into<String>) {
        self.findings.push(Finding::new(rule, at(self.path, line), message));
    }
}

fn at(path: &str, line: usize) -> Place {
    Place { path: path.to_owned(), line: Some(line), ..Place::default() }
}

/// Judges a tree by all rules that need no image. Exceptions are those of the tree itself.
pub fn judge(files: &[File], expect: &TreeExpect, exceptions: &Exceptions) -> Vec<Finding> {
    let findings = all(files, expect).into_iter();
    let mut left: Vec<Finding> =
        findings.filter(|finding| !exceptions.excuse(finding.rule, &finding.place.path)).collect();
    left.extend(exceptions.unused(true));
    left
}

fn all(files: &[File], expect: &TreeExpect) -> Vec<Finding> {
    let scanner = Scanner::default();
    let mut findings = Vec::new();
    let mut scripts = Vec::new();
    for file in files {
        match &file.content {
            Content::Jar(digest, jar) => findings.extend(coordinates::jar(&file.path, *digest, jar, expect)),
            Content::Text(text) => {
                findings.extend(secrets(&scanner, &file.path, text));
                scripts.extend(Kind::of(&file.path, text).map(|kind| (file.path.as_str(), Script::read(kind, text))));
            }
        }
    }
    for (path, script) in &scripts {
        let spark = coordinates::spark_of(path, script, expect);
        let mut subject = Subject { path, script, expect, spark, findings: Vec::new() };
        variables(&mut subject);
        coordinates::check(&mut subject);
        downloads::check(&mut subject);
        owners::check(&mut subject);
        findings.append(&mut subject.findings);
    }
    findings.extend(tags::check(&scripts, expect));
    findings
}

fn secrets(scanner: &Scanner, path: &str, text: &str) -> Vec<Finding> {
    let secrets = scanner.scan(text.as_bytes()).into_iter();
    let finding = |secret: crate::secrets::Secret| {
        let message = format!("looks like a secret ({}): `{}…`", secret.kind, secret.hint);
        Finding::new(Rule::Secret, at(path, secret.line), message)
    };
    secrets.map(finding).collect()
}

/// Variables that are called like a secret and have a value: in an image everybody reads it.
fn variables(subject: &mut Subject<'_>) {
    if subject.script.kind == Kind::Shell || subject.script.kind == Kind::Makefile {
        return;
    }
    let script = subject.script;
    for (line, name, _) in script.assignments.iter().filter(|(_, name, value)| is_secret_variable(name, value)) {
        let message = format!("the variable {name} is called like a secret and has a value here");
        let finding = Finding::new(Rule::Secret, at(subject.path, *line), message);
        subject.findings.push(finding.at(Severity::Warning));
    }
}
