//! From logical lines to typed instructions. All problems of a file are found, not only the first.

use super::{
    Heredoc,
    instruction::{Arg, CommandLine, Copy, Dockerfile, Instruction, Located, Pair, Stage},
    lines::{self, Line, heredoc_word},
    run::Run,
    words,
};
use crate::{
    error::{Problem, Problems},
    oci::Healthcheck,
};

/// What is understood, for who wrote something else.
const KNOWN: &str = "ADD, ARG, CMD, COPY, ENTRYPOINT, ENV, EXPOSE, FROM, HEALTHCHECK, LABEL, RUN, SHELL, STOPSIGNAL, \
                     USER, VOLUME and WORKDIR";

/// What an instruction is, or what is wrong with it.
pub(super) type Parsed<T> = Result<T, String>;

impl Dockerfile {
    /// Parses the text of a Dockerfile; `file` is its name in errors.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(crate) fn parse(file: &str, text: &str) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let lines = lines::read(text, &mut problems);
        let mut dockerfile = Self { escape: lines.escape, args: Vec::new(), stages: Vec::new() };
        for line in lines.lines {
            let number = line.number;
            if let Err(message) = dockerfile.take(line) {
                problems.push(Problem { line: number, message });
            }
        }
        if dockerfile.stages.is_empty() && problems.is_empty() {
            let message = "there is no FROM; begin with `FROM scratch` or `FROM image`".to_owned();
            problems.push(Problem { line: 1, message });
        }
        if problems.is_empty() {
            return Ok(dockerfile);
        }
        problems.sort();
        Err(Problems { file: file.to_owned(), problems })
    }

    fn take(&mut self, line: Line) -> Parsed<()> {
        let text = line.text.trim();
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let word = word.to_ascii_uppercase();
        let (flags, rest) = words::flags(rest, self.escape);
        let words = Words { name: &word, rest: rest.trim(), escape: self.escape, flags };
        let number = line.number;
        if word == "FROM" {
            let stage = words.from(number)?;
            if let Some(twin) = self.stages.iter().find(|other| other.name.is_some() && other.name == stage.name) {
                let name = stage.name.as_deref().unwrap_or_default();
                return Err(format!("stage `{name}` has the name of that on line {}; give it another", twin.line));
            }
            self.stages.push(stage);
            return Ok(());
        }
        let instruction = words.instruction(line.heredocs)?;
        match (self.stages.last_mut(), instruction) {
            (Some(stage), value) => stage.instructions.push(Located { line: number, value }),
            (None, Instruction::Arg(value)) => self.args.push(Located { line: number, value }),
            (None, _) => return Err(format!("{word} comes before the first FROM; only ARG may")),
        }
        Ok(())
    }
}

/// An instruction's name, flags and the rest of its line.
struct Words<'w> {
    name: &'w str,
    rest: &'w str,
    escape: char,
    flags: Vec<(String, Option<String>)>,
}

