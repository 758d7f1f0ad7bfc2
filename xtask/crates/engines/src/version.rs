//! Versions of clients and servers, as far as something depends on them.

use std::fmt;

/// Major and minor number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

impl Version {
    /// Reads the first two numbers of `20.10.24+dfsg1`, `v1.28`, `4.3.1-dev`.
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.trim().trim_start_matches('v').split('.');
        let number = |part: &str| {
            let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            part[..end].parse().ok()
        };
        Some(Self(number(parts.next()?)?, parts.next().and_then(number).unwrap_or(0)))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_numbers_are_enough() {
        for (text, expected) in [
            ("20.10.24+dfsg1", Some(Version(20, 10))),
            ("28.2.2", Some(Version(28, 2))),
            ("v0.17.1", Some(Version(0, 17))),
            ("4.3.1-dev", Some(Version(4, 3))),
            ("5", Some(Version(5, 0))),
            ("library-import", None),
            ("", None),
        ] {
            assert_eq!(Version::read(text), expected, "{text}");
        }
        assert!(Version(4, 10) > Version(4, 9) && Version(20, 10) < Version(23, 0));
    }
}
