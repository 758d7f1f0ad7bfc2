//! The order of Maven's versions.
//!
//! <https://maven.apache.org/pom.html#version-order-specification>: a version is cut at `.`, `-` and where digits meet
//! letters; numbers are compared as numbers, and of words those that name something unfinished come before the end.

use std::{cmp::Ordering, fmt};

/// A version as it stands in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Number(u128),
    Word(String),
}

/// Words for what is not finished, the least finished first; the end of a version comes after them.
const UNFINISHED: [&str; 5] = ["alpha", "beta", "milestone", "rc", "snapshot"];
/// Words that say the same as the end of a version.
const FINISHED: [&str; 4] = ["", "ga", "final", "release"];

impl Version {
    /// Cuts a version. Every text is one.
    pub fn new(text: &str) -> Self {
        let mut parts = Vec::new();
        for piece in text.split(['.', '-', '_', '+']) {
            let mut rest = piece;
            while let Some(first) = rest.chars().next() {
                let digits = first.is_ascii_digit();
                let end = rest.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(rest.len());
                let (part, after) = rest.split_at(end);
                parts.push(match part.parse() {
                    Ok(number) if digits => Part::Number(number),
                    _ => Part::Word(word(part, !after.is_empty())),
                });
                rest = after;
            }
        }
        while parts.last().is_some_and(Part::says_nothing) {
            parts.pop();
        }
        Self { text: text.to_owned(), parts }
    }

    /// Whether it is a candidate, a snapshot or the like.
    pub fn is_unfinished(&self) -> bool {
        let more = ["preview", "pre", "ea", "dev", "incubating", "cr", "m", "b"];
        let mut words = self.parts.iter().filter_map(|part| match part {
            Part::Word(word) => Some(word.as_str()),
            Part::Number(_) => None,
        });
        words.any(|word| UNFINISHED.contains(&word) || more.contains(&word))
    }

    /// The words in it that are no matter of being finished: `jre` of `31.1-jre`, `hadoop` of `hadoop3-2.2.14`, with the
    /// number that belongs to one at the beginning. Versions of different flavours do not follow each other.
    pub fn flavour(&self) -> Vec<String> {
        let mut flavour = Vec::new();
        for (at, part) in self.parts.iter().enumerate() {
            match part {
                Part::Word(word) if !UNFINISHED.contains(&word.as_str()) => {
                    let number = match self.parts.get(at + 1) {
                        Some(Part::Number(number)) if at == 0 => number.to_string(),
                        _ => String::new(),
                    };
                    flavour.push(format!("{word}{number}"));
                }
                _ => {}
            }
        }
        flavour
    }
}

impl Part {
    fn says_nothing(&self) -> bool {
        matches!(self, Self::Number(0)) || matches!(self, Self::Word(word) if FINISHED.contains(&word.as_str()))
    }

    /// Where it stands beside others: unfinished words, the end, other words, numbers.
    fn rank(&self) -> (usize, &str, u128) {
        match self {
            Self::Number(number) => (UNFINISHED.len() + 2, "", *number),
            Self::Word(word) if FINISHED.contains(&word.as_str()) => (UNFINISHED.len(), "", 0),
            Self::Word(word) => match UNFINISHED.iter().position(|known| known == word) {
                Some(at) => (at, "", 0),
                None => (UNFINISHED.len() + 1, word, 0),
            },
        }
    }
}

/// A word in its long form: `a1` is `alpha1`.
fn word(text: &str, before_number: bool) -> String {
    match (text.to_ascii_lowercase().as_str(), before_number) {
        ("a", true) => "alpha".to_owned(),
        ("b", true) => "beta".to_owned(),
        ("m", true) => "milestone".to_owned(),
        ("cr", _) => "rc".to_owned(),
        (other, _) => other.to_owned(),
    }
}

impl Version {
    /// Whether it comes before `bound`: `2.30.0` is not below `2.30`.
    pub fn is_below(&self, bound: &str) -> bool {
        self.compare(&Self::new(bound)).is_lt()
    }

    /// The order of the specification, in which `1.0` and `1` are the same.
    fn compare(&self, other: &Self) -> Ordering {
        let end = Part::Word(String::new());
        let zero = Part::Number(0);
        for at in 0..self.parts.len().max(other.parts.len()) {
            let (one, two) = (self.parts.get(at), other.parts.get(at));
            // What is left out is a zero beside a number, and the end beside a word.
            let stand_in = |beside: Option<&Part>| if matches!(beside, Some(Part::Number(_))) { &zero } else { &end };
            let one_rank = one.unwrap_or_else(|| stand_in(two)).rank();
            let order = one_rank.cmp(&two.unwrap_or_else(|| stand_in(one)).rank());
            if order.is_ne() {
                return order;
            }
        }
        Ordering::Equal
    }
}

/// Versions that are the same to Maven are told apart by their text.
impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.compare(other).then_with(|| self.text.cmp(&other.text))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_follow_each_other_as_maven_has_it() {
        let sorted = [
            "1.0-alpha-1",
            "1.0-beta",
            "1.0-M2",
            "1.0-rc1",
            "1.0-SNAPSHOT",
            "1.0",
            "1.0-sp",
            "1.0.1",
            "1.9",
            "1.10",
            "2.1.4.Final",
            "2.2.5.Final",
            "9.4.57.v20241219",
            "9.4.58.v20250814",
            "23.26.0.0.0",
            "25.3.0-0",
            "42.7.13",
        ];
        for pair in sorted.windows(2) {
            assert!(Version::new(pair[0]) < Version::new(pair[1]), "{} < {}", pair[0], pair[1]);
        }
        assert!(Version::new("2.1.4.Final") > Version::new("2.1.4.CR1"));
        assert_eq!(Version::new("hadoop3-2.2.9").cmp(&Version::new("hadoop3-2.2.14")), Ordering::Less);
    }

    #[test]
    fn a_bound_is_not_below_itself() {
        for (version, bound, below) in [
            ("2.29.52", "2.30", true),
            ("2.30.0", "2.30", false),
            ("2.30", "2.30.0", false),
            ("hadoop3-2.2.34", "hadoop3-2.3", true),
        ] {
            assert_eq!(Version::new(version).is_below(bound), below, "{version} {bound}");
        }
    }

    #[test]
    fn what_is_not_finished_and_what_is_another_flavour_is_seen() {
        for text in ["1.0-rc1", "4.0.0-preview2", "2.0.0-alpha1", "3.0-M1", "1.0-SNAPSHOT", "0.1b2"] {
            assert!(Version::new(text).is_unfinished(), "{text}");
        }
        for text in ["2.1.4.Final", "9.4.57.v20241219", "hadoop3-2.2.14", "13.2.1.jre11", "25.3.0-0"] {
            assert!(!Version::new(text).is_unfinished(), "{text}");
        }
        let flavour = |text| Version::new(text).flavour().join(" ");
        assert_eq!(flavour("hadoop3-2.2.14"), "hadoop3");
        assert_eq!(flavour("hadoop2-2.2.14"), "hadoop2");
        assert_eq!(
            (flavour("13.2.1.jre11"), flavour("13.2.1.jre8"), flavour("42.7.13")),
            ("jre".into(), "jre".into(), String::new())
        );
    }
}
