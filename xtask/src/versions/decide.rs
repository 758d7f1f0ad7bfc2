//! From what upstream says of two versions to what stands in the table for the new one.

use std::fmt;

use anyhow::Result;
use catalog::{Spark, Table};

use super::{
    upstream::{Found, Looked, Release, Upstream},
    version::Version,
};

/// Scala versions that Spark is or was built for, to find its POMs by.
const SCALAS: [&str; 2] = ["2.13", "2.12"];

/// What is written for one placeholder, and why.
pub(super) struct Decision {
    pub(super) name: String,
    /// A version, or a question: `? …`.
    pub(super) value: String,
    why: String,
}

impl Decision {
    pub(super) fn is_question(&self) -> bool {
        self.value.starts_with('?')
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = if self.is_question() { "?" } else { &self.value };
        write!(f, "  {:<16} {:<16} {}", self.name, value, self.why)
    }
}

/// The Scala of the new version, then all placeholders that `from` has of its own.
///
/// # Errors
/// A registry does not answer.
pub(super) fn decide(
    upstream: Option<&Upstream<'_>>,
    table: &Table,
    from: (&Spark, Version),
    new: Version,
    own: &[(String, String)],
) -> Result<Vec<Decision>> {
    let (spark, old) = from;
    let decide = |name: &str, value: &str, found| one(name, value, (old, new), found);
    let none = Vec::new();
    let places = |name: &str| table.lookups.get(name).unwrap_or(&none);
    let old_release = Release { version: old, scala: &spark.scala };
    let mut scala = Err("not looked up (offline)".to_owned());
    for candidate in upstream.iter().flat_map(|_| scalas(&spark.scala)) {
        let Some(upstream) = upstream else { break };
        scala = upstream.look(places("scala"), old_release, Release { version: new, scala: candidate })?;
        if let Ok(found) = &mut scala {
            // A version is built for several, and each says its own.
            found.old.get_or_insert_with(|| spark.scala.clone());
            break;
        }
    }
    // Within a line Scala never changes.
    let scala = match scala {
        Err(_) if old.is_of_line(new) => Decision {
            name: "scala".into(),
            value: spark.scala.clone(),
            why: format!("as Spark {old}, of the same line"),
        },
        found => decide("scala", &spark.scala, found),
    };
    let mut decisions = vec![scala];
    for (name, value) in own {
        let scala = Some(&decisions[0]).filter(|scala| !scala.is_question()).map(|scala| scala.value.clone());
        let found = match (upstream, &scala) {
            (Some(upstream), Some(scala)) => {
                upstream.look(places(name), old_release, Release { version: new, scala })?
            }
            (Some(_), None) => Err("its Scala is not known".to_owned()),
            (None, _) => Err("not looked up (offline)".to_owned()),
        };
        decisions.push(decide(name, value, found));
    }
    Ok(decisions)
}

/// The versions of Scala to look for, the one of the neighbour first.
pub(super) fn scalas(first: &str) -> Vec<&str> {
    let others = SCALAS.into_iter().filter(|other| *other != first);
    std::iter::once(first).chain(others).collect()
}

/// `found`: what upstream says of both versions, or why nobody knows.
fn one(name: &str, value: &str, (old, new): (Version, Version), found: Looked) -> Decision {
    let (answer, why) = match found {
        Err(why) => (None, format!("{why}; Spark {old} has {value}")),
        Ok(Found { place, old: before, new: now }) => match before {
            _ if now == value => (Some(now), place),
            Some(before) if before == now => {
                (Some(value.to_owned()), format!("as Spark {old}: {place} is {now} for both"))
            }
            Some(before) if before == value => (Some(now), format!("{place}; Spark {old} has {value}")),
            Some(before) => (None, format!("{place} went from {before} to {now}, and Spark {old} has {value}")),
            None => (None, format!("{place} is {now} for Spark {new}, and Spark {old} has {value}")),
        },
    };
    Decision { name: name.to_owned(), value: answer.unwrap_or_else(|| format!("? {why}")), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(value: &str, old: Option<&str>, new: &str) -> String {
        let version = |text: &str| text.parse().unwrap();
        let found = Found { place: "kafka.version".into(), old: old.map(str::to_owned), new: new.to_owned() };
        one("kafka", value, (version("3.5.7"), version("3.5.8")), Ok(found)).value
    }

    #[test]
    fn what_did_not_move_stays_and_what_moved_is_taken_or_asked() {
        assert_eq!(decision("1", Some("1"), "1"), "1");
        assert_eq!(decision("1", Some("1"), "2"), "2");
        // The table had another one than upstream.
        assert_eq!(decision("5", Some("1"), "1"), "5");
        assert_eq!(decision("2", Some("1"), "2"), "2");
        assert_eq!(decision("5", Some("1"), "2"), "? kafka.version went from 1 to 2, and Spark 3.5.7 has 5");
        // Nobody knows what upstream had.
        assert_eq!(decision("1", None, "1"), "1");
        assert_eq!(decision("1", None, "2"), "? kafka.version is 2 for Spark 3.5.8, and Spark 3.5.7 has 1");
    }
}
