//! Tags: one name for different images. Whichever was built last has it.

use std::collections::BTreeMap;

use super::{
    TreeExpect, at,
    lines::{Kind, Script, words},
};
use crate::finding::{Finding, Rule};

const ENGINES: [&str; 4] = ["docker", "podman", "buildah", "nerdctl"];

/// Who gives a tag: file, line, and what is tagged.
type Giver<'s> = (&'s str, usize, String);

pub(super) fn check(scripts: &[(&str, Script)], expect: &TreeExpect) -> Vec<Finding> {
    let mut given: BTreeMap<String, Vec<Giver<'_>>> = BTreeMap::new();
    for (path, script) in scripts.iter().filter(|(_, script)| matches!(script.kind, Kind::Shell | Kind::Makefile)) {
        for command in script.commands.iter().filter(|command| !command.is_said()) {
            for (tag, what) in tags(path, &command.text) {
                given.entry(tag).or_default().push((path, command.line, what));
            }
        }
    }
    let mut findings = Vec::new();
    for (tag, givers) in given {
        let Some((path, line, what)) = givers.first() else { continue };
        let legacy = expect.tags.iter().find(|(name, _)| *name == tag).map(|(_, reason)| reason);
        if let Some((other, at_line, _)) = givers.iter().find(|(_, _, thing)| thing != what) {
            let message = format!("{tag} is given here, and for something else at {path}:{line}");
            findings.push(Finding::new(Rule::CollidingTag, at(other, *at_line), message));
        } else if let Some(reason) = legacy {
            findings.push(Finding::new(Rule::CollidingTag, at(path, *line), format!("{tag} is given here: {reason}")));
        }
    }
    findings
}

/// The tags that a command gives, and what it gives them to.
fn tags(path: &str, text: &str) -> Vec<(String, String)> {
    let words = words(text.trim_start_matches(['@', '-']));
    let words: Vec<&str> = words.iter().map(|word| word.trim_matches(['"', '\''])).collect();
    let Some(at) = words.iter().position(|word| ENGINES.contains(word)) else { return Vec::new() };
    let (verb, rest) = (words.get(at + 1).copied().unwrap_or_default(), words.get(at + 2..).unwrap_or_default());
    if verb == "tag" {
        let plain: Vec<&str> = rest.iter().copied().filter(|word| !word.starts_with('-')).collect();
        let [image, tag, ..] = plain.as_slice() else { return Vec::new() };
        return whole(tag).map(|tag| (tag, (*image).to_owned())).into_iter().collect();
    }
    if !matches!(verb, "build" | "buildx" | "bud") {
        return Vec::new();
    }
    let what = built(path, rest);
    let given = values(rest, &["-t", "--tag"]);
    given.filter_map(whole).map(|tag| (tag, what.clone())).collect()
}

/// What a build builds: its Dockerfile or else its folder, and all that it is told.
fn built(path: &str, words: &[&str]) -> String {
    let file = values(words, &["-f", "--file"]).next().and_then(|file| file.rsplit('/').next());
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut told: Vec<&str> = values(words, &["--build-arg", "--target"]).collect();
    told.sort_unstable();
    format!("{} {}", file.unwrap_or(folder), told.join(" "))
}

/// The values of flags, written `--flag value` or `--flag=value`.
fn values<'w>(words: &'w [&'w str], flags: &'w [&'w str]) -> impl Iterator<Item = &'w str> {
    let apart = words.windows(2).filter(|pair| flags.contains(&pair[0])).map(|pair| pair[1]);
    let joined = words.iter().filter_map(|word| word.split_once('=').filter(|(flag, _)| flags.contains(flag)));
    apart.chain(joined.map(|(_, value)| value)).map(|value| value.trim_matches(['"', '\'']))
}

/// A tag without an unknown in it.
fn whole(tag: &str) -> Option<String> {
    (tag.contains(':') && !tag.contains(['$', '{', '('])).then(|| tag.to_owned())
}
