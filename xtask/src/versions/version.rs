//! Version numbers of Spark: read, compared, and replaced in texts.

use std::{fmt, str::FromStr};

/// A release of Spark, `3.5.8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version([u32; 3]);

impl Version {
    /// A version that nothing has.
    pub(crate) fn none() -> Self {
        Self([0; 3])
    }

    /// `3.5`
    pub(crate) fn line(self) -> String {
        format!("{}.{}", self.0[0], self.0[1])
    }

    /// Whether two versions differ in their last number alone.
    pub(crate) fn is_of_line(self, other: Self) -> bool {
        self.0[..2] == other.0[..2]
    }

    /// The nearest of some versions: the same line counts more than the same first number, the older of two neighbours more
    /// than the newer.
    pub(crate) fn nearest(self, known: impl IntoIterator<Item = Self>) -> Option<Self> {
        let distance = |other: &Self| {
            let [major, minor, patch] = [0, 1, 2].map(|index| i64::from(self.0[index].abs_diff(other.0[index])));
            // What lies on the way to another number: the newest where that is a lower one, else the oldest.
            let way = |part: usize| if *other < self { -i64::from(other.0[part]) } else { i64::from(other.0[part]) };
            let minor = if major == 0 { minor } else { way(1) };
            let patch = if self.is_of_line(*other) { patch } else { way(2) };
            (major, minor, patch, *other)
        };
        known.into_iter().min_by_key(distance)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0[0], self.0[1], self.0[2])
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Option<Vec<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
        let version = numbers.and_then(|numbers| numbers.try_into().ok()).map(Self);
        if let Some(version) = version.filter(|version| version.to_string() == text) {
            return Ok(version);
        }
        let advice = match text.split_once('-') {
            Some((release, _)) if release.parse::<Self>().is_ok() => {
                "only releases stand in the table; a tree of your own is compiled with `cargo xtask build-custom --source-dir DIR`"
            }
            _ => "write it as `3.5.8`",
        };
        Err(format!("`{text}` is no release of Spark: {advice}"))
    }
}

/// `text` with one version in the place of another, wherever that is not a part of a longer number.
pub(crate) fn replaced(text: &str, old: Version, new: Version) -> String {
    let (old, new) = (old.to_string(), new.to_string());
    let digit = |c: char| c.is_ascii_digit();
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(&old) {
        let (before, after) = (&rest[..at], &rest[at + old.len()..]);
        out.push_str(before);
        let goes_on = after.strip_prefix('.').unwrap_or(after).starts_with(digit);
        let is_end = out.strip_suffix('.').unwrap_or(&out).ends_with(digit);
        out.push_str(if goes_on || is_end { &old } else { &new });
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_no_release_is_refused() {
        for bad in ["", "3.5", "3.5.8.1", "v3.5.8", "3.5.x", "03.5.8", "3.5.+8", "3.5.8 ", "3..8", "4294967296.0.0"] {
            assert!(bad.parse::<Version>().unwrap_err().ends_with("write it as `3.5.8`"), "{bad}");
        }
        for bad in ["3.5.8-SNAPSHOT", "4.2.0-preview1"] {
            assert!(bad.parse::<Version>().unwrap_err().contains("--source-dir"), "{bad}");
        }
    }

    #[test]
    fn the_nearest_is_of_the_same_line_if_there_is_one() {
        let known = ["3.5.5", "3.5.7", "4.0.2", "4.1.0", "4.1.1"].map(version);
        for (asked, nearest) in [
            ("3.5.8", "3.5.7"),
            ("3.5.6", "3.5.5"),
            ("3.5.0", "3.5.5"),
            ("3.4.1", "3.5.5"),
            ("4.2.0", "4.1.1"),
            ("5.0.0", "4.1.1"),
            ("2.4.8", "3.5.5"),
            ("4.1.9", "4.1.1"),
        ] {
            assert_eq!(version(asked).nearest(known), Some(version(nearest)), "{asked}");
        }
        assert_eq!(version("3.5.8").nearest([]), None);
    }

    #[test]
    fn a_version_is_replaced_where_it_stands_alone() {
        let text = "3.5.7 spark-3.5.7.tgz 13.5.7 3.5.71 3.5.7.1 1.3.5.7 v3.5.7. 3.5.73.5.7 Dockerfile.3.5.7";
        let wanted = "4.0.0 spark-4.0.0.tgz 13.5.7 3.5.71 3.5.7.1 1.3.5.7 v4.0.0. 3.5.73.5.7 Dockerfile.4.0.0";
        assert_eq!(replaced(text, version("3.5.7"), version("4.0.0")), wanted);
    }
}
