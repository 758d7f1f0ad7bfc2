//! `.dockerignore` files.

use crate::{glob::Glob, path::clean};

/// What a `.dockerignore` hides.
#[derive(Debug, Clone, Default)]
pub struct Ignore {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
struct Rule {
    /// Whether it shows again what an earlier rule hides.
    shows: bool,
    glob: Glob,
}

impl Ignore {
    /// Reads the text of a `.dockerignore`.
    ///
    /// # Errors
    /// A pattern is broken: its line, counted from 1, and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, (usize, String)> {
        let mut rules = Vec::new();
        for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (shows, pattern) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest.trim()));
            let pattern = clean(pattern);
            if pattern.is_empty() {
                // `.` and `/` are the context itself, which cannot be hidden.
                if shows && line == "!" {
                    return Err((number + 1, "`!` shows nothing; name what it shows".to_owned()));
                }
                continue;
            }
            let glob = Glob::ignore(&pattern).map_err(|error| (number + 1, error))?;
            rules.push(Rule { shows, glob });
        }
        Ok(Self { rules })
    }

    /// Whether this path is hidden. The last rule that fits it or a folder above it decides.
    pub fn hides(&self, path: &str) -> bool {
        let mut hidden = false;
        for rule in &self.rules {
            if rule.shows == hidden && (rule.glob.matches(path) || above(path).any(|above| rule.glob.matches(above))) {
                hidden = !rule.shows;
            }
        }
        hidden
    }
}

/// The folders above a path, from the top.
fn above(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(index, _)| &path[..index])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_rule_that_fits_decides() {
        let ignore =
            Ignore::parse("\u{feff}# comment\n\n*.log\n/target/\n!keep.log\n**/*.pyc\ndocs\n!docs/a\r\n").unwrap();
        for (path, hidden) in [
            ("x.log", true),
            ("sub/x.log", false),
            ("keep.log", false),
            ("target", true),
            ("target/debug/x", true),
            ("sub/target", false),
            ("a/b/c.pyc", true),
            ("docs", true),
            ("docs/b", true),
            ("docs/a", false),
            ("docs/a/b", false),
        ] {
            assert_eq!(ignore.hides(path), hidden, "{path}");
        }
    }

    #[test]
    fn a_broken_pattern_is_named_with_its_line() {
        assert_eq!(Ignore::parse("ok\n[a\n").unwrap_err().0, 2);
        assert_eq!(Ignore::parse("!\n").unwrap_err().0, 1);
    }
}
