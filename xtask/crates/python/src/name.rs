//! Names of projects and of their extras, in the one form in which they may be compared.
//!
//! Source: PyPA's [name format](https://packaging.python.org/en/latest/specifications/name-normalization/) (PEP 503, PEP 685).

use std::{fmt, str::FromStr};

/// A project's or an extra's name in normal form: lower case, with one `-` for each run of `-`, `_` and `.`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageName(String);

/// A text that cannot be a project's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no project name: expected ASCII letters, digits, `-`, `_` and `.`, with a letter or a digit at both ends"
)]
pub struct ParseNameError(String);

impl PackageName {
    /// The name in normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PackageName {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = text.as_bytes();
        let ends_well = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let inner = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if !ends_well(bytes.first()) || !ends_well(bytes.last()) || !bytes.iter().all(inner) {
            return Err(ParseNameError(text.to_owned()));
        }
        let mut name = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '-' | '_' | '.' if name.ends_with('-') => {}
                '-' | '_' | '.' => name.push('-'),
                c => name.push(c.to_ascii_lowercase()),
            }
        }
        Ok(Self(name))
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_a_name_are_one() {
        for text in ["friendly-bard", "Friendly-Bard", "FRIENDLY.bard", "friendly_bard", "friendly--bard", "f_r"] {
            let name: PackageName = text.parse().unwrap();
            let expected = if text == "f_r" { "f-r" } else { "friendly-bard" };
            assert_eq!(name.as_str(), expected);
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", "-a", "a-", ".", "a b", "a/b", "naïve", "../etc"] {
            assert!(text.parse::<PackageName>().is_err(), "{text}");
        }
    }
}
