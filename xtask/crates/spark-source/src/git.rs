//! The only place of this crate that starts a process: git, in a tree, to be asked.

use std::io;

use ::git::ELSEWHERE;
use camino::Utf8Path;

use crate::Error;

/// What would change how it reads this one.
const SETTINGS: [&str; 3] = ["GIT_CONFIG", "GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT"];

/// What `git ARGUMENTS` prints in `root`. A value that `git config` does not find is printed as nothing.
pub(crate) fn git(root: &Utf8Path, arguments: &[&str]) -> Result<Vec<u8>, Error> {
    let error = |reason: String| Error::Git { root: root.to_owned(), reason };
    // A monitor is a program that the checkout's configuration names.
    let safe = ["-c", "core.fsmonitor=false"].iter().chain(arguments);
    let mut expression = duct::cmd("git", safe).dir(root).env("LC_ALL", "C").env("GIT_OPTIONAL_LOCKS", "0");
    for name in ELSEWHERE.into_iter().chain(SETTINGS) {
        expression = expression.env_remove(name);
    }
    // Where `.git` is no repository, git would go on to one further up, which is about other files.
    if let Some(parent) = root.parent() {
        expression = expression.env("GIT_CEILING_DIRECTORIES", parent);
    }
    let output = match expression.stdin_null().stdout_capture().stderr_capture().unchecked().run() {
        Ok(output) => output,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            return Err(error("it is not installed, and the tree is a git checkout".into()));
        }
        Err(cause) => return Err(error(cause.to_string())),
    };
    match output.status.code() {
        Some(0) => Ok(output.stdout),
        Some(1) if arguments.first() == Some(&"config") => Ok(output.stdout),
        _ => Err(error(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
    }
}
