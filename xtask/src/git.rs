//! What git says of the checkout.

use anyhow::{Context as _, Result, bail};
use camino::Utf8Path;

/// What differs from the last commit below `folder` in these paths (all of it, if none is named), as `git status` writes
/// it. Nothing where there is no git repository: an unpacked archive is as it was published.
///
/// # Errors
/// There is a repository and git cannot tell.
pub(crate) fn changes(folder: &Utf8Path, paths: &[&str]) -> Result<Vec<String>> {
    if !folder.ancestors().any(|above| above.join(".git").exists()) {
        return Ok(Vec::new());
    }
    let fixed = ["--no-optional-locks", "status", "--porcelain", "--untracked-files=all", "--"];
    let args = fixed.iter().chain(if paths.is_empty() { &["."] } else { paths });
    let run = duct::cmd("git", args).dir(folder).stdout_capture().stderr_capture().unchecked().run();
    let output = run.with_context(|| format!("asking git whether {folder} is clean"))?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("git cannot tell whether {folder} is clean: {}", error.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}
