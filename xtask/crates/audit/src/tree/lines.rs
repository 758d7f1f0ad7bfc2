//! Files as commands: continued lines joined, variables with a value in the same file expanded.

use std::collections::BTreeMap;

/// How often a value is expanded that holds further variables.
const DEPTH: usize = 5;

/// What a file is, by its name and first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Instructions, each with its commands.
    Dockerfile,
    /// A shell script.
    Shell,
    /// A Makefile.
    Makefile,
    /// Variables of containers: a compose file, or a file of variables.
    Variables,
}

impl Kind {
    /// What a file is, if rules for commands or variables look at it.
    pub fn of(path: &str, text: &str) -> Option<Self> {
        let name = path.rsplit('/').next().unwrap_or(path);
        let lower = name.to_ascii_lowercase();
        let yaml = lower.ends_with(".yml") || lower.ends_with(".yaml");
        let docker =
            lower.starts_with("dockerfile") || lower.starts_with("containerfile") || lower.ends_with(".dockerfile");
        if docker && !lower.ends_with(".md") && !lower.ends_with(".dockerignore") {
            return Some(Self::Dockerfile);
        }
        if lower == "makefile" || lower == "gnumakefile" || lower.ends_with(".mk") {
            return Some(Self::Makefile);
        }
        if yaml && (lower.starts_with("docker-compose") || lower.starts_with("compose")) || lower.ends_with(".env") {
            return Some(Self::Variables);
        }
        let first = text.lines().next().unwrap_or_default();
        let shell = first.starts_with("#!") && first.trim_end().ends_with("sh");
        (lower.ends_with(".sh") || lower.ends_with(".bash") || shell).then_some(Self::Shell)
    }
}

/// A command, or an instruction that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Command {
    /// Where it begins.
    pub(super) line: usize,
    /// The instruction that it belongs to, by number: what is done in one RUN is one layer.
    pub(super) block: usize,
    /// The instruction's word, in a Dockerfile; else empty.
    pub(super) instruction: String,
    /// Its text, with variables expanded and on one line.
    pub(super) text: String,
}

impl Command {
    /// Whether it only prints.
    pub(super) fn is_said(&self) -> bool {
        let text = self.text.trim_start_matches(['@', '-', ' ']);
        ["echo ", "printf ", "log ", "log_"].iter().any(|word| text.starts_with(word))
    }
}

/// A file as commands.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) kind: Kind,
    pub(super) commands: Vec<Command>,
    /// Where variables get a value: line, name, value as it is written.
    pub(super) assignments: Vec<(usize, String, String)>,
    pub(super) values: BTreeMap<String, String>,
}

impl Script {
    pub(super) fn read(kind: Kind, text: &str) -> Self {
        let logical = join(kind, text);
        let mut script = Self { kind, commands: Vec::new(), assignments: Vec::new(), values: BTreeMap::new() };
        for pieces in &logical {
            script.assign(pieces);
        }
        for (block, pieces) in logical.iter().enumerate() {
            script.split(block, pieces);
        }
        script
    }

    /// Notes the variables that a logical line sets.
    fn assign(&mut self, pieces: &[(usize, String)]) {
        for (number, (line, text)) in pieces.iter().enumerate() {
            let text = text.trim();
            let found = match self.kind {
                Kind::Variables => from_yaml(text).into_iter().collect(),
                Kind::Dockerfile => {
                    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
                    let set = |word: &str| matches!(word.to_ascii_uppercase().as_str(), "ENV" | "ARG");
                    let first = pieces[0].1.split_whitespace().next().unwrap_or_default();
                    match number {
                        0 if set(word) => pairs(rest),
                        0 => Vec::new(),
                        _ if set(first) => pairs(text),
                        _ => Vec::new(),
                    }
                }
                Kind::Shell | Kind::Makefile => assignment(text).into_iter().collect(),
            };
            for (name, value) in found {
                // In a shell `NAME="${NAME:-value}"` is the usual default.
                self.values.entry(name.clone()).or_insert_with(|| value.clone());
                self.assignments.push((*line, name, value));
            }
        }
    }