impl Words<'_> {
    fn instruction(mut self, heredocs: Vec<Heredoc>) -> Parsed<Instruction> {
        let instruction = match self.name {
            "ADD" | "COPY" => Instruction::Copy(self.copy(heredocs)?),
            "ARG" => Instruction::Arg(self.args()?),
            "CMD" => Instruction::Cmd(self.command(self.rest)?),
            "ENTRYPOINT" => Instruction::Entrypoint(self.command(self.rest)?),
            "ENV" => Instruction::Env(self.pairs()?),
            "EXPOSE" => {
                let mut ports = self.some(split(self.rest))?;
                ports.sort();
                Instruction::Expose(ports)
            }
            "HEALTHCHECK" => Instruction::Healthcheck(self.healthcheck()?),
            "LABEL" => Instruction::Label(self.pairs()?),
            "SHELL" => match json(self.rest)? {
                Some(words) => Instruction::Shell(self.some(words)?),
                None => return Err("SHELL needs a JSON list: SHELL [\"/bin/sh\", \"-c\"]".to_owned()),
            },
            "STOPSIGNAL" => Instruction::StopSignal(self.one()?),
            "USER" => Instruction::User(self.one()?),
            "VOLUME" => {
                let paths = self.some(json(self.rest)?.unwrap_or_else(|| split(self.rest)))?;
                Instruction::Volume(paths.into_iter().map(|path| path.trim().to_owned()).collect())
            }
            "WORKDIR" => Instruction::Workdir(self.one()?),
            "RUN" => Instruction::Run(Run::new(&std::mem::take(&mut self.flags), self.rest, &heredocs)?),
            "ONBUILD" => {
                return Err(
                    "ONBUILD is not supported; put the instruction into the Dockerfiles that need it".to_owned()
                );
            }
            "MAINTAINER" => {
                return Err("MAINTAINER is not supported; use LABEL org.opencontainers.image.authors".to_owned());
            }
            name => return Err(format!("`{name}` is no instruction; there are {KNOWN}")),
        };
        self.no_more_flags("")?;
        Ok(instruction)
    }

    fn from(mut self, line: usize) -> Parsed<Stage> {
        let platform = self.flag("platform")?;
        self.no_more_flags("--platform")?;
        let words = split(self.rest);
        let (base, name) = match &words[..] {
            [base] => (base, None),
            [base, word, name] if word.eq_ignore_ascii_case("as") => (base, Some(name.to_ascii_lowercase())),
            _ => return Err("FROM needs an image, or `image AS name`".to_owned()),
        };
        if let Some(name) = &name {
            let mut chars = name.chars();
            let begins = chars.next().is_some_and(|char| char.is_ascii_lowercase());
            if !begins || !chars.all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || "-_.".contains(char))
            {
                let rule = "begin with a letter, and use letters, digits, `-`, `_` and `.`";
                return Err(format!("`{name}` is no name for a stage; {rule}"));
            }
        }
        Ok(Stage { line, base: base.clone(), name, platform, instructions: Vec::new() })
    }

    fn copy(&mut self, heredocs: Vec<Heredoc>) -> Parsed<Copy> {
        let add = self.name == "ADD";
        let mut copy = Copy { add, chown: self.flag("chown")?, chmod: self.flag("chmod")?, ..Copy::default() };
        copy.link = match self.take_flag("link") {
            None | Some(Some("false")) => false,
            Some(None | Some("true")) => true,
            Some(Some(other)) => return Err(format!("--link must be true or false, found `{other}`")),
        };
        self.flags.retain(|(name, _)| name != "link");
        if add {
            self.no_more_flags("--chown, --chmod and --link")?;
        } else {
            copy.from = self.flag("from")?;
            self.no_more_flags("--from, --chown, --chmod and --link")?;
        }
        let mut words = json(self.rest)?.unwrap_or_else(|| split(self.rest));
        copy.target = words.pop().unwrap_or_default();
        copy.sources = words.into_iter().filter(|word| heredoc_word(word).is_none()).collect();
        copy.heredocs = heredocs;
        if copy.sources.is_empty() && copy.heredocs.is_empty() {
            return Err(format!("{} needs at least one source and a target", self.name));
        }
        if heredoc_word(&copy.target).is_some() {
            return Err(format!("the target of {} cannot be a here-document", self.name));
        }
        Ok(copy)
    }

    fn args(&self) -> Parsed<Vec<Arg>> {
        let words = self.some(words::split(self.rest, self.escape))?;
        let arg = |word: String| match word.split_once('=') {
            Some(("", _)) => Err(format!("`{word}` has no name")),
            Some((name, default)) => Ok(Arg { name: name.to_owned(), default: Some(default.to_owned()) }),
            None => Ok(Arg { name: word, default: None }),
        };
        words.into_iter().map(arg).collect()
    }

    /// `key=value …`, or the old form `key value`.
    fn pairs(&self) -> Parsed<Vec<Pair>> {
        let words = self.some(words::split(self.rest, self.escape))?;
        if !words[0].contains('=') {
            let Some((key, value)) = self.rest.split_once(char::is_whitespace) else {
                return Err(format!("{} needs key=value, found `{}`", self.name, self.rest));
            };
            return Ok(vec![Pair { key: key.to_owned(), value: value.trim_start().to_owned() }]);
        }
        let pair = |word: String| match word.split_once('=') {
            Some(("", _)) => Err(format!("`{word}` has no key")),
            Some((key, value)) => Ok(Pair { key: key.to_owned(), value: value.to_owned() }),
            None => Err(format!("`{word}` has no `=`; quote a value with spaces in it")),
        };
        words.into_iter().map(pair).collect()
    }

    fn command(&self, rest: &str) -> Parsed<CommandLine> {
        Ok(match json(rest)? {
            Some(words) => CommandLine::Exec(words),
            None => CommandLine::Shell(rest.to_owned()),
        })
    }

    fn healthcheck(&mut self) -> Parsed<Healthcheck> {
        let (kind, rest) = self.rest.split_once(char::is_whitespace).unwrap_or((self.rest, ""));
        if kind.eq_ignore_ascii_case("NONE") {
            return match rest.trim() {
                "" => Ok(Healthcheck { test: vec!["NONE".to_owned()], ..Healthcheck::default() }),
                _ => Err("HEALTHCHECK NONE takes no arguments".to_owned()),
            };
        }
        let test = match self.command(rest.trim())? {
            _ if !kind.eq_ignore_ascii_case("CMD") => None,
            CommandLine::Exec(words) if words.is_empty() => None,
            CommandLine::Exec(words) => Some([vec!["CMD".to_owned()], words].concat()),
            CommandLine::Shell(line) if line.is_empty() => None,
            CommandLine::Shell(line) => Some(vec!["CMD-SHELL".to_owned(), line]),
        };
        let retries = match self.flag("retries")? {
            None => 0,
            Some(text) => match text.parse::<i32>() {
                Ok(number) if number >= 0 => i64::from(number),
                _ => return Err(format!("--retries must be a number, 0 or more, found `{text}`")),
            },
        };
        let health = Healthcheck {
            test: test.ok_or("HEALTHCHECK needs `CMD command` or `NONE`")?,
            interval: self.duration("interval")?,
            timeout: self.duration("timeout")?,
            start_period: self.duration("start-period")?,
            start_interval: self.duration("start-interval")?,
            retries,
        };
        self.no_more_flags("--interval, --timeout, --start-period, --start-interval and --retries")?;
        Ok(health)
    }

    fn duration(&mut self, flag: &str) -> Parsed<i64> {
        let Some(text) = self.flag(flag)? else { return Ok(0) };
        match nanoseconds(&text) {
            Some(0) => Ok(0),
            Some(nanoseconds) if nanoseconds >= 1_000_000 => Ok(nanoseconds),
            Some(_) => Err(format!("--{flag} must be at least 1ms, found `{text}`")),
            None => Err(format!("--{flag} must be a time like 1m30s, found `{text}`")),
        }
    }

    fn one(&self) -> Parsed<String> {
        match self.rest {
            "" => Err(format!("{} needs an argument", self.name)),
            rest => Ok(rest.to_owned()),
        }
    }

    fn some(&self, words: Vec<String>) -> Parsed<Vec<String>> {
        if words.is_empty() { Err(format!("{} needs at least one argument", self.name)) } else { Ok(words) }
    }

    fn take_flag(&self, name: &str) -> Option<Option<&str>> {
        self.flags.iter().find(|(flag, _)| flag == name).map(|(_, value)| value.as_deref())
    }

    /// Takes the value of a flag away.
    fn flag(&mut self, name: &str) -> Parsed<Option<String>> {
        let Some(index) = self.flags.iter().position(|(flag, _)| flag == name) else { return Ok(None) };
        match self.flags.remove(index).1 {
            Some(value) => Ok(Some(value)),
            None => Err(format!("--{name} needs a value: --{name}=…")),
        }
    }

    fn no_more_flags(&self, known: &str) -> Parsed<()> {
        match (self.flags.first(), known) {
            (None, _) => Ok(()),
            (Some((flag, _)), "") => Err(format!("{} has no flag --{flag}", self.name)),
            (Some((flag, _)), known) => {
                Err(format!("{} has no flag --{flag} here, or it is given twice; there are {known}", self.name))
            }
        }
    }
}

