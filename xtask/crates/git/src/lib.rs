//! What git says of a checkout. Asks the git of this machine, and no network; writes nothing in a repository.

mod commit;
mod tree;

use std::{
    ffi::OsString,
    fs::File,
    io,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use anyhow::{Context as _, Result, bail};
use camino::{Utf8Path, Utf8PathBuf};

pub use commit::{commit, differs};
pub use tree::write_tree;

/// What a caller of this program, such as a git hook, may have set and what would point git to another repository.
pub const ELSEWHERE: [&str; 8] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
];
/// What would have git read paths otherwise than as they are.
const PATHSPECS: [&str; 3] = ["GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS"];

/// A folder in a git repository.
#[derive(Debug, Clone)]
pub struct Git {
    folder: Utf8PathBuf,
    /// An index in the place of the repository's own.
    index: Option<PathBuf>,
}

impl Git {
    /// The repository that `folder` lies in, if it lies in any.
    pub fn around(folder: &Utf8Path) -> Option<Self> {
        let there = folder.ancestors().any(|above| above.join(".git").symlink_metadata().is_ok());
        there.then(|| Self { folder: folder.to_owned(), index: None })
    }

    /// What `git WORDS` prints in the folder. Nothing in the repository is written, and no monitor that its configuration
    /// names is started. Paths among the words mean themselves, whatever characters they hold.
    ///
    /// # Errors
    /// git is not installed, or says no.
    pub fn ask<W: Into<OsString>>(&self, words: impl IntoIterator<Item = W>) -> Result<Vec<u8>> {
        self.ask_or(None, None, words)
    }

    /// The same, with a file as its input.
    ///
    /// # Errors
    /// As [`Git::ask`].
    pub(crate) fn ask_about<W: Into<OsString>>(
        &self,
        input: File,
        words: impl IntoIterator<Item = W>,
    ) -> Result<Vec<u8>> {
        self.ask_or(None, Some(input), words)
    }

    /// The same repository with an index of its own at this path, which holds the last commit and knows nothing of files:
    /// whoever asks it has them read.
    ///
    /// # Errors
    /// As [`Git::ask`].
    pub fn of_last_commit(&self, index: PathBuf) -> Result<Self> {
        let git = Self { folder: self.folder.clone(), index: Some(index) };
        git.ask(["read-tree", "HEAD"])?;
        Ok(git)
    }

    /// Whether anything was ever committed.
    ///
    /// # Errors
    /// As [`Git::ask`].
    pub fn has_commit(&self) -> Result<bool> {
        Ok(!self.find(["rev-parse", "--quiet", "--verify", "HEAD"])?.is_empty())
    }

    /// The same as [`Git::ask`], where exit code 1 means that nothing was found.
    ///
    /// # Errors
    /// As [`Git::ask`].
    pub fn find<W: Into<OsString>>(&self, words: impl IntoIterator<Item = W>) -> Result<Vec<u8>> {
        self.ask_or(Some(1), None, words)
    }

    fn ask_or<W: Into<OsString>>(
        &self,
        fine: Option<i32>,
        input: Option<File>,
        words: impl IntoIterator<Item = W>,
    ) -> Result<Vec<u8>> {
        let words: Vec<OsString> = words.into_iter().map(Into::into).collect();
        let name = words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
        let output = match self.run(input, &words) {
            Ok(output) => output,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                bail!("git is not installed, and {} is a git checkout\n  apt-get install git", self.folder)
            }
            Err(error) => return Err(error).with_context(|| format!("running git {name} in {}", self.folder)),
        };
        if !output.status.success() && (fine.is_none() || output.status.code() != fine) {
            bail!("git {name} failed in {}: {}", self.folder, String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(output.stdout)
    }

    #[expect(clippy::disallowed_methods, reason = "the one place of this crate that starts a process")]
    fn run(&self, input: Option<File>, words: &[OsString]) -> io::Result<Output> {
        let flags = ["--no-optional-locks", "--literal-pathspecs"];
        let settings = ["core.fsmonitor=false", "core.sparseCheckout=false", "grep.fullName=false"];
        let mut command = Command::new("git");
        command.args(flags).args(settings.into_iter().flat_map(|setting| ["-c", setting])).args(words);
        command.current_dir(&self.folder).env("LC_ALL", "C");
        // A partial clone would fetch what it lacks, without a word.
        command.env("GIT_NO_LAZY_FETCH", "1").env("GIT_TERMINAL_PROMPT", "0");
        for variable in ELSEWHERE.into_iter().chain(PATHSPECS) {
            command.env_remove(variable);
        }
        if let Some(index) = &self.index {
            command.env("GIT_INDEX_FILE", index);
        }
        command.stdin(input.map_or_else(Stdio::null, Stdio::from)).output()
    }
}

/// What differs from the last commit below `folder` in these paths (all of it, if none is named), as `git status` writes
/// it. Nothing where there is no git repository: an unpacked archive is as it was published.
///
/// # Errors
/// There is a repository and git cannot tell.
pub fn changes(folder: &Utf8Path, paths: &[&str]) -> Result<Vec<String>> {
    let Some(git) = Git::around(folder) else { return Ok(Vec::new()) };
    let fixed = ["status", "--porcelain", "--untracked-files=all", "--"];
    let words = fixed.iter().chain(if paths.is_empty() { &["."] } else { paths });
    let printed = git.ask(words).with_context(|| format!("asking git whether {folder} is clean"))?;
    Ok(String::from_utf8_lossy(&printed).lines().map(str::to_owned).collect())
}
