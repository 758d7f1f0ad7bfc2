//! Which files of a tree count, and what that depends on.

use std::{
    collections::BTreeSet,
    env,
    fs::{self, FileType},
    os::unix::fs::FileTypeExt,
};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{Error, git::git};

/// The files that count, and everything that must be as it was for the list to be right still.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Files and links that count, by path below the root, sorted. Something else may stand there by now.
    pub(crate) files: Vec<String>,
    /// The folders in which a file that counts may appear; the root is the empty path. Sorted.
    pub(crate) folders: Vec<String>,
    /// Files that say what counts and do not count themselves; absolute, sorted. They need not be there.
    pub(crate) watched: Vec<Utf8PathBuf>,
}

/// Lists a tree: with git where it is the top of a checkout, else by the names of folders alone.
pub(crate) fn list(root: &Utf8Path) -> Result<Listing, Error> {
    if fs::symlink_metadata(root.join(".git")).is_ok() {
        return list_checkout(root);
    }
    let mut walk = Walk { root, skip: &left_out, found: Listing::default() };
    walk.folder("")?;
    Ok(walk.found.sorted())
}

/// What of the environment changes what git says.
pub(crate) fn environment() -> String {
    let names = ["HOME", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"];
    names.map(|name| format!("{name}={:?}\n", env::var_os(name))).concat()
}

/// Whether a path is left out, if git does not track it: results of builds, folders of editors, git's own.
fn left_out(path: &str) -> bool {
    const EDITORS: [&str; 9] =
        [".bloop", ".bsp", ".eclipse", ".fleet", ".idea", ".metals", ".settings", ".vscode", ".zed"];
    let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
    // Below `src`, a folder of any name is source.
    let is_built = name == "target" && !above.split('/').any(|part| part == "src");
    is_built || path == "dist" || name == ".git" || EDITORS.contains(&name)
}

/// Whether this path or a folder above it is left out.
fn is_below_left_out(path: &str) -> bool {
    path.match_indices('/').map(|(at, _)| at).chain([path.len()]).any(|end| left_out(&path[..end]))
}

impl Listing {
    fn sorted(mut self) -> Self {
        self.files.sort();
        self.files.dedup();
        self.folders.sort();
        self.folders.dedup();
        self.watched.sort();
        self.watched.dedup();
        self
    }
}

/// What `git ls-files` says, in one answer.
#[derive(Default)]
struct Said {
    /// Files, and checkouts of submodules.
    tracked: Vec<String>,
    untracked: Vec<String>,
    /// Other repositories, which are no part of this one.
    foreign: BTreeSet<String>,
}

fn list_checkout(root: &Utf8Path) -> Result<Listing, Error> {
    let said = said(root)?;
    let ignored = ["ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z"];
    let ignored = names(root, &git(root, &ignored)?)?;
    let ignored: BTreeSet<String> =
        ignored.iter().filter_map(|name| name.strip_suffix('/')).map(str::to_owned).collect();
    let mut holds_tracked = BTreeSet::new();
    for path in &said.tracked {
        for (at, _) in path.match_indices('/') {
            holds_tracked.insert(&path[..at]);
        }
    }
    let skip = |path: &str| {
        (ignored.contains(path) || said.foreign.contains(path) || left_out(path)) && !holds_tracked.contains(path)
    };
    let mut walk = Walk { root, skip: &skip, found: Listing::default() };
    walk.folder("")?;
    let Listing { files: seen, mut folders, .. } = walk.found;
    let mut watched = configuration(root)?;
    watched.extend(seen.iter().filter(|path| is_gitignore(path)).map(|path| root.join(path)));
    folders.extend(said.foreign.iter().cloned());
    // A tracked file below a folder that became a link is no longer there, whatever the link leads to.
    let real: BTreeSet<&str> = folders.iter().map(String::as_str).collect();
    let is_real = |path: &str| real.contains(path.rsplit_once('/').map_or("", |(above, _)| above));
    let counted = said.tracked.iter().chain(said.untracked.iter().filter(|path| !is_below_left_out(path)));
    let mut files = Vec::new();
    let mut submodules = Vec::new();
    for path in counted.filter(|path| is_real(path)) {
        match fs::symlink_metadata(root.join(path)) {
            Ok(metadata) if metadata.is_dir() => submodules.push(path),
            Ok(_) => files.push(path.clone()),
            // Tracked, and deleted by the user.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io("reading", &root.join(path))(error)),
        }
    }
    let mut found = Listing { files, folders: folders.clone(), watched };
    for path in submodules {
        let mut walk = Walk { root, skip: &left_out, found };
        walk.folder(path)?;
        found = walk.found;
    }
    Ok(found.sorted())
}

pub(crate) fn is_gitignore(path: &str) -> bool {
    path.rsplit('/').next() == Some(".gitignore")
}

fn said(root: &Utf8Path) -> Result<Said, Error> {
    let mut said = Said::default();
    let arguments = ["ls-files", "--cached", "--others", "--exclude-standard", "-t", "-z"];
    for line in names(root, &git(root, &arguments)?)? {
        match line.split_at_checked(2) {
            Some(("? ", path)) => match path.strip_suffix('/') {
                Some(folder) => drop(said.foreign.insert(folder.to_owned())),
                None => said.untracked.push(path.to_owned()),
            },
            Some((_, path)) => said.tracked.push(path.to_owned()),
            None => return Err(Error::Git { root: root.to_owned(), reason: format!("found `{line}`") }),
        }
    }
    Ok(said)
}

/// Names that end with a zero byte.
fn names(root: &Utf8Path, bytes: &[u8]) -> Result<Vec<String>, Error> {
    let names = bytes.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    let utf8 = |name: &[u8]| match std::str::from_utf8(name) {
        Ok(name) => Ok(name.to_owned()),
        Err(_) => Err(Error::Name(format!("{root}/{}", name.escape_ascii()))),
    };
    names.map(utf8).collect()
}

/// The files outside of the tree's own from which git takes what is tracked and what is ignored.
fn configuration(root: &Utf8Path) -> Result<Vec<Utf8PathBuf>, Error> {
    let lines = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let paths = ["rev-parse", "--git-path", "index", "--git-path", "info/exclude", "--git-path", "config"];
    let mut watched: Vec<_> = lines(git(root, &paths)?).lines().map(|path| root.join(path)).collect();
    // In a worktree it is a file that says where the repository is. The folder changes with everything that git does.
    watched.extend(Some(root.join(".git")).filter(|path| path.is_file()));
    let origins = git(root, &["config", "--list", "--show-origin", "--name-only", "-z"])?;
    let origins = lines(origins);
    watched.extend(origins.split('\0').filter_map(|field| field.strip_prefix("file:")).map(|path| root.join(path)));
    let home = env::var("HOME").ok().map(Utf8PathBuf::from);
    let own = env::var("XDG_CONFIG_HOME").ok().filter(|path| !path.is_empty()).map(Utf8PathBuf::from);
    let own = own.or_else(|| home.as_ref().map(|home| home.join(".config")));
    watched.extend(own.iter().flat_map(|own| [own.join("git/config"), own.join("git/ignore")]));
    watched.extend(home.map(|home| home.join(".gitconfig")));
    watched.push("/etc/gitconfig".into());
    let excludes = git(root, &["config", "--type=path", "core.excludesFile"])?;
    watched.extend(lines(excludes).lines().map(|path| root.join(path)));
    Ok(watched)
}

/// Goes through folders, without following links.
struct Walk<'a> {
    root: &'a Utf8Path,
    skip: &'a dyn Fn(&str) -> bool,
    found: Listing,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &str) -> Result<(), Error> {
        let path = self.root.join(folder);
        for entry in fs::read_dir(&path).map_err(Error::io("reading", &path))? {
            let entry = entry.map_err(Error::io("reading", &path))?;
            let kind = entry.file_type().map_err(Error::io("reading", &path))?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                return Err(Error::Name(format!("{path}/{}", name.as_encoded_bytes().escape_ascii())));
            };
            let below = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
            if kind.is_dir() {
                if !(self.skip)(&below) {
                    self.folder(&below)?;
                }
            } else if let Some(kind) = special(kind) {
                return Err(Error::Special { path: self.root.join(below), kind });
            } else if name != ".git" {
                // In a worktree or a submodule `.git` is a file.
                self.found.files.push(below);
            }
        }
        self.found.folders.push(folder.to_owned());
        Ok(())
    }
}

/// The name of a kind that no source tree has.
pub(crate) fn special(kind: FileType) -> Option<&'static str> {
    match () {
        () if kind.is_file() || kind.is_symlink() || kind.is_dir() => None,
        () if kind.is_socket() => Some("the socket"),
        () if kind.is_fifo() => Some("the pipe"),
        () => Some("the device"),
    }
}

#[cfg(test)]
mod tests {
    use super::{is_below_left_out, left_out};

    #[test]
    fn folders_of_builds_and_editors_are_left_out() {
        for path in
            ["target", "core/target", "project/project/target", "dist", ".git", "core/.git", ".idea", "a/.vscode"]
        {
            assert!(left_out(path), "{path}");
        }
        for path in ["core/src/test/resources/target", "src/target", "dev/dist", "targets", ".github", "project"] {
            assert!(!left_out(path), "{path}");
        }
        assert!(is_below_left_out("core/target/a/b") && is_below_left_out("core/target"));
        assert!(!is_below_left_out("core/src/target/a"));
    }
}
