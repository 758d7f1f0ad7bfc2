//! What is wrong with a file, and where: collected, sorted, and shown with the line it is about.

use std::{fmt, ops::Range};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// A text with the name under which people know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Path relative to the root of the repository.
    pub path: String,
    /// The text of the file.
    pub text: String,
}

/// One thing that is wrong in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Path of the file, relative to the root of the repository.
    pub path: String,
    /// Bytes of the file that the problem is about.
    pub start: usize,
    /// End of those bytes, exclusive.
    pub end: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Whether nothing is wrong but that somebody has to decide: a question that `cargo xtask add-version` left.
    pub is_question: bool,
}

/// All that is wrong, never empty. Its `Display` shows each problem as `path:line:column`, the line itself, and the fix.
#[derive(Debug, Clone)]
pub struct Problems {
    problems: Vec<Problem>,
    sources: Vec<Source>,
}

impl Source {
    /// The line of a byte, counted from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.text.bytes().take(at).filter(|&byte| byte == b'\n').count() + 1
    }
}

impl std::error::Error for Problems {}

impl Problems {
    /// The problems, in the order of files and places.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter()
    }

    /// Whether all that is wrong is that questions are open.
    pub fn are_questions(&self) -> bool {
        self.problems.iter().all(|problem| problem.is_question)
    }

    /// Line and column of a problem, both counted from 1, the column in characters.
    pub fn place(&self, problem: &Problem) -> (usize, usize) {
        let text = self.text(problem);
        let before = &text[..floor_char_boundary(text, problem.start)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    fn text(&self, problem: &Problem) -> &str {
        self.sources.iter().find(|source| source.path == problem.path).map_or("", |source| &source.text)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let renderer = Renderer::plain();
        for problem in &self.problems {
            let text = self.text(problem);
            let span = floor_char_boundary(text, problem.start)..floor_char_boundary(text, problem.end);
            let snippet = Snippet::source(text).path(&problem.path).annotation(AnnotationKind::Primary.span(span));
            let mut report = vec![Level::ERROR.primary_title(&problem.message).element(snippet)];
            if let Some(help) = &problem.help {
                report.push(Group::with_title(Level::HELP.secondary_title(help)));
            }
            writeln!(f, "{}\n", renderer.render(&report))?;
        }
        match self.problems.len() {
            1 => write!(f, "1 problem"),
            n => write!(f, "{n} problems"),
        }
    }
}

fn floor_char_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// Takes problems as they are found.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    problems: Vec<Problem>,
}

impl Collector {
    pub(crate) fn add(&mut self, path: &str, span: Range<usize>, message: impl Into<String>) -> &mut Problem {
        self.problems.push(Problem {
            path: path.to_owned(),
            start: span.start,
            end: span.end,
            message: message.into(),
            help: None,
            is_question: false,
        });
        self.problems.last_mut().expect("one was just pushed")
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// The problems found, or nothing if there were none.
    pub(crate) fn finish(mut self, sources: &[Source]) -> Result<(), Problems> {
        if self.problems.is_empty() {
            return Ok(());
        }
        self.problems.sort();
        self.problems.dedup();
        Err(Problems { problems: self.problems, sources: sources.to_vec() })
    }
}

impl Problem {
    pub(crate) fn help(&mut self, help: impl Into<String>) {
        self.help = Some(help.into());
    }
}

/// The known word that is nearest to `word`, if one is near enough to be what was meant.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= 1 + word.len() / 4)
        .min()
        .map(|(_, candidate)| candidate)
}
