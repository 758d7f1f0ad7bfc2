//! Why a compile failed, in Maven's own words without its boilerplate.

use std::{collections::BTreeMap, fmt};

use super::{
    advice::Advice,
    line,
    reader::{Finished, Running},
};

/// Error messages are not more than this in number; a broken header in Scala can make thousands.
const MAX_ERRORS: usize = 100;
/// Nor does one message go on for longer than this.
const MAX_CONTINUED: usize = 8;

/// A compile that failed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Failure {
    /// The modules that failed, more than one only with `-T` or `--fail-at-end`; none where Maven did not get that far.
    pub projects: Vec<FailedProject>,
    /// Maven's and the compilers' error messages in their order, each once. Further lines of a message follow after a
    /// newline.
    pub errors: Vec<String>,
    /// How many further messages were left out.
    pub left_out: usize,
    /// Coordinates of artifacts that could not be had, sorted.
    pub unresolved: Vec<String>,
    /// Known causes, and the line by which each was recognised (empty: by the exit status).
    pub advice: Vec<(Advice, String)>,
    /// Maven was successful, and the script failed after it.
    pub collecting: bool,
    /// The script's exit status.
    pub exit: Option<i32>,
}

/// A module that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedProject {
    /// The module's name (`Spark Project Core`), or its artifact id where no name is known.
    pub module: String,
    /// The goal, `scala-maven-plugin:compile`, where a goal failed.
    pub goal: Option<String>,
    /// What Maven says at the end, without the goal, the project and `-> [Help 1]`; empty where it said nothing.
    pub sentence: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        for project in &self.projects {
            lines.push(match &project.goal {
                Some(goal) => format!("{} failed in {goal}", project.module),
                None => format!("{} failed", project.module),
            });
            // A list of compile errors is repeated in the sentence.
            let first = project.sentence.lines().next().unwrap_or_default();
            if !first.is_empty() {
                lines.push(format!("  {first}"));
            }
        }
        if self.collecting {
            lines.push("Maven was successful, and make-distribution.sh failed in copying its results".to_owned());
        }
        lines.extend(self.errors.iter().flat_map(|error| error.lines()).map(|line| format!("  {line}")));
        if self.left_out > 0 {
            lines.push(format!("  and {} further messages", self.left_out));
        }
        if lines.is_empty() {
            lines.push(match self.exit {
                Some(exit) => format!("it ended with status {exit} and no error message"),
                None => "no error message".to_owned(),
            });
        }
        for (advice, sign) in &self.advice {
            let shown = lines.iter().any(|line| !sign.is_empty() && line.contains(sign.as_str()));
            // A sign that is part of a message above need not be said twice.
            if !sign.is_empty() && !shown && !self.projects.iter().any(|project| sign.contains(&project.sentence)) {
                lines.push(format!("  {sign}"));
            }
            lines.push(advice.to_string());
        }
        f.write_str(&lines.join("\n"))
    }
}

/// The error messages so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Errors {
    messages: Vec<String>,
    left_out: usize,
    /// How many lines the last message has after its first; nothing where it is closed.
    continued: Option<usize>,
}

impl Errors {
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// A line at the level of an error.
    pub(super) fn take(&mut self, text: &str) {
        self.continued = None;
        let text = without_help(text);
        if is_boilerplate(text) {
            return;
        }
        let known = |message: &String| message.lines().any(|line| line.trim() == text.trim());
        if self.messages.iter().any(known) {
            return;
        }
        if self.messages.len() >= MAX_ERRORS && !text.starts_with("Failed to execute goal ") {
            self.left_out += 1;
            return;
        }
        self.messages.push(text.to_owned());
        self.continued = Some(0);
    }

    /// A line without a level right after an error belongs to it: the types that a compiler found.
    pub(super) fn go_on(&mut self, text: &str) {
        let (Some(continued), Some(last)) = (&mut self.continued, self.messages.last_mut()) else { return };
        if *continued >= MAX_CONTINUED || text.trim().is_empty() || text.trim() == "@" || text.starts_with('+') {
            self.continued = None;
            return;
        }
        last.push('\n');
        last.push_str(text);
        *continued += 1;
    }

