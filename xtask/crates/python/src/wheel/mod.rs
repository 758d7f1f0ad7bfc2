//! Wheels: what their file names say, which of them fit an interpreter, and what is in them.
//!
//! Source: PyPA's [binary distribution format](https://packaging.python.org/en/latest/specifications/binary-distribution-format/).
//! Nothing here writes to disk or opens a socket.

mod archive;
mod metadata;
mod tags;

use std::{fmt, str::FromStr};

use pep440_rs::Version;

use crate::name::PackageName;

pub use archive::{Archive, ArchiveError, Entry, read_metadata};
pub use metadata::{Metadata, MetadataError};
pub use tags::{Arch, Tags, Target};

/// The parsed name of a wheel, `{distribution}-{version}(-{build})?-{python}-{abi}-{platform}.whl`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WheelName {
    /// The project.
    pub name: PackageName,
    /// Its version.
    pub version: Version,
    /// The build tag: its leading number and the rest. Of two wheels that fit alike the higher one is taken.
    pub build: Option<(u64, String)>,
    /// Interpreter tags, such as `cp311` or `py3`.
    pub python: Vec<String>,
    /// ABI tags, such as `cp311`, `abi3` or `none`.
    pub abi: Vec<String>,
    /// Platform tags, such as `manylinux_2_28_x86_64` or `any`.
    pub platform: Vec<String>,
}

/// A file name that is no wheel's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{filename}` is no wheel's file name: {why}")]
pub struct ParseWheelNameError {
    filename: String,
    why: String,
}

impl FromStr for WheelName {
    type Err = ParseWheelNameError;

    fn from_str(filename: &str) -> Result<Self, Self::Err> {
        let error =
            |why: &dyn fmt::Display| ParseWheelNameError { filename: filename.to_owned(), why: why.to_string() };
        let stem = filename.strip_suffix(".whl").ok_or_else(|| error(&"expected the suffix `.whl`"))?;
        let parts: Vec<&str> = stem.split('-').collect();
        let (head, build, tags) = match parts.as_slice() {
            [name, version, python, abi, platform] => ((name, version), None, [python, abi, platform]),
            [name, version, build, python, abi, platform] => ((name, version), Some(build), [python, abi, platform]),
            parts => return Err(error(&format_args!("expected 5 or 6 parts between `-`, found {}", parts.len()))),
        };
        let build = match build {
            None => None,
            Some(build) => {
                let digits = build.bytes().take_while(u8::is_ascii_digit).count();
                let number = build[..digits].parse().map_err(|_| error(&"a build tag begins with a number"))?;
                Some((number, build[digits..].to_owned()))
            }
        };
        let [python, abi, platform] = tags.map(|tag| tag.split('.').map(str::to_ascii_lowercase).collect());
        Ok(Self {
            name: head.0.parse().map_err(|why| error(&why))?,
            version: head.1.parse().map_err(|why| error(&why))?,
            build,
            python,
            abi,
            platform,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        let name: WheelName =
            "PyYAML-6.0.3-1local-cp311.py3-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl".parse().unwrap();
        assert_eq!(name.name.as_str(), "pyyaml");
        assert_eq!(name.version.to_string(), "6.0.3");
        assert_eq!(name.build, Some((1, "local".to_owned())));
        assert_eq!(name.python, ["cp311", "py3"]);
        assert_eq!(name.platform, ["manylinux2014_x86_64", "manylinux_2_17_x86_64"]);
    }

    #[test]
    fn what_is_no_wheel_is_refused() {
        for text in [
            "numpy-1.0.tar.gz",
            "numpy.whl",
            "numpy-1.0-py3-none.whl",
            "numpy-one-py3-none-any.whl",
            "numpy-1.0-x1-py3-none-any.whl",
            "a-1-1-py3-none-any-x.whl",
            "-1-py3-none-any.whl",
        ] {
            assert!(text.parse::<WheelName>().is_err(), "{text}");
        }
    }
}
