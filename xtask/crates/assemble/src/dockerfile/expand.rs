//! Taking off quotes and putting in variables, as BuildKit's shell lexer does.
//!
//! `$X ${X} ${X:-d} ${X-d} ${X:+a} ${X+a} ${X:?e} ${X?e} ${X#p} ${X##p} ${X%p} ${X%%p} ${X/p/r} ${X//p/r}`

use std::{collections::BTreeMap, iter::Peekable, str::Chars};

/// Expands words with the variables of a stage.
pub(crate) struct Expand<'v> {
    pub(crate) escape: char,
    pub(crate) variables: &'v BTreeMap<String, String>,
}

impl Expand<'_> {
    /// A word without its quotes and escapes, and with its variables.
    pub(crate) fn word(&self, word: &str) -> Result<String, String> {
        let mut lexer = Lexer { expand: self, quotes: true, chars: word.chars().peekable() };
        let expanded = lexer.until(None, false)?;
        Ok(expanded)
    }

    /// A text with its variables; quotes stay, and only a backslash escapes.
    pub(crate) fn document(&self, text: &str) -> Result<String, String> {
        let expand = Expand { escape: '\\', variables: self.variables };
        Lexer { expand: &expand, quotes: false, chars: text.chars().peekable() }.until(None, false)
    }

    /// The words that a text has after its variables were put in.
    pub(crate) fn words(&self, text: &str) -> Result<Vec<String>, String> {
        Ok(self.word(text)?.split_whitespace().map(str::to_owned).collect())
    }
}

struct Lexer<'l> {
    expand: &'l Expand<'l>,
    /// Whether quotes quote.
    quotes: bool,
    chars: Peekable<Chars<'l>>,
}

impl Lexer<'_> {
    /// Expands up to `stop`, which is taken but not returned. In a pattern escapes stay for the pattern to read.
    fn until(&mut self, stop: Option<char>, pattern: bool) -> Result<String, String> {
        let mut out = String::new();
        while let Some(char) = self.chars.next() {
            match char {
                char if Some(char) == stop => return Ok(out),
                '\'' if self.quotes => self.single(&mut out, pattern)?,
                '"' if self.quotes => self.double(&mut out, pattern)?,
                '$' => out.push_str(&self.dollar()?),
                char if char == self.expand.escape => {
                    if pattern {
                        out.push(char);
                    }
                    out.extend(self.chars.next());
                }
                char => out.push(char),
            }
        }
        stop.map_or(Ok(out), |stop| Err(format!("`{stop}` is missing at the end of a substitution")))
    }

    fn single(&mut self, out: &mut String, pattern: bool) -> Result<(), String> {
        for char in self.chars.by_ref() {
            match char {
                '\'' => return Ok(()),
                char => {
                    if pattern && char == self.expand.escape {
                        out.push(char);
                    }
                    out.push(char);
                }
            }
        }
        Err("a single quote is not closed".to_owned())
    }

    fn double(&mut self, out: &mut String, pattern: bool) -> Result<(), String> {
        let escape = self.expand.escape;
        while let Some(char) = self.chars.next() {
            match char {
                '"' => return Ok(()),
                '$' => out.push_str(&self.dollar()?),
                char if char == escape => match self.chars.peek() {
                    // An escape at the end of a word is dropped; the missing quote is what is reported.
                    None => {}
                    Some(&next) if matches!(next, '"' | '$') || next == escape => {
                        if pattern {
                            out.push(escape);
                        }
                        out.extend(self.chars.next());
                    }
                    Some(_) => {
                        if pattern {
                            out.push(escape);
                        }
                        out.push(char);
                    }
                },
                char => out.push(char),
            }
        }
        Err("a double quote is not closed".to_owned())
    }

    fn dollar(&mut self) -> Result<String, String> {
        if self.chars.next_if_eq(&'{').is_none() {
            let name = self.name();
            return Ok(if name.is_empty() { "$".to_owned() } else { self.value(&name).unwrap_or_default() });
        }
        let name = self.name();
        let bad = || format!("`${{{name}` is a bad substitution; write ${{NAME}}");
        if name.is_empty() {
            return Err(bad());
        }
        let value = self.value(&name);
        let operator = self.chars.next().ok_or_else(bad)?;
        if operator == '}' {
            return Ok(value.unwrap_or_default());
        }
        if operator == '/' {
            return self.replace(&value.unwrap_or_default());
        }
        let (operator, empty_is_unset) = match operator {
            ':' => (self.chars.next().ok_or_else(bad)?, true),
            operator => (operator, false),
        };
        match operator {
            '-' | '+' | '?' => {
                let word = self.until(Some('}'), false)?;
                let value = value.filter(|value| !(empty_is_unset && value.is_empty()));
                match (operator, value) {
                    ('-', value) => Ok(value.unwrap_or(word)),
                    ('+', value) => Ok(value.map(|_| word).unwrap_or_default()),
                    (_, Some(value)) => Ok(value),
                    (_, None) if word.is_empty() => Err(format!("{name} must be set")),
                    (_, None) => Err(format!("{name}: {word}")),
                }
            }
            '#' | '%' if !empty_is_unset => {
                let pattern = self.until(Some('}'), true)?;
                let (pattern, longest) =
                    pattern.strip_prefix(operator).map_or((pattern.as_str(), false), |rest| (rest, true));
                let pattern = Pattern::new(pattern)?;
                Ok(pattern.trim(&value.unwrap_or_default(), operator == '#', longest))
            }
            _ => Err(bad()),
        }
    }

    fn replace(&mut self, value: &str) -> Result<String, String> {
        let all = self.chars.next_if_eq(&'/').is_some();
        let pattern = Pattern::new(&self.until(Some('/'), true)?)?;
        let replacement = self.until(Some('}'), false)?;
        Ok(pattern.replace(value, &replacement, all))
    }

    /// A variable's name: letters, digits and underscores, or digits alone, or one special character.
    fn name(&mut self) -> String {
        let mut name = String::new();
        if let Some(special) = self.chars.next_if(|char| "@*#?-$!0".contains(*char)) {
            return special.to_string();
        }
        let digits = self.chars.peek().is_some_and(char::is_ascii_digit);
        while let Some(char) = self
            .chars
            .next_if(|&char| if digits { char.is_ascii_digit() } else { char.is_alphanumeric() || char == '_' })
        {
            name.push(char);
        }
        name
    }

    fn value(&self, name: &str) -> Option<String> {
        self.expand.variables.get(name).cloned()
    }
}

