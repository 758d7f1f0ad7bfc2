//! The format of `pip.conf`: what Python's `RawConfigParser` reads, for pip uses that
//! (<https://docs.python.org/3/library/configparser.html>).
//!
//! The ini crates know neither its continuation lines nor the line in which a value stands, and cut values at a `#` or
//! `;` that belongs to them.

/// One option of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) section: String,
    pub(super) key: String,
    /// The value; its lines, trimmed, joined by line feeds.
    pub(super) value: String,
    /// The line of the key, from 1.
    pub(super) line: usize,
}

/// Reads a file's text. The error names the line; as in Python it spoils the whole file.
pub(super) fn parse(text: &str) -> Result<Vec<Setting>, String> {
    let mut settings: Vec<Setting> = Vec::new();
    let mut sections: Vec<&str> = Vec::new();
    // The names in this section. Python tells them apart by all but their case, pip by less.
    let mut keys: Vec<String> = Vec::new();
    // The indent of the option whose value may go on in the next line.
    let mut open: Option<usize> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let content = line.trim();
        if content.is_empty() || content.starts_with(['#', ';']) {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        if let (Some(key_indent), Some(setting)) = (open, settings.last_mut())
            && indent > key_indent
        {
            setting.value.push('\n');
            setting.value.push_str(content);
            continue;
        }
        if let Some((name, _)) = content.strip_prefix('[').and_then(|rest| rest.rsplit_once(']'))
            && !name.is_empty()
        {
            if sections.contains(&name) {
                return Err(format!("line {number}: a second section `[{name}]`"));
            }
            sections.push(name);
            keys.clear();
            open = None;
            continue;
        }
        let Some(section) = sections.last() else {
            return Err(format!("line {number}: expected a section such as `[global]` before the first setting"));
        };
        let Some((key, value)) = content.split_once(['=', ':']).filter(|(key, _)| !key.trim().is_empty()) else {
            return Err(format!("line {number}: expected `name = value`"));
        };
        let key = key.trim().to_lowercase();
        if keys.contains(&key) {
            return Err(format!("line {number}: `{key}` stands in `[{section}]` twice"));
        }
        let value = value.trim().to_owned();
        settings.push(Setting { section: (*section).to_owned(), key: normalise(&key), value, line: number });
        keys.push(key);
        open = Some(indent);
    }
    Ok(settings)
}

/// pip takes `index_url`, `--index-url` and `index-url` for the same name.
fn normalise(key: &str) -> String {
    let key = key.replace('_', "-");
    key.strip_prefix("--").unwrap_or(&key).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_that_python_reads() {
        let text = "# first\r\n[global]\r\nindex_url: https://a.example/simple#x ; kept\r\n  \r\n\
                    extra-index-url =\r\n    https://b.example/simple\r\n\r\n    # no value\r\n    https://c.example/simple\r\n\
                    [install]\r\n--Proxy=proxy.example:3128\r\n";
        let settings = parse(text).unwrap();
        let found: Vec<_> =
            settings.iter().map(|s| (s.section.as_str(), s.key.as_str(), s.value.as_str(), s.line)).collect();
        assert_eq!(
            found,
            [
                ("global", "index-url", "https://a.example/simple#x ; kept", 3),
                ("global", "extra-index-url", "\nhttps://b.example/simple\nhttps://c.example/simple", 5),
                ("install", "proxy", "proxy.example:3128", 11),
            ]
        );
    }

    #[test]
    fn malformed_files_are_refused_by_line() {
        for (text, expected) in [
            ("index-url = x", "line 1: expected a section such as `[global]` before the first setting"),
            ("[global]\nindex-url", "line 2: expected `name = value`"),
            ("[global]\n= x", "line 2: expected `name = value`"),
            ("[global]\na = 1\nA = 2", "line 3: `a` stands in `[global]` twice"),
            ("[global]\n[install]\n[global]", "line 3: a second section `[global]`"),
        ] {
            assert_eq!(parse(text).unwrap_err(), expected);
        }
        assert_eq!(parse(""), Ok(Vec::new()));
    }
}
