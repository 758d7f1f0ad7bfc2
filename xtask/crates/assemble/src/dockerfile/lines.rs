//! From text to logical lines: parser directives, comments, continuations and here-documents.

use super::words;
use crate::error::Problem;

/// An instruction with all its continuation lines joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// The line on which it begins, counted from 1.
    pub(super) number: usize,
    pub(super) text: String,
    pub(super) heredocs: Vec<Heredoc>,
}

/// A file that is written out in the Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heredoc {
    /// The word that ends it, which is also the name of the file.
    pub(crate) name: String,
    /// Whether variables in it are expanded: its word was not quoted.
    pub(crate) expand: bool,
    pub(crate) content: String,
}

/// The lines of a Dockerfile, and the character that escapes.
pub(super) struct Lines {
    pub(super) escape: char,
    pub(super) lines: Vec<Line>,
}

/// Reads logical lines. Problems are added to `problems`.
pub(super) fn read(text: &str, problems: &mut Vec<Problem>) -> Lines {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let escape = directives(text, problems);
    let mut physical = text.split_inclusive('\n').enumerate().map(|(index, line)| (index + 1, line));
    let mut lines = Vec::new();
    while let Some((number, first)) = physical.next() {
        let first = first.trim();
        if first.is_empty() || first.starts_with('#') {
            continue;
        }
        let (mut text, mut continued) = continuation(first, escape);
        while continued {
            let Some((_, next)) = physical.next() else { break };
            let next = next.trim_end_matches(['\r', '\n']);
            // Comments and empty lines inside of an instruction are passed over.
            if next.trim().is_empty() || next.trim_start().starts_with('#') {
                continue;
            }
            let part;
            (part, continued) = continuation(next, escape);
            text.push_str(&part);
        }
        if text.trim().is_empty() {
            continue;
        }
        let mut heredocs = Vec::new();
        for (name, expand, chomp) in heredoc_words(&text, escape) {
            let mut content = String::new();
            let mut ended = false;
            for (_, line) in physical.by_ref() {
                let strip = |line| if chomp { str::trim_start_matches(line, '\t') } else { line };
                if strip(line.trim_end_matches(['\r', '\n'])) == name {
                    ended = true;
                    break;
                }
                content.push_str(strip(line));
            }
            if !ended {
                let message = format!("the here-document has no end; end it with a line `{name}`");
                problems.push(Problem { line: number, message });
            }
            heredocs.push(Heredoc { name, expand, content });
        }
        lines.push(Line { number, text, heredocs });
    }
    Lines { escape, lines }
}

/// Reads `# escape=` and `# syntax=`, which count only before anything else.
fn directives(text: &str, problems: &mut Vec<Problem>) -> char {
    let mut escape = '\\';
    for (index, line) in text.lines().enumerate() {
        let Some((name, value)) = line.trim().strip_prefix('#').and_then(|rest| rest.split_once('=')) else { break };
        let mut problem = |message| problems.push(Problem { line: index + 1, message });
        match (name.trim().to_ascii_lowercase().as_str(), value.trim()) {
            ("escape", "\\") => escape = '\\',
            ("escape", "`") => escape = '`',
            ("escape", other) => problem(format!("escape must be a backslash or a backtick, found `{other}`")),
            ("syntax", frontend) if !is_usual(frontend) => problem(format!(
                "the syntax `{frontend}` is not known here; use docker/dockerfile:1 or leave the line out"
            )),
            ("syntax" | "check", _) => {}
            _ => break,
        }
    }
    escape
}

/// Whether a frontend is Docker's own, whose language this is.
fn is_usual(frontend: &str) -> bool {
    let name = frontend.strip_prefix("docker.io/").unwrap_or(frontend);
    name.strip_prefix("docker/dockerfile").is_some_and(|rest| rest.is_empty() || rest.starts_with(":1"))
}

/// The line without its continuation character, and whether it had one.
///
/// An escape character that is itself escaped continues nothing.
fn continuation(line: &str, escape: char) -> (String, bool) {
    let trimmed = line.trim_end_matches([' ', '\t']);
    match trimmed.strip_suffix(escape) {
        Some(rest) if !rest.ends_with(escape) => (rest.to_owned(), true),
        _ => (line.to_owned(), false),
    }
}

/// The here-documents that a line begins: word, whether to expand, whether to take off tabs.
fn heredoc_words(line: &str, escape: char) -> Vec<(String, bool, bool)> {
    let instruction = line.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
    if !matches!(instruction.as_str(), "ADD" | "COPY" | "RUN") || !line.contains("<<") {
        return Vec::new();
    }
    words::split(line, escape).iter().filter_map(|word| heredoc_word(word)).collect()
}

/// Reads `<<EOF`, `<<-EOF` or `<<"EOF"`.
pub(super) fn heredoc_word(word: &str) -> Option<(String, bool, bool)> {
    let rest = word.trim_start_matches(|char: char| char.is_ascii_digit()).strip_prefix("<<")?;
    let (rest, chomp) = rest.strip_prefix('-').map_or((rest, false), |rest| (rest, true));
    let name: String = rest.chars().filter(|char| !matches!(char, '"' | '\'')).collect();
    (!name.is_empty() && !name.contains('<')).then(|| (name.clone(), name == rest, chomp))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<(usize, String)> {
        let mut problems = Vec::new();
        let lines = read(text, &mut problems).lines;
        assert_eq!(problems, []);
        lines.into_iter().map(|line| (line.number, line.text)).collect()
    }

    #[test]
    fn continuations_are_joined_and_comments_dropped() {
        let text = "\u{feff}# c\r\nFROM a\r\n\r\nLABEL a=b \\\r\n  # in between\r\n\r\n  c=d \\ \r\n e=f\r\nUSER x\\\\\nENV a b\\";
        let expected = [(2, "FROM a"), (4, "LABEL a=b   c=d  e=f"), (9, "USER x\\\\"), (10, "ENV a b")];
        assert_eq!(texts(text), expected.map(|(number, text)| (number, text.to_owned())));
    }

    #[test]
    fn the_escape_directive_counts_only_at_the_top() {
        assert_eq!(texts("# escape=`\nLABEL a=b `\n c=d\n"), [(2, "LABEL a=b  c=d".to_owned())]);
        assert_eq!(texts("# comment\n# escape=`\nLABEL a=b\\\n c=d\n"), [(3, "LABEL a=b c=d".to_owned())]);
        let mut problems = Vec::new();
        read("# escape=x\n# syntax=other/frontend\n", &mut problems);
        assert_eq!(problems.iter().map(|problem| problem.line).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn here_documents_are_taken_out() {
        let mut problems = Vec::new();
        let lines = read("COPY <<A <<-'B' /x\n1 $x\nA\n\t2\n\tB\nUSER y\nCOPY <<C /z\n", &mut problems).lines;
        let [a, b] = &lines[0].heredocs[..] else { panic!("{lines:?}") };
        assert_eq!((a.name.as_str(), a.expand, a.content.as_str()), ("A", true, "1 $x\n"));
        assert_eq!((b.name.as_str(), b.expand, b.content.as_str()), ("B", false, "2\n"));
        assert_eq!(lines[1].text, "USER y");
        assert_eq!(problems[0].line, 7);
    }
}