/// A shell pattern of a substitution: `*`, `?` and escapes.
struct Pattern(Vec<Part>);

enum Part {
    Char(char),
    Any,
    Many,
}

impl Pattern {
    fn new(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut chars = text.chars();
        while let Some(char) = chars.next() {
            parts.push(match char {
                '*' => Part::Many,
                '?' => Part::Any,
                '\\' => match chars.next() {
                    Some(char @ ('*' | '?' | '\\' | '}' | '/')) => Part::Char(char),
                    other => {
                        let found = other.map(String::from).unwrap_or_default();
                        return Err(format!("`\\{found}` is no escape in the pattern `{text}`"));
                    }
                },
                char => Part::Char(char),
            });
        }
        Ok(Self(parts))
    }

    /// Takes the shortest or longest fit from the beginning or the end of a value.
    fn trim(&self, value: &str, front: bool, longest: bool) -> String {
        let mut cuts: Vec<usize> = value.char_indices().map(|(index, _)| index).chain([value.len()]).collect();
        // The first cut that is tried is the one that takes least, unless the most is wanted.
        if front == longest {
            cuts.reverse();
        }
        let fit = cuts.into_iter().find(|&cut| fits(&self.0, if front { &value[..cut] } else { &value[cut..] }));
        match fit {
            Some(cut) if front => value[cut..].to_owned(),
            Some(cut) => value[..cut].to_owned(),
            None => value.to_owned(),
        }
    }

    /// Replaces the first fit, or all, each as long as possible.
    fn replace(&self, value: &str, replacement: &str, all: bool) -> String {
        let mut out = String::new();
        let mut rest = value;
        while let Some(char) = rest.chars().next() {
            let ends = rest.char_indices().map(|(index, char)| index + char.len_utf8());
            let ends: Vec<usize> = ends.collect();
            match ends.into_iter().rev().find(|&end| fits(&self.0, &rest[..end])) {
                Some(end) => {
                    out.push_str(replacement);
                    rest = &rest[end..];
                    if !all {
                        break;
                    }
                }
                None => {
                    out.push(char);
                    rest = &rest[char.len_utf8()..];
                }
            }
        }
        out + rest
    }
}

fn fits(parts: &[Part], text: &str) -> bool {
    let mut chars = text.chars();
    match parts.split_first() {
        None => text.is_empty(),
        Some((Part::Char(char), rest)) => chars.next() == Some(*char) && fits(rest, chars.as_str()),
        Some((Part::Any, rest)) => chars.next().is_some() && fits(rest, chars.as_str()),
        Some((Part::Many, rest)) => fits(rest, text) || (chars.next().is_some() && fits(parts, chars.as_str())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(word: &str) -> Result<String, String> {
        let variables = [("X", "a/b/c.tar.gz"), ("E", ""), ("_y1", "z")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Expand { escape: '\\', variables: &variables }.word(word)
    }

    #[test]
    fn words_are_expanded_as_a_shell_would() {
        for (word, expected) in [
            ("a", "a"),
            ("$X", "a/b/c.tar.gz"),
            ("${X}y", "a/b/c.tar.gzy"),
            ("$_y1-$nope-$", "z--$"),
            ("${nope:-d $X}", "d a/b/c.tar.gz"),
            ("${E:-d}${E-d}", "d"),
            ("${X:+y}${E:+y}${E+y}${nope+n}", "yy"),
            ("${X#*/}", "b/c.tar.gz"),
            ("${X##*/}", "c.tar.gz"),
            ("${X%.*}", "a/b/c.tar"),
            ("${X%%.*}", "a/b/c"),
            ("${X/\\//_}", "a_b/c.tar.gz"),
            ("${X//\\//_}", "a_b_c.tar.gz"),
            ("${X//?/x}", "xxxxxxxxxxxx"),
            (r#""$X 'b' \" \$ \n""#, r#"a/b/c.tar.gz 'b' " $ \n"#),
            (r"'$X \'", r"$X \"),
            (r"\$X \a\\", r"$X a\"),
            ("${X?must}", "a/b/c.tar.gz"),
        ] {
            assert_eq!(expand(word).as_deref(), Ok(expected), "{word}");
        }
    }

    #[test]
    fn what_cannot_be_expanded_is_an_error() {
        for word in ["${X", "${}", "${X:", "${X!y}", "\"a", "'a", "${nope?say why}", "${E:?}", "${X:#a}", "${X/a"] {
            assert!(expand(word).is_err(), "{word}");
        }
        assert_eq!(expand("${nope?say why}").unwrap_err(), "nope: say why");
    }
}
