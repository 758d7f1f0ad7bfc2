//! Which versions images ask for, and where each is written: what has to be edited to move one.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    problem::Source,
    reader::{At, Sink},
    table::{Spark, Table},
    template::Scope,
};

/// What is had in a version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pinned {
    /// A Maven artifact.
    Maven {
        /// Group.
        group: String,
        /// Artifact.
        artifact: String,
    },
    /// A Python project.
    Python(String),
}

/// A version that is written somewhere, and all that is had in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// Its key in [versions]; nothing if it stands in an image file itself.
    pub key: Option<String>,
    /// The version, as it is written.
    pub version: String,
    /// The file in which it is written.
    pub path: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is had in it, with what stands before and behind the version in the coordinate: nothing, or `.jre11`.
    pub of: BTreeMap<Pinned, (String, String)>,
    /// The Spark versions that it is for; none if it is for what holds no Spark.
    pub sparks: BTreeSet<String>,
}

/// Pins as they are found, by file and place.
#[derive(Debug, Default)]
pub(crate) struct Pins(BTreeMap<(String, usize), Pin>);

impl Pins {
    /// Notes what a Maven coordinate, still a template, asks for.
    pub(crate) fn jar(&mut self, at: &At<String>, scope: &Scope, spark: Option<&Spark>, table: &Table) {
        let parts: Vec<&str> = at.value.split(':').collect();
        let &[group, artifact, version, ..] = parts.as_slice() else { return };
        let (group, artifact) = (quietly(scope, at, group), quietly(scope, at, artifact));
        self.note(Pinned::Maven { group, artifact }, version, at, spark, table);
    }

    /// Notes what a requirement, still a template, asks for. One that allows several versions pins none.
    pub(crate) fn requirement(&mut self, at: &At<String>, scope: &Scope, spark: Option<&Spark>, table: &Table) {
        let Some((name, version)) = at.value.split_once("==") else { return };
        let name = quietly(scope, at, name.split('[').next().unwrap_or(name));
        self.note(Pinned::Python(name.trim().to_owned()), version, at, spark, table);
    }

    fn note(&mut self, of: Pinned, template: &str, at: &At<String>, spark: Option<&Spark>, table: &Table) {
        let written = template.split_once('{').and_then(|(before, rest)| {
            let (key, behind) = rest.split_once('}')?;
            Some((before, key, behind))
        });
        let (key, around, value) = match written {
            None => (None, (String::new(), String::new()), at.map(template.to_owned())),
            Some((before, key, behind)) => {
                // What the key of no table says (`spark`) is pinned by the name of its section.
                let Some(value) = table.written(key, spark) else { return };
                (Some(key.to_owned()), (before.to_owned(), behind.to_owned()), value.clone())
            }
        };
        let pin = self.0.entry((value.path.clone(), value.span.start)).or_insert_with(|| Pin {
            key,
            version: value.value,
            path: value.path,
            line: 0,
            of: BTreeMap::new(),
            sparks: BTreeSet::new(),
        });
        pin.of.insert(of, around);
        pin.sparks.extend(spark.map(|spark| spark.version.clone()));
    }

    /// The pins with their lines in these files, sorted by place.
    pub(crate) fn in_sources(self, sources: &[Source]) -> Vec<Pin> {
        let line = |path: &str, at: usize| {
            sources.iter().find(|source| source.path == path).map_or(1, |source| source.line(at))
        };
        self.0.into_iter().map(|((path, at), pin)| Pin { line: line(&path, at), ..pin }).collect()
    }
}

/// A part of a template. What nobody defines is noted when the whole is rendered.
fn quietly(scope: &Scope, at: &At<String>, part: &str) -> String {
    scope.render(&at.map(part.to_owned()), &Sink::default())
}
