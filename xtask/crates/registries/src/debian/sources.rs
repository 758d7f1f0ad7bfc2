//! apt's sources (sources.list(5)): one-line files and deb822 files.
//!
//! The deb822 crates do not say in which line a field stands, which is what a person looks for.

/// A source of binary packages: each of its URIs offers each of its suites.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) uris: Vec<String>,
    pub(super) suites: Vec<String>,
    pub(super) components: Vec<String>,
    pub(super) architectures: Vec<String>,
    pub(super) trusted: bool,
    /// A keyring's path, a fingerprint, or `a key in the file itself`.
    pub(super) signed_by: Option<String>,
    /// The line in which it begins, from 1.
    pub(super) line: usize,
}

impl Source {
    fn set_option(&mut self, name: &str, value: &str) {
        match name.to_ascii_lowercase().as_str() {
            "arch" | "architectures" => self.architectures = words(&value.replace(',', " ")),
            "trusted" => self.trusted = is_true(value),
            "signed-by" if value.contains("-----BEGIN") => self.signed_by = Some("a key in the file itself".to_owned()),
            "signed-by" => self.signed_by = Some(value.trim().to_owned()),
            _ => {}
        }
    }
}

/// Reads a `.list` file: `deb [option=value …] URI SUITE COMPONENT…` in each line. Lines that cannot be understood are
/// told apart, as problems with their line; the others count.
pub(super) fn parse_list(text: &str) -> (Vec<Source>, Vec<String>) {
    let (mut sources, mut problems) = (Vec::new(), Vec::new());
    for (line, content) in (1..).zip(text.lines()) {
        let content = content.split('#').next().unwrap_or_default().trim();
        let Some((kind, rest)) = content.split_once(char::is_whitespace) else {
            if !content.is_empty() {
                problems.push(format!("line {line}: expected `deb URI SUITE COMPONENT`"));
            }
            continue;
        };
        match kind {
            "deb" => match parse_line(rest.trim_start(), line) {
                Some(source) => sources.push(source),
                None => problems.push(format!("line {line}: expected `deb [options] URI SUITE COMPONENT`")),
            },
            "deb-src" => {}
            _ => problems.push(format!("line {line}: expected `deb` or `deb-src`, found `{kind}`")),
        }
    }
    (sources, problems)
}

fn parse_line(rest: &str, line: usize) -> Option<Source> {
    let mut source = Source { line, ..Source::default() };
    let rest = match rest.strip_prefix('[') {
        None => rest,
        Some(rest) => {
            let (options, rest) = rest.split_once(']')?;
            for option in options.split_whitespace() {
                let (name, value) = option.split_once('=')?;
                source.set_option(name.trim_end_matches(['+', '-']), value);
            }
            rest
        }
    };
    let mut rest = rest.split_whitespace().map(str::to_owned);
    source.uris.push(rest.next()?);
    source.suites.push(rest.next()?);
    source.components = rest.collect();
    Some(source)
}

/// Reads a `.sources` file: stanzas of `Name: value`, values continued by indented lines. A stanza that cannot be
/// understood is told apart.
pub(super) fn parse_deb822(text: &str) -> (Vec<Source>, Vec<String>) {
    let (mut sources, mut problems) = (Vec::new(), Vec::new());
    let mut lines = (1..).zip(text.lines().map(str::trim_end)).peekable();
    while lines.peek().is_some() {
        let stanza = lines.by_ref().take_while(|(_, line)| !line.is_empty());
        let stanza: Vec<_> = stanza.filter(|(_, line)| !line.starts_with('#')).collect();
        match parse_stanza(&stanza) {
            Ok(source) => sources.extend(source),
            Err(problem) => problems.push(problem),
        }
    }
    (sources, problems)
}

