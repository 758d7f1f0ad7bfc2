//! `[lookup]`: where it is found which version of something belongs to a Spark version.

use std::collections::BTreeMap;

use crate::{coordinate::Maven, reader::Section};

/// A place in a POM that follows from a Spark version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// `group:artifact:version`, a template: see [`crate::Table::fill`].
    pub pom: String,
    /// Where in the POM.
    pub place: Place,
}

/// What is read in a POM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The value of a property.
    Property(String),
    /// The version of a dependency, `group:artifact`.
    Dependency(String),
}

/// Reads all entries: one place, or a list of which the first that has an answer counts.
pub(crate) fn lookups(root: &Section<'_>) -> BTreeMap<String, Vec<Lookup>> {
    let Some(section) = root.section("lookup") else { return BTreeMap::new() };
    let read = |key: String| {
        let places = match section.is_list(&key) {
            true => section.list(&key),
            false => section.section(&key).into_iter().collect(),
        };
        (key, places.into_iter().map(lookup).collect())
    };
    section.keys().into_iter().map(read).collect()
}

fn lookup(section: Section<'_>) -> Lookup {
    let pom = section.required("pom", "\"org.apache.spark:spark-parent_{scala}:{spark}\"");
    let value = |key| section.string(key).map(|at| at.value);
    let place = match (value("property"), value("dependency")) {
        (Some(property), None) => Place::Property(property),
        (None, Some(dependency)) => Place::Dependency(dependency),
        (both, _) => {
            let found = if both.is_some() { "two things" } else { "nothing" };
            let help = "write either `property = \"kafka.version\"` or `dependency = \"group:artifact\"`";
            section.note(section.span(), format!("a lookup reads one thing, this one {found}"), help);
            Place::Property(String::new())
        }
    };
    if let (false, Err(error)) = (pom.value.is_empty(), pom.value.parse::<Maven>()) {
        section.note(
            pom.span,
            error.to_string(),
            "`group:artifact:version`; {spark}, {scala} and [versions] are filled in",
        );
    }
    section.finish();
    Lookup { pom: pom.value, place }
}
