//! Commits by the names that people give them.

use anyhow::{Result, bail};
use camino::Utf8Path;

use crate::Git;

/// The commit that `reference` names.
///
/// # Errors
/// There is no repository, or the clone has no such commit: what to fetch.
pub fn commit(folder: &Utf8Path, reference: &str) -> Result<String> {
    let Some(git) = Git::around(folder) else {
        bail!("{folder} is in no git repository, so it cannot be compared with `{reference}`");
    };
    if reference.is_empty() || reference.starts_with('-') || reference.contains(char::is_control) {
        bail!("`{reference}` is no name of a commit");
    }
    let found = text(&git.find(["rev-parse", "--verify", "--quiet", &format!("{reference}^{{commit}}")])?);
    if !found.is_empty() {
        return Ok(found);
    }
    let what = match text(&git.ask(["rev-parse", "--is-shallow-repository"])?).as_str() {
        "true" => "this shallow clone",
        _ => "this clone",
    };
    bail!("{what} has no commit `{reference}`\nto fetch it: {}", fetch_command(&git, reference)?)
}

/// The command that brings a commit into the clone.
fn fetch_command(git: &Git, reference: &str) -> Result<String> {
    // `main~3`: a commit below one that may be there.
    if let Some((_, up)) = reference.split_once(['~', '^']) {
        let steps: u32 = up.parse().unwrap_or(1);
        return Ok(format!("git fetch --deepen={}", steps.max(1)));
    }
    let remotes = text(&git.ask(["remote"])?);
    let short = reference.strip_prefix("refs/remotes/").unwrap_or(reference);
    let of_remote = short.split_once('/').filter(|(remote, _)| remotes.lines().any(|known| known == *remote));
    Ok(match of_remote {
        // So that `origin/main` has that name afterwards, in a clone of one branch as well.
        Some((remote, branch)) => {
            format!("git fetch --depth=1 {remote} '+refs/heads/{branch}:refs/remotes/{remote}/{branch}'")
        }
        None => format!("git fetch --depth=1 {} '{reference}'", remotes.lines().next().unwrap_or("origin")),
    })
}

/// Whether tracked files in these paths differ from a commit.
///
/// # Errors
/// There is no repository, or git cannot tell.
pub fn differs(folder: &Utf8Path, commit: &str, paths: &[&str]) -> Result<bool> {
    let Some(git) = Git::around(folder) else { bail!("{folder} is in no git repository") };
    let fixed = ["diff", "--name-only", "--no-ext-diff", "-z", commit, "--"];
    Ok(!git.ask(fixed.iter().chain(paths))?.is_empty())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}