fn parse_stanza(lines: &[(usize, &str)]) -> Result<Option<Source>, String> {
    let Some((line, _)) = lines.first() else { return Ok(None) };
    let mut fields: Vec<(String, String)> = Vec::new();
    for (line, text) in lines {
        if text.starts_with([' ', '\t']) {
            let (_, value) = fields.last_mut().ok_or_else(|| format!("line {line}: expected `Name: value`"))?;
            value.push('\n');
            value.push_str(text.trim());
        } else {
            let (name, value) = text.split_once(':').ok_or_else(|| format!("line {line}: expected `Name: value`"))?;
            fields.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    let mut source = Source { line: *line, ..Source::default() };
    let mut types = Vec::new();
    for (name, value) in &fields {
        match name.as_str() {
            "types" => types = words(value),
            "uris" => source.uris = words(value),
            "suites" => source.suites = words(value),
            "components" => source.components = words(value),
            "enabled" if !is_true(value) => return Ok(None),
            _ => source.set_option(name, value),
        }
    }
    if types.is_empty() || source.uris.is_empty() || source.suites.is_empty() {
        return Err(format!("line {line}: expected the fields Types, URIs and Suites"));
    }
    Ok(types.iter().any(|kind| kind == "deb").then_some(source))
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// apt's words for true.
fn is_true(text: &str) -> bool {
    matches!(text.trim().to_ascii_lowercase().as_str(), "yes" | "true" | "with" | "on" | "enable" | "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_sources_are_read() {
        let text = "# deb http://commented.example x y\r\n\r\n\
                    deb http://archive.example/debian bookworm main contrib # why\r\n\
                    deb-src http://archive.example/debian bookworm main\r\n\
                    deb [ arch=amd64,arm64 trusted=yes signed-by=/k.gpg ] https://b.example bookworm-updates main\r\n";
        let (sources, problems) = parse_list(text);
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(sources.len(), 2);
        assert_eq!((sources[0].line, sources[0].uris[0].as_str()), (3, "http://archive.example/debian"));
        assert_eq!(sources[0].components, ["main", "contrib"]);
        assert_eq!(sources[1].architectures, ["amd64", "arm64"]);
        assert!(sources[1].trusted && !sources[0].trusted);
        assert_eq!(sources[1].signed_by.as_deref(), Some("/k.gpg"));
    }

    #[test]
    fn a_malformed_line_does_not_spoil_the_others() {
        let (sources, problems) = parse_list("deb\ndebb a b c\ndeb [arch=amd64 u s c\ndeb u\ndeb u s c");
        assert_eq!(sources.len(), 1);
        let lines: Vec<_> = problems.iter().map(|problem| problem.split(':').next().unwrap()).collect();
        assert_eq!(lines, ["line 1", "line 2", "line 3", "line 4"]);
    }

    #[test]
    fn deb822_sources_are_read() {
        let text = "# a comment\r\nTypes: deb deb-src\r\n# in between\r\nURIs: http://a.example/debian\r\n http://b.example/debian\r\n\
                    SUITES: bookworm bookworm-updates\r\nComponents: main\r\nSigned-By:\r\n -----BEGIN PGP PUBLIC KEY BLOCK-----\r\n .\r\n xyz\r\n\r\n\
                    Types: deb\r\nURIs: http://c.example\r\nSuites: x\r\nEnabled: no\r\n\r\n\
                    Types: deb-src\r\nURIs: http://d.example\r\nSuites: x\r\n";
        let (sources, problems) = parse_deb822(text);
        assert_eq!(problems, Vec::<String>::new());
        let [source] = sources.as_slice() else { panic!("{sources:?}") };
        assert_eq!(source.uris, ["http://a.example/debian", "http://b.example/debian"]);
        assert_eq!(source.suites, ["bookworm", "bookworm-updates"]);
        assert_eq!(source.signed_by.as_deref(), Some("a key in the file itself"));
        assert_eq!(source.line, 2);
    }

    #[test]
    fn a_malformed_stanza_does_not_spoil_the_others() {
        let text = " stray\n\nTypes: deb\nno colon\n\nTypes: deb\nURIs: u\n\nTypes: deb\nURIs: u\nSuites: s";
        let (sources, problems) = parse_deb822(text);
        assert_eq!(sources.len(), 1);
        let expected = [
            "line 1: expected `Name: value`",
            "line 4: expected `Name: value`",
            "line 6: expected the fields Types, URIs and Suites",
        ];
        assert_eq!(problems, expected);
    }
}
