//! Patterns for paths, in the two dialects of Dockerfiles.
//!
//! COPY's are those of Go's `path/filepath.Match`. `.dockerignore`'s also know `**`
//! (<https://docs.docker.com/build/concepts/context/#dockerignore-files>, as `moby/patternmatcher` reads them).

/// A pattern that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Glob(Vec<Token>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Char(char),
    /// Any character but a slash.
    Any,
    /// Any number of characters but slashes.
    Star,
    /// Any number of whole folders, each with its slash; `**/`.
    Folders,
    /// Anything at all; `**` at the end.
    Rest,
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Glob {
    /// A pattern of COPY or ADD.
    pub(crate) fn copy(pattern: &str) -> Result<Self, String> {
        Self::new(pattern, false)
    }

    /// A pattern of a `.dockerignore`.
    pub(crate) fn ignore(pattern: &str) -> Result<Self, String> {
        Self::new(pattern, true)
    }

    fn new(pattern: &str, stars: bool) -> Result<Self, String> {
        let mut tokens = Vec::new();
        let mut chars = pattern.chars().peekable();
        while let Some(char) = chars.next() {
            tokens.push(match char {
                '*' if stars && chars.peek() == Some(&'*') => {
                    chars.next();
                    if chars.peek() == Some(&'/') {
                        chars.next();
                    }
                    if chars.peek().is_none() { Token::Rest } else { Token::Folders }
                }
                '*' => Token::Star,
                '?' => Token::Any,
                '[' => class(&mut chars).ok_or_else(|| format!("pattern `{pattern}` has a `[` that is not closed"))?,
                '\\' => Token::Char(chars.next().ok_or_else(|| format!("pattern `{pattern}` ends in a backslash"))?),
                char => Token::Char(char),
            });
        }
        Ok(Self(tokens))
    }

    /// Whether the whole of `text` fits the pattern.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        fits(&self.0, &text)
    }
}

/// The rest of a class, after its opening bracket; nothing if it is not closed.
fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Token> {
    let negated = chars.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        let from = match chars.next()? {
            // A bracket that comes first stands for itself.
            ']' if !ranges.is_empty() => return Some(Token::Class { negated, ranges }),
            '\\' => chars.next()?,
            char => char,
        };
        let mut to = from;
        if chars.next_if_eq(&'-').is_some() {
            to = match chars.next()? {
                '\\' => chars.next()?,
                char => char,
            };
        }
        ranges.push((from, to));
    }
}

fn fits(tokens: &[Token], text: &[char]) -> bool {
    let Some((token, rest)) = tokens.split_first() else { return text.is_empty() };
    let one = |fit: bool| fit && fits(rest, &text[1..]);
    match token {
        Token::Char(char) => one(text.first() == Some(char)),
        Token::Any => one(text.first().is_some_and(|&char| char != '/')),
        Token::Class { negated, ranges } => one(text.first().is_some_and(|&char| {
            char != '/' && ranges.iter().any(|&(from, to)| (from..=to).contains(&char)) != *negated
        })),
        Token::Star => {
            let most = text.iter().position(|&char| char == '/').unwrap_or(text.len());
            (0..=most).any(|taken| fits(rest, &text[taken..]))
        }
        Token::Folders => {
            let starts = text.iter().enumerate().filter(|&(_, &char)| char == '/').map(|(index, _)| index + 1);
            std::iter::once(0).chain(starts).any(|start| fits(rest, &text[start..]))
        }
        Token::Rest => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copy_patterns_stop_at_slashes() {
        for (pattern, text, fits) in [
            ("*.jar", "a.jar", true),
            ("*.jar", "x/a.jar", false),
            ("*/*.jar", "x/a.jar", true),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("[]]x", "]x", true),
            (r"\*", "*", true),
            (r"\*", "a", false),
            ("**", "a/b", false),
            ("", "", true),
            ("*", "", true),
        ] {
            assert_eq!(Glob::copy(pattern).unwrap().matches(text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn ignore_patterns_know_two_stars() {
        for (pattern, text, fits) in [
            ("**/x", "x", true),
            ("**/x", "a/b/x", true),
            ("**/x", "a/bx", false),
            ("a/**", "a/b/c", true),
            ("a/**/c", "a/c", true),
            ("a/**/c", "a/b/b/c", true),
            ("**", "anything/at all", true),
            ("**/*.pyc", "a/b.pyc", true),
            ("*.pyc", "a/b.pyc", false),
        ] {
            assert_eq!(Glob::ignore(pattern).unwrap().matches(text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn broken_patterns_are_refused() {
        for pattern in ["[a", "[", "[a-", "a\\"] {
            assert!(Glob::copy(pattern).is_err(), "{pattern}");
        }
    }
}