fn split(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// A list in JSON; nothing if it is none, in which case the text means itself, as it does for BuildKit.
pub(super) fn json(text: &str) -> Parsed<Option<Vec<String>>> {
    if !text.starts_with('[') {
        return Ok(None);
    }
    match serde_json::from_str::<Vec<serde_json::Value>>(text) {
        Err(_) => Ok(None),
        Ok(values) => values
            .into_iter()
            .map(|value| match value {
                serde_json::Value::String(text) => Ok(text),
                other => Err(format!("a list in JSON must hold texts only, found {other}")),
            })
            .collect::<Parsed<_>>()
            .map(Some),
    }
}

/// A time in Go's notation: `1h2m3.5s`, `300ms`.
fn nanoseconds(text: &str) -> Option<i64> {
    const UNITS: [(&str, f64); 7] =
        [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9)];
    if text == "0" {
        return Some(0);
    }
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|char: char| !char.is_ascii_digit() && char != '.')?;
        let (number, after) = rest.split_at(digits);
        let end = after.find(|char: char| char.is_ascii_digit() || char == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total += number.parse::<f64>().ok()? * factor;
        rest = after;
    }
    (!text.is_empty() && total < i64::MAX as f64).then_some(total.round() as i64)
}

#[cfg(test)]
mod tests;
