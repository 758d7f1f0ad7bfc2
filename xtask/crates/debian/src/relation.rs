//! Relations between packages: the values of `Depends`, `Provides`, `Breaks` and their like.
//!
//! <https://www.debian.org/doc/debian-policy/ch-relationships.html>, without the restrictions to architectures and
//! build profiles, which stand in source packages only.

use std::{cmp::Ordering, fmt};

use crate::version;

/// A package by name, and the versions of it that are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relation<'a> {
    /// Name of a package, real or virtual.
    pub name: &'a str,
    /// The bound of its version.
    pub bound: Option<(Operator, &'a str)>,
}

/// How a version compares to the one in a relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `<<`
    Earlier,
    /// `<=`
    EarlierOrEqual,
    /// `=`
    Equal,
    /// `>=`
    LaterOrEqual,
    /// `>>`
    Later,
}

/// A text that is no relation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a relation such as `libc6 (>= 2.36)`, found `{0}`")]
pub struct RelationError(String);

impl Operator {
    const ALL: [(&'static str, Self); 5] = [
        ("<<", Self::Earlier),
        ("<=", Self::EarlierOrEqual),
        (">=", Self::LaterOrEqual),
        (">>", Self::Later),
        ("=", Self::Equal),
    ];

    /// Whether `found` stands in this relation to `bound`.
    pub fn holds(self, found: &str, bound: &str) -> bool {
        let order = version::compare(found, bound);
        match self {
            Self::Earlier => order == Ordering::Less,
            Self::EarlierOrEqual => order != Ordering::Greater,
            Self::Equal => order == Ordering::Equal,
            Self::LaterOrEqual => order != Ordering::Less,
            Self::Later => order == Ordering::Greater,
        }
    }
}

impl<'a> Relation<'a> {
    /// Reads one relation: `name`, `name:any`, `name (>= version)`.
    ///
    /// # Errors
    /// The text is none.
    pub fn parse(text: &'a str) -> Result<Self, RelationError> {
        let text = text.trim();
        let error = || RelationError(text.to_owned());
        let (name, bound) = match text.split_once('(') {
            None => (text, None),
            Some((name, rest)) => {
                let inner = rest.trim_end().strip_suffix(')').ok_or_else(error)?.trim();
                let (sign, operator) =
                    Operator::ALL.into_iter().find(|(sign, _)| inner.starts_with(sign)).ok_or_else(error)?;
                let version = inner[sign.len()..].trim();
                if version.is_empty() {
                    return Err(error());
                }
                (name.trim(), Some((operator, version)))
            }
        };
        // One architecture is installed: `:any` and the name of an architecture say nothing more.
        let name = name.split_once(':').map_or(name, |(name, _)| name);
        let proper = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        if name.is_empty() || !name.chars().all(proper) {
            return Err(error());
        }
        Ok(Self { name, bound })
    }

    /// Whether a package of this version is meant.
    pub fn admits(&self, version: &str) -> bool {
        self.bound.is_none_or(|(operator, bound)| operator.holds(version, bound))
    }

    /// Whether what a package provides, in this version or in none, is meant: a bound wants a version
    /// (<https://www.debian.org/doc/debian-policy/ch-relationships.html#virtual-packages-provides>).
    pub fn admits_provided(&self, version: Option<&str>) -> bool {
        match (self.bound, version) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(_), Some(version)) => self.admits(version),
        }
    }
}

impl fmt::Display for Relation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        let Some((operator, version)) = self.bound else { return Ok(()) };
        let sign = Operator::ALL.iter().find(|(_, of)| *of == operator).map_or("", |(sign, _)| sign);
        write!(f, " ({sign} {version})")
    }
}

/// The relations of a field: groups that commas part, each of alternatives that bars part.
///
/// # Errors
/// One of them is none.
pub fn parse(field: &str) -> Result<Vec<Vec<Relation<'_>>>, RelationError> {
    let groups = field.split(',').filter(|group| !group.trim().is_empty());
    groups.map(|group| group.split('|').map(Relation::parse).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read() {
        let field = "libc6 (>= 2.36), python3:any,\n debconf (>= 0.5) | debconf-2.0, a(=1:2-3),\n";
        let texts: Vec<Vec<String>> =
            parse(field).unwrap().into_iter().map(|group| group.iter().map(Relation::to_string).collect()).collect();
        assert_eq!(
            texts,
            [vec!["libc6 (>= 2.36)"], vec!["python3"], vec!["debconf (>= 0.5)", "debconf-2.0"], vec!["a (= 1:2-3)"]]
        );
    }

    #[test]
    fn what_is_no_relation_is_refused() {
        for text in ["a (1)", "a (>= )", "a (>= 1", "a b", "a | | b", "(>= 1)", "a [amd64]", "ä"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn bounds_admit_versions() {
        for (text, version, admitted) in [
            ("a", "1", true),
            ("a (>= 1)", "1", true),
            ("a (>> 1)", "1", false),
            ("a (<< 2~)", "2", false),
            ("a (<< 2~)", "2~~", true),
            ("a (<= 2)", "2-0", true),
            ("a (= 2)", "2+b1", false),
        ] {
            assert_eq!(Relation::parse(text).unwrap().admits(version), admitted, "{text} {version}");
        }
        assert!(!Relation::parse("a (>= 1)").unwrap().admits_provided(None));
        assert!(Relation::parse("a (>= 1)").unwrap().admits_provided(Some("1")));
    }
}