    /// Cuts a logical line into commands.
    fn split(&mut self, block: usize, pieces: &[(usize, String)]) {
        let first = pieces.first().map_or("", |(_, text)| text.trim());
        let instruction = match self.kind {
            Kind::Dockerfile => first.split_whitespace().next().unwrap_or_default().to_ascii_uppercase(),
            _ => String::new(),
        };
        let mut current: Option<Command> = None;
        for (line, text) in pieces {
            let text = self.expand(text.trim());
            for (number, part) in parts(&text).into_iter().enumerate() {
                if number > 0 {
                    self.commands.extend(current.take());
                }
                let part = part.trim();
                if part.is_empty() {
                    continue;
                }
                match &mut current {
                    Some(command) => command.text = format!("{} {part}", command.text),
                    None => {
                        let (instruction, text) = (instruction.clone(), part.to_owned());
                        current = Some(Command { line: *line, block, instruction, text });
                    }
                }
            }
        }
        self.commands.extend(current);
    }

    /// Puts values in the place of variables, as far as they are known.
    pub(super) fn expand(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for _ in 0..DEPTH {
            let next = self.expand_once(&text);
            if next == text || next.len() > 64 << 10 {
                break;
            }
            text = next;
        }
        text
    }

    fn expand_once(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            let (whole, name, default) = reference(rest);
            match self.values.get(name).map(String::as_str).or(default) {
                // A value that names itself, `${NAME:-value}`, is its default.
                Some(value) if !name.is_empty() => match own_default(name, value) {
                    Some(default) => out.push_str(default),
                    None => out.push_str(value),
                },
                _ => out.push_str(&rest[..whole]),
            }
            rest = &rest[whole..];
        }
        out + rest
    }
}

/// The reference at the beginning of a text: its length, its name, its default.
fn reference(text: &str) -> (usize, &str, Option<&str>) {
    let close = match text.as_bytes().get(1) {
        Some(b'{') => '}',
        Some(b'(') => ')',
        _ => {
            let length = text[1..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len() - 1);
            return (1 + length, &text[1..1 + length], None);
        }
    };
    let Some(end) = text.find(close) else { return (1, "", None) };
    let inner = &text[2..end];
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (end + 1, if plain { name } else { "" }, default)
}

fn own_default<'v>(name: &str, value: &'v str) -> Option<&'v str> {
    value.strip_prefix("${")?.strip_prefix(name)?.strip_prefix(":-")?.strip_suffix('}')
}

/// Logical lines: each a list of the lines that it is written on, with their numbers. Comments are left out.
fn join(kind: Kind, text: &str) -> Vec<Vec<(usize, String)>> {
    let mut logical: Vec<Vec<(usize, String)>> = Vec::new();
    let mut open = false;
    for (number, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.starts_with('#') || trimmed.is_empty() {
            // In a Dockerfile a comment does not end a continued line.
            open = open && kind == Kind::Dockerfile;
            continue;
        }
        let body = trimmed.strip_suffix('\\');
        let piece = (number + 1, body.unwrap_or(trimmed).to_owned());
        match logical.last_mut().filter(|_| open) {
            Some(last) => last.push(piece),
            None => logical.push(vec![piece]),
        }
        open = body.is_some() && kind != Kind::Variables;
    }
    logical
}

/// `NAME=value NAME="value"` and the old form `NAME value`.
fn pairs(text: &str) -> Vec<(String, String)> {
    if let Some((name, value)) = text.trim().split_once(char::is_whitespace).filter(|(name, _)| !name.contains('=')) {
        return vec![(name.to_owned(), unquoted(value))];
    }
    words(text)
        .iter()
        .filter_map(|word| word.split_once('='))
        .map(|(name, value)| (name.to_owned(), unquoted(value)))
        .collect()
}

/// `NAME=value`, also behind `readonly`, `export`, `local`; and Make's `NAME ?= value`, `NAME := value`.
fn assignment(text: &str) -> Option<(String, String)> {
    let text = ["readonly ", "export ", "local ", "declare -r "]
        .iter()
        .find_map(|word| text.strip_prefix(word))
        .unwrap_or(text);
    let (name, value) = text.split_once('=')?;
    let name = name.trim_end().trim_end_matches(['?', ':']).trim_end();
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then(|| (name.to_owned(), unquoted(value)))
}

/// `NAME: value` and `- NAME=value` of YAML, `NAME=value` of a file of variables.
fn from_yaml(text: &str) -> Option<(String, String)> {
    let text = text.strip_prefix("- ").unwrap_or(text).trim_matches(['"', '\'']);
    let (name, value) = text.split_once('=').or(text.split_once(": "))?;
    let is_name =
        name.len() > 1 && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    is_name.then(|| (name.to_owned(), unquoted(value)))
}

