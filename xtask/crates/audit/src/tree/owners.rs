//! Modes and owners: who may write, who gains rights, and what a recursive change stores again.

use super::{Subject, lines::words};
use crate::finding::Rule;

pub(super) fn check(subject: &mut Subject<'_>) {
    let script = subject.script;
    for command in &script.commands {
        let words = words(&command.text);
        let line = command.line;
        for mode in words.iter().filter_map(|word| word.strip_prefix("--chmod=")) {
            judge(subject, line, mode);
        }
        let Some(at) = words.iter().position(|word| word == "chmod" || word == "chown") else { continue };
        let rest = &words[at + 1..];
        let plain: Vec<&str> =
            rest.iter().map(|word| word.trim_matches(['"', '\''])).filter(|word| !word.starts_with('-')).collect();
        let Some((mode, paths)) = plain.split_first() else { continue };
        if words[at] == "chmod" {
            judge(subject, line, mode);
        }
        let recursive = rest.iter().any(|word| {
            word == "--recursive" || word.starts_with('-') && !word.starts_with("--") && word.contains('R')
        });
        if recursive && command.instruction == "RUN" {
            again(subject, line, command.block, &words[at], paths);
        }
    }
}

fn judge(subject: &mut Subject<'_>, line: usize, mode: &str) {
    let number = (mode.len() >= 3 && mode.len() <= 4).then(|| u32::from_str_radix(mode, 8).ok()).flatten();
    let symbolic = |who: &[&str], what: char| {
        mode.split(',').any(|part| {
            part.split_once(['+', '=']).is_some_and(|(whom, bits)| who.contains(&whom) && bits.contains(what))
        })
    };
    let world =
        number.is_some_and(|mode| mode & 0o002 != 0 && mode & 0o1000 == 0) || symbolic(&["o", "a", "ugo", "go"], 'w');
    let rights = number.is_some_and(|mode| mode & 0o6000 != 0) || symbolic(&["u", "g", "ug", "a", "+"], 's');
    if world {
        subject.find(Rule::WorldWritable, line, format!("gives mode {mode}"));
    }
    // The group's bit on a folder hands the group down; who sets it alone means that.
    if rights && !mode.starts_with('2') && mode != "g+s" {
        subject.find(Rule::Setuid, line, format!("gives mode {mode}"));
    }
}

/// A recursive change stores again what an earlier instruction brought. What the same RUN makes is stored once.
fn again(subject: &mut Subject<'_>, line: usize, block: usize, word: &str, paths: &[&str]) {
    let made = |path: &&&str| {
        let makes = |text: &str| {
            ["mkdir", "tar ", "cp ", "mv ", "git clone", "unzip ", "install "].iter().any(|word| text.contains(word))
        };
        let same = subject.script.commands.iter().filter(|command| command.block == block && makes(&command.text));
        same.into_iter().any(|command| words(&command.text).iter().any(|word| word == **path))
    };
    let stored: Vec<&str> = paths
        .iter()
        .filter(|path| path.starts_with('/') || path.starts_with('$'))
        .filter(|path| !made(path))
        .copied()
        .collect();
    if !stored.is_empty() {
        let message = format!("`{word} -R` stores all files of {} in one more layer", stored.join(" and "));
        subject.find(Rule::StoredTwice, line, message);
    }
}
