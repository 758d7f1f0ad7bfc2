//! Stanzas of control files (deb822): package indexes, the `control` member of a package, dpkg's status file.
//!
//! Stanzas borrow from their text and find a field by scanning for it, because an index has 60,000 of them and a run
//! looks at a few hundred. Format: <https://manpages.debian.org/stable/dpkg-dev/deb822.5.en.html>.

use memchr::memmem;

/// One stanza: lines `Name: value`, continued by lines that begin with white space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stanza<'a>(&'a str);

impl<'a> Stanza<'a> {
    /// The stanza that is this text. Empty lines must have been cut off.
    pub fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// The value of the field `name`, whose letter case does not matter: what follows the colon, continuation lines
    /// included, without white space at its ends.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.fields().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The fields in the order of the text, as name and value.
    pub fn fields(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (name, after) = rest.split_once(':')?;
            let end = end_of_value(after);
            rest = after.get(end..).unwrap_or_default();
            Some((name.trim(), after[..end].trim()))
        })
    }

    /// The text of the stanza.
    pub fn text(&self) -> &'a str {
        self.0
    }
}

/// Where the value that `text` begins with ends: behind the first line break that no white space follows.
pub(crate) fn end_of_value(text: &str) -> usize {
    let bytes = text.as_bytes();
    memchr::memchr_iter(b'\n', bytes)
        .find(|at| !matches!(bytes.get(at + 1), Some(b' ' | b'\t')))
        .map_or(bytes.len(), |at| at + 1)
}

/// The stanzas of a text, which empty lines part.
pub fn stanzas(text: &str) -> impl Iterator<Item = Stanza<'_>> {
    let mut begin = 0;
    let mut ends = memmem::find_iter(text.as_bytes(), b"\n\n").chain(std::iter::once(text.len()));
    std::iter::from_fn(move || {
        loop {
            let end = ends.next()?;
            let stanza = text.get(begin..end).unwrap_or_default().trim_matches('\n');
            begin = end;
            if !stanza.is_empty() {
                return Some(Stanza(stanza));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "\nPackage: a\nVersion: 1:2\nDescription: short\n long\n .\n more\nTag: x,\n  y\n\n\n\nPackage: b\n";

    #[test]
    fn stanzas_and_fields_are_found() {
        let all: Vec<_> = stanzas(TEXT).collect();
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].get("package"), Some("a"));
        assert_eq!(all[0].get("Version"), Some("1:2"));
        assert_eq!(all[0].get("Description"), Some("short\n long\n .\n more"));
        assert_eq!(all[0].get("Tag"), Some("x,\n  y"));
        assert_eq!(all[0].get("long"), None);
        assert_eq!(all[1].fields().collect::<Vec<_>>(), [("Package", "b")]);
    }

    #[test]
    fn a_text_without_stanzas_has_none() {
        for text in ["", "\n", "\n\n\n"] {
            assert_eq!(stanzas(text).count(), 0, "{text:?}");
        }
    }
}
