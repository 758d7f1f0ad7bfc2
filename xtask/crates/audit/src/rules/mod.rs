//! The rules for images.

mod classes;
mod config;
mod jars;
mod modes;
mod stored;

use crate::{
    exceptions::Exceptions,
    expect::Expect,
    finding::Finding,
    image::{Files, Image},
    jar::Names,
};

/// What rules look at.
pub(crate) struct Subject<'s> {
    image: &'s Image,
    files: Files<'s>,
    expect: &'s Expect,
    names: &'s Names,
    exceptions: &'s Exceptions,
    findings: Vec<Finding>,
}

impl Subject<'_> {
    fn find(&mut self, finding: Finding) {
        if !self.exceptions.excuse(finding.rule, &finding.place.path) {
            self.findings.push(Finding { images: vec![self.image.name.clone()], ..finding });
        }
    }

    /// SPARK_HOME, without a slash at either end.
    fn spark_home(&self) -> &str {
        self.image.env("SPARK_HOME").unwrap_or("/opt/spark").trim_matches('/')
    }
}

/// Judges an image by all rules.
pub fn judge(image: &Image, expect: &Expect, names: &Names, exceptions: &Exceptions) -> Vec<Finding> {
    let files = image.files();
    exceptions.see_paths(files.seen.keys().copied());
    let mut subject = Subject { image, files, expect, names, exceptions, findings: Vec::new() };
    jars::check(&mut subject);
    classes::check(&mut subject);
    modes::check(&mut subject);
    stored::check(&mut subject);
    config::check(&mut subject);
    subject.findings
}
