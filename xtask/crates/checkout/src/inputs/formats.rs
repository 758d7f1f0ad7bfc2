//! The formats of what this program makes: they are inputs like any other.

use std::sync::LazyLock;

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// Where they stand in the repository.
const PATH: &str = "xtask/crates/checkout/src/formats.toml";

/// Numbers that are raised whenever the same inputs give another result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Formats {
    /// Of an image.
    pub image: u32,
    /// Of a root filesystem of Debian packages.
    pub rootfs: u32,
    /// Of a Spark distribution that is compiled.
    pub distribution: u32,
}

impl Formats {
    /// Where they stand in the repository.
    pub const PATH: &str = PATH;
    /// Those from before they stood in a file.
    pub const FIRST: Self = Self { image: 1, rootfs: 1, distribution: 1 };

    /// Those of this program.
    pub fn own() -> Self {
        static OWN: LazyLock<Formats> =
            LazyLock::new(|| Formats::parse(include_str!("../formats.toml")).expect("a test reads it"));
        *OWN
    }

    /// Reads the file.
    ///
    /// # Errors
    /// A number is missing.
    pub fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).with_context(|| format!("reading {PATH}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_read_where_it_stands() {
        let own = Formats::own();
        assert!(own.image >= Formats::FIRST.image && own.rootfs >= 1 && own.distribution >= 1);
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../..");
        let text = std::fs::read_to_string(format!("{root}/{PATH}")).unwrap();
        assert_eq!(Formats::parse(&text).unwrap(), own);
        assert!(format!("{:#}", Formats::parse("image = 1\n").unwrap_err()).contains(PATH));
    }
}
