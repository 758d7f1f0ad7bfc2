//! `man`: manual pages, one for `cargo xtask` and one for each command.

use std::{fs, process::ExitCode};

use anyhow::{Context as _, Result};

use crate::{
    flags::{Global, ManArgs},
    manual,
};

pub(crate) fn run(_: &Global, args: &ManArgs) -> Result<ExitCode> {
    let folder = &args.output;
    fs::create_dir_all(folder).with_context(|| format!("making the folder {folder}"))?;
    let pages = manual::pages()?;
    for (name, text) in &pages {
        let path = folder.join(name);
        blob::write(&path, text).with_context(|| format!("writing {path}"))?;
    }
    println!("wrote {} pages to {folder}\nto read one: man {}", pages.len(), folder.join("cargo-xtask.1"));
    Ok(ExitCode::SUCCESS)
}