fn unquoted(value: &str) -> String {
    let value = value.trim();
    let inner = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    inner.unwrap_or(value).to_owned()
}

/// A line cut at `&&` and `;`, but not inside of quotes. A quote that the line does not close is a character.
fn parts(line: &str) -> Vec<&str> {
    let (mut parts, mut begin, mut at) = (Vec::new(), 0, 0);
    while let Some(byte) = line.as_bytes().get(at) {
        let length = match byte {
            b'"' | b'\'' => {
                at += line[at + 1..].find(char::from(*byte)).map_or(1, |close| close + 2);
                continue;
            }
            b';' => 1,
            b'&' if line[at..].starts_with("&&") => 2,
            _ => {
                at += 1;
                continue;
            }
        };
        parts.push(&line[begin..at]);
        at += length;
        begin = at;
    }
    parts.push(&line[begin..]);
    parts
}

/// The words of a command; quotes hold one together and stay.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in text.chars() {
        match (quote, c) {
            (None, c) if c.is_whitespace() => words.push(String::new()),
            (Some(open), c) if open == c => {
                quote = None;
                words.last_mut().into_iter().for_each(|word| word.push(c));
            }
            (_, c) => {
                if quote.is_none() && (c == '"' || c == '\'') {
                    quote = Some(c);
                }
                words.last_mut().into_iter().for_each(|word| word.push(c));
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_by_name_and_first_line() {
        for (path, text, kind) in [
            ("docker/Dockerfile.3.5.7", "", Some(Kind::Dockerfile)),
            ("a/spark.Dockerfile", "", Some(Kind::Dockerfile)),
            ("Makefile", "", Some(Kind::Makefile)),
            ("a/build.sh", "", Some(Kind::Shell)),
            ("a/build", "#!/usr/bin/env bash\n", Some(Kind::Shell)),
            ("docker-compose.yaml", "", Some(Kind::Variables)),
            (".env", "", Some(Kind::Variables)),
            ("README.md", "docker build -t x:latest", None),
            ("a/b.py", "#!/usr/bin/env python3", None),
        ] {
            assert_eq!(Kind::of(path, text), kind, "{path}");
        }
    }

    #[test]
    fn commands_have_their_lines_and_values() {
        let text = "ARG A=1\nENV B=${A}.2 \\\n    C=\"x y\"\n# no\nRUN wget http://h/$B.jar && \\\n  # no\n    echo ${C}; \\\n ls ${D:-z} ${E}\n";
        let script = Script::read(Kind::Dockerfile, text);
        let commands: Vec<_> =
            script.commands.iter().filter(|c| c.instruction == "RUN").map(|c| (c.line, c.text.as_str())).collect();
        assert_eq!(commands, [(5, "RUN wget http://h/1.2.jar"), (7, "echo x y"), (8, "ls z ${E}")]);
        assert_eq!(script.assignments.len(), 3);
        let script =
            Script::read(Kind::Shell, "readonly V=\"${V:-1.6.1}\"\nN=\"a:$V\"\ndocker build -t \"$N\" \\\n .\n");
        assert_eq!(script.commands[2].text, "docker build -t \"a:1.6.1\" .");
        let script = Script::read(Kind::Makefile, "R ?= localhost:5000\nx:\n\tdocker tag $(R)/a:3.5.7 $(R)/a:3.5\n");
        assert_eq!(script.commands[2].text, "docker tag localhost:5000/a:3.5.7 localhost:5000/a:3.5");
    }

    #[test]
    fn what_cannot_be_understood_is_left_as_it_is() {
        for text in ["$", "${", "${A", "$(", "a$", "${A B}", "$(shell date)", "\\", "'", "\"", "ENV", "ARG =", "RUN"] {
            for kind in [Kind::Dockerfile, Kind::Shell, Kind::Makefile, Kind::Variables] {
                let script = Script::read(kind, text);
                assert_eq!(script.expand(text), text);
            }
        }
        assert_eq!(parts("a && b;c 'd && e' \"f;g\" ä && it's"), ["a ", " b", "c 'd && e' \"f;g\" ä ", " it's"]);
        // Values that name each other in a circle end.
        let script = Script::read(Kind::Shell, "A=$B$B\nB=$A$A\necho $A\n");
        assert_eq!(script.commands.len(), 3);
    }
}
