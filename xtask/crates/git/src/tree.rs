//! Files of a commit, written to a folder. Hooks, filters and attributes have no say: what is written is what git keeps.

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io::{Seek as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, symlink},
};

use anyhow::{Context as _, Result, bail};
use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

use crate::Git;

/// One file of a commit.
struct Listed {
    mode: String,
    object: String,
    path: Utf8PathBuf,
}

/// Writes those files of a commit that lie below `paths`, which are relative to `folder`, into the empty folder `into`.
/// Paths that the commit does not have are left out. Links become links, and nothing is written through them.
///
/// # Errors
/// Git cannot read the commit; it has a path that is not UTF-8 or leaves the folder, or a submodule; a file cannot be
/// written.
pub fn write_tree(folder: &Utf8Path, commit: &str, paths: &[&str], into: &Utf8Path) -> Result<()> {
    let Some(git) = Git::around(folder) else { bail!("{folder} is in no git repository") };
    let listed = list(&git, commit, paths)?;
    let bytes = read(&git, commit, &listed)?;
    let mut made = BTreeSet::new();
    // Links come last: a tree that has a link and files behind it must not reach anywhere.
    let (links, files): (Vec<_>, Vec<_>) = listed.iter().zip(bytes).partition(|(listed, _)| listed.mode == "120000");
    for (listed, bytes) in files.into_iter().chain(links) {
        let path = into.join(&listed.path);
        let doing = || format!("writing {} of {commit} to {into}", listed.path);
        let parent = path.parent().unwrap_or(into);
        if made.insert(parent.to_owned()) {
            fs::create_dir_all(parent).with_context(doing)?;
        }
        match listed.mode.as_str() {
            "120000" => {
                let target = String::from_utf8(bytes).with_context(doing)?;
                symlink(target, &path).with_context(doing)?;
            }
            mode => {
                let mode = if mode == "100755" { 0o755 } else { 0o644 };
                let mut file =
                    OpenOptions::new().write(true).create_new(true).mode(mode).open(&path).with_context(doing)?;
                file.write_all(&bytes).with_context(doing)?;
            }
        }
    }
    Ok(())
}

fn list(git: &Git, commit: &str, paths: &[&str]) -> Result<Vec<Listed>> {
    let fixed = ["ls-tree", "-r", "-z", commit, "--"];
    let printed = git.ask(fixed.iter().chain(paths))?;
    let mut listed = Vec::new();
    for line in printed.split(|&byte| byte == 0).filter(|line| !line.is_empty()) {
        let Ok(line) = std::str::from_utf8(line) else {
            bail!("{commit} has a path that is not UTF-8: {}", String::from_utf8_lossy(line));
        };
        // `100644 blob 0123...\tdocker/versions.toml`
        let (head, path) = line.split_once('\t').with_context(|| format!("git ls-tree says {line:?}"))?;
        let words: Vec<&str> = head.split(' ').collect();
        let [mode, kind, object] = words[..] else { bail!("git ls-tree says {line:?}") };
        let path = Utf8PathBuf::from(path);
        if kind != "blob" {
            bail!("{path} of {commit} is a {kind}, expected a file");
        }
        if !path.components().all(|part| matches!(part, Utf8Component::Normal(_))) {
            bail!("{commit} has the path {path}, which leaves its folder");
        }
        listed.push(Listed { mode: mode.to_owned(), object: object.to_owned(), path });
    }
    Ok(listed)
}

/// The bytes of the files, in their order.
fn read(git: &Git, commit: &str, listed: &[Listed]) -> Result<Vec<Vec<u8>>> {
    let mut asked = tempfile::tempfile().context("making a temporary file")?;
    for file in listed {
        writeln!(asked, "{}", file.object).context("writing a temporary file")?;
    }
    asked.rewind().context("writing a temporary file")?;
    let printed = git.ask_about(asked, ["cat-file", "--batch"]).with_context(|| {
        format!(
            "reading the files of {commit}\nif this clone lacks them: git fetch --refetch --depth=1 origin {commit}"
        )
    })?;
    let mut rest = printed.as_slice();
    let mut all = Vec::with_capacity(listed.len());
    for file in listed {
        let missing = || {
            format!(
                "this clone lacks {} of {commit}\nto fetch it: git fetch --refetch --depth=1 origin {commit}",
                file.path
            )
        };
        // `0123... blob 12\n`, the bytes and a line end; or `0123... missing\n`.
        let end = rest.iter().position(|&byte| byte == b'\n').with_context(missing)?;
        let head = String::from_utf8_lossy(&rest[..end]).into_owned();
        let size = head.rsplit_once(" blob ").and_then(|_| head.rsplit(' ').next()?.parse::<usize>().ok());
        let size = size.with_context(missing)?;
        let bytes = rest.get(end + 1..end + 1 + size).with_context(missing)?;
        all.push(bytes.to_vec());
        rest = rest.get(end + 2 + size..).with_context(missing)?;
    }
    Ok(all)
}
