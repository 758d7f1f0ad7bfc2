//! What comes from a network: with a digest or without one, and with an eye on whether it came.

use std::collections::BTreeSet;

use super::{
    Subject,
    lines::{Command, Kind, words},
};
use crate::finding::Rule;

/// What compares bytes with something that was known before.
const CHECKS: [&str; 8] = [
    "sha256sum -c",
    "sha256sum --check",
    "sha512sum -c",
    "sha512sum --check",
    "shasum -",
    "gpg --verify",
    "gpgv ",
    "sha256sum --status",
];
/// How names of files end that are programs, libraries or archives.
const FILES: [&str; 13] =
    [".jar", ".tgz", ".tar.gz", ".tar.xz", ".tar", ".zip", ".sh", ".deb", ".rpm", ".whl", ".gz", ".py", ".pem"];
/// Commands without which an image is not what it should be. A download is one where it fetches a file.
const MATTER: [&str; 8] =
    ["pip install", "pip3 install", "apt-get install", "mvn ", "docker build", "docker push", "docker tag ", "unzip "];

pub(super) fn check(subject: &mut Subject<'_>) {
    let script = subject.script;
    // A RUN must check what it fetches itself, because the layer is made when it ends; a script may do it later.
    let checked: BTreeSet<usize> = script
        .commands
        .iter()
        .filter(|command| CHECKS.iter().any(|check| command.text.contains(check)))
        .map(|command| command.block)
        .collect();
    let anywhere = script.kind != Kind::Dockerfile && !checked.is_empty();
    for command in &script.commands {
        if command.instruction == "HEALTHCHECK" || command.is_said() {
            continue;
        }
        let file = fetched(command);
        if let Some(how) = ignored(&command.text, file.is_some()) {
            subject.find(Rule::IgnoredFailure, command.line, format!("goes on when this fails: `{how}`"));
        }
        if let Some(file) = file.filter(|_| !anywhere && !checked.contains(&command.block)) {
            let message = format!("fetches {file} and compares it with no digest");
            subject.find(Rule::UnpinnedDownload, command.line, message);
        }
    }
}

/// The file that a command fetches.
fn fetched(command: &Command) -> Option<String> {
    let text = &command.text;
    let add = command.instruction == "ADD" && !text.contains("--checksum");
    if !add && !text.contains("wget ") && !text.contains("curl ") {
        return None;
    }
    let words = words(text);
    let address = words.iter().map(|word| word.trim_matches(['"', '\'', ')', '(', '`'])).find(|word| {
        let rest = word.strip_prefix("https://").or(word.strip_prefix("http://"));
        // A host without a dot is a service beside the container: somebody asks whether it is well.
        rest.and_then(|rest| rest.split(['/', ':']).next())
            .is_some_and(|host| host.contains('.') && host != "127.0.0.1" || host.starts_with('$'))
    })?;
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let run = text.contains("| sh") || text.contains("| bash") || text.contains("| tar");
    let is_file = FILES.iter().any(|end| path.ends_with(end));
    (is_file || run).then(|| path.rsplit('/').next().unwrap_or(path).to_owned())
}

/// How the failure of a command that matters is ignored.
fn ignored(text: &str, fetches: bool) -> Option<String> {
    let (before, after) = text.split_once("||")?;
    let after = after.trim();
    let ignores = after == ":" || after.starts_with("true") || after.starts_with("echo ");
    let matters = fetches || MATTER.iter().any(|word| before.contains(word));
    let leaves = after.contains("exit 1") || after.contains("return 1");
    let word = after.split_whitespace().next().unwrap_or(after);
    (ignores && matters && !leaves).then(|| format!("|| {word}"))
}
