//! Zstandard, in a program of its own that cargo builds when it is wanted first.

use std::{fs::File, io::Read};

use anyhow::{Context as _, Result};
use camino::Utf8Path;

/// The package of the filter.
const PACKAGE: &str = "zstd-filter";

/// Whether the filter was built before, in the folder where this program lies.
pub(crate) fn is_built() -> bool {
    std::env::current_exe().is_ok_and(|program| program.with_file_name(PACKAGE).is_file())
}

/// What the filter makes of a file: `compress LEVEL` or `decompress`. It ends with an error if the filter does.
pub(crate) fn filter(file: File, words: &[&str]) -> Result<Box<dyn Read>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    // The package that this program was built from.
    let manifest = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let fixed = ["run", "--quiet", "--package", PACKAGE, "--manifest-path", manifest.as_str(), "--"];
    let command = duct::cmd(&cargo, fixed.iter().chain(words));
    let reader = command.stdin_file(file).reader();
    let reader = reader.with_context(|| {
        format!("starting {cargo}, which builds what compresses with zstd\nwithout it: --compression gzip")
    })?;
    Ok(Box::new(reader))
}
