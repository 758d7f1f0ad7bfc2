//! The format of `~/.netrc`, which apt's `auth.conf` shares: words, in any layout.
//!
//! Read as Python's `netrc` module and curl do: a word may stand in double quotes, with backslashes; a `#` begins a
//! comment only where a new entry could begin, for a password may begin with one; a `macdef` ends at an empty line.

use crate::{
    auth::{Auth, Secret},
    text::Cursor,
};

/// One entry. `machine` is none for `default`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entry {
    pub(crate) machine: Option<String>,
    login: String,
    password: Option<Secret>,
}

/// The entries of a file, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Netrc(pub(crate) Vec<Entry>);

impl Entry {
    /// The credentials, if the entry has any.
    pub(crate) fn auth(&self) -> Option<Auth> {
        let password = self.password.clone()?;
        Some(Auth::Basic { user: self.login.clone(), password })
    }
}

impl Netrc {
    /// Reads a file's text. The error says in which line which word is wrong; it never shows a password.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut words = Words(Cursor::new(text));
        let mut entries = Vec::new();
        while let Some(word) = words.next(true) {
            let mut entry = Entry::default();
            match word.as_str() {
                "machine" => entry.machine = Some(words.value("machine")?),
                "default" => {}
                "macdef" => {
                    words.skip_macro();
                    continue;
                }
                _ => return Err(format!("line {}: expected `machine` or `default`", words.0.line)),
            }
            loop {
                let before = words;
                match words.next(true).as_deref() {
                    Some("login" | "user") => entry.login = words.value("login")?,
                    Some("password") => entry.password = Some(Secret::new(words.value("password")?)),
                    Some("account") => drop(words.value("account")?),
                    Some("machine" | "default" | "macdef") | None => {
                        words = before;
                        break;
                    }
                    Some(_) => {
                        return Err(format!("line {}: expected `login`, `password` or `machine`", words.0.line));
                    }
                }
            }
            entries.push(entry);
        }
        Ok(Self(entries))
    }

    /// The credentials for a host: those of the first entry that names it, or of `default`.
    pub(crate) fn auth(&self, host: &str) -> Option<Auth> {
        let named =
            self.0.iter().find(|entry| entry.machine.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(host)));
        named.or_else(|| self.0.iter().find(|entry| entry.machine.is_none()))?.auth()
    }
}

/// The words of a file, one after the other.
#[derive(Clone, Copy)]
struct Words<'t>(Cursor<'t>);

impl Words<'_> {
    /// The next word; none at the end of the file.
    fn next(&mut self, comments: bool) -> Option<String> {
        let cursor = &mut self.0;
        cursor.skip_space();
        while comments && cursor.rest.starts_with('#') {
            cursor.take_until(|c| c == '\n');
            cursor.skip_space();
        }
        if cursor.rest.starts_with('"') {
            return Some(self.quoted());
        }
        let word = cursor.take_until(char::is_whitespace);
        (!word.is_empty()).then(|| word.to_owned())
    }

    fn quoted(&mut self) -> String {
        self.0.take(1);
        let mut word = String::new();
        let mut chars = self.0.rest.char_indices();
        let mut end = self.0.rest.len();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    end = at + 1;
                    break;
                }
                '\\' => word.extend(chars.next().map(|(_, escaped)| escaped)),
                _ => word.push(c),
            }
        }
        self.0.take(end);
        word
    }

    fn value(&mut self, key: &str) -> Result<String, String> {
        let line = self.0.line;
        self.next(false).ok_or_else(|| format!("line {line}: expected a word after `{key}`"))
    }

    fn skip_macro(&mut self) {
        let rest = self.0.rest;
        let ends = ["\n\n", "\r\n\r\n"].into_iter().filter_map(|end| Some(rest.find(end)? + end.len()));
        self.0.take(ends.min().unwrap_or(rest.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(netrc: &Netrc, host: &str) -> Option<String> {
        match netrc.auth(host)? {
            Auth::Basic { user, password } => Some(format!("{user} {}", password.expose())),
            _ => None,
        }
    }

    #[test]
    fn entries_are_found_by_host() {
        let text = "# mine\r\nmachine registry.example\r\n  login ann # no comment inside\r\n";
        assert!(Netrc::parse(text).is_ok_and(|netrc| netrc.auth("registry.example").is_none()));
        let text = "macdef init\nlogin nobody\n\nmachine A.example login ann password #1\n\
                    machine b.example\n\tpassword \"two words \\\"q\\\"\"\n\tlogin bob\ndefault login x password y";
        let netrc = Netrc::parse(text).unwrap();
        assert_eq!(password(&netrc, "a.example").unwrap(), "ann #1");
        assert_eq!(password(&netrc, "b.example").unwrap(), "bob two words \"q\"");
        assert_eq!(password(&netrc, "c.example").unwrap(), "x y");
    }

    #[test]
    fn a_malformed_file_is_named_by_line_and_shows_no_password() {
        for (text, expected) in [
            ("machine", "line 1: expected a word after `machine`"),
            ("machine a\nlogin ann\nhidden", "line 3: expected `login`, `password` or `machine`"),
            ("hidden", "line 1: expected `machine` or `default`"),
        ] {
            assert_eq!(Netrc::parse(text).unwrap_err(), expected);
        }
        assert!(Netrc::parse("machine a login b password \"never closed").is_ok());
        assert!(Netrc::parse("").unwrap().auth("a").is_none());
    }
}