    pub(super) fn end_of_message(&mut self) {
        self.continued = None;
    }
}

/// What Maven says after every failure.
fn is_boilerplate(text: &str) -> bool {
    let text = text.trim();
    text.is_empty()
        || text.starts_with("[Help ")
        || text.starts_with("-> [Help ")
        || text.starts_with("To see the full stack trace")
        || text.starts_with("Re-run Maven using")
        || text.starts_with("For more information about the errors")
        || text.starts_with("After correcting the problems")
        || text.starts_with("mvn <args> -rf ")
        || text == "COMPILATION ERROR :"
        || text == "@"
        || text.ends_with("Some problems were encountered while processing the POMs:")
}

fn without_help(text: &str) -> &str {
    match text.rsplit_once(" -> [Help ") {
        Some((before, number)) if number.trim_end().ends_with(']') => before,
        _ => text,
    }
}

/// Puts a failure together.
pub(super) fn of<'a>(
    errors: &Errors,
    names: &BTreeMap<String, String>,
    failed: impl Iterator<Item = &'a Finished>,
    advice: Vec<(Advice, String)>,
) -> Failure {
    let mut failure = Failure { left_out: errors.left_out, advice, ..Failure::default() };
    for message in &errors.messages {
        failure.unresolved.extend(unresolved(message));
        match project(message, names) {
            Some(project) => failure.projects.push(project),
            None => failure.errors.push(message.clone()),
        }
    }
    for Finished { name, goal, .. } in failed {
        if !failure.projects.iter().any(|project| project.module == *name) {
            let (module, goal) = (name.clone(), goal.clone());
            failure.projects.push(FailedProject { module, goal, sentence: String::new() });
        }
    }
    failure.unresolved.sort();
    failure.unresolved.dedup();
    failure
}

/// The module that was at work when Maven ended without a word.
pub(super) fn interrupted(module: &Running) -> FailedProject {
    FailedProject { module: module.name.clone(), goal: module.goal.clone(), sentence: String::new() }
}

/// `Failed to execute goal [G:A:V:goal (execution)] on project X: sentence`.
fn project(message: &str, names: &BTreeMap<String, String>) -> Option<FailedProject> {
    let rest = message.strip_prefix("Failed to execute goal ")?;
    let (goal, rest) = match rest.strip_prefix("on project ") {
        Some(rest) => (None, rest),
        None => {
            let (goal, rest) = rest.split_once(" on project ")?;
            (line::short_goal(goal.split_whitespace().next()?), rest)
        }
    };
    let (artifact, sentence) = rest.split_once(": ").unwrap_or((rest, ""));
    let module = names.get(artifact).cloned().unwrap_or_else(|| artifact.to_owned());
    // Maven says "Compilation failure: Compilation failure:" where there are several.
    let sentence = match sentence.split_once(": ") {
        Some((first, rest)) if rest.trim().trim_end_matches(':') == first => first,
        _ => sentence,
    };
    Some(FailedProject { module, goal, sentence: sentence.trim().trim_end_matches(':').to_owned() })
}

/// The artifacts that a message names as not to be had.
fn unresolved(message: &str) -> Vec<String> {
    let is_coordinate = |word: &str| {
        let parts = word.split(':').count();
        (4..=5).contains(&parts) && !word.contains('/') && word.split(':').all(|part| !part.is_empty())
    };
    let coordinates = |text: &str| -> Vec<String> {
        let words = text.split([' ', ',', '(', ')']).map(|word| word.trim_end_matches(['.', ':']));
        words.filter(|word| is_coordinate(word)).map(str::to_owned).collect()
    };
    if let Some((_, rest)) = message.split_once("could not be resolved: ") {
        // "A (absent), B (absent): Could not find artifact A in central (https://...)"
        return coordinates(rest.split_once(": Could not").map_or(rest, |(list, _)| list));
    }
    match message.split_once("Could not find artifact ") {
        Some((_, rest)) => coordinates(rest).into_iter().take(1).collect(),
        None => Vec::new(),
    }
}
