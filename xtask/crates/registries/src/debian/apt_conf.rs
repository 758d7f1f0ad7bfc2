//! The syntax of `apt.conf` (apt.conf(5)), and what it says of proxies.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;

use crate::{
    auth::{Proxy, Secret},
    kind::Kind,
    search::Search,
    text::Cursor,
    url::BaseUrl,
};

/// Settings by their full names in lower case (`acquire::http::proxy`); of two values the later counts.
#[derive(Default)]
pub(super) struct AptConf(BTreeMap<String, String>);

impl AptConf {
    /// Reads `$APT_CONFIG`, `apt.conf.d` and `apt.conf`, in the order in which apt does.
    pub(super) fn read(search: &mut Search) -> Self {
        let machine = search.machine;
        let stated = machine.var_path("APT_CONFIG");
        let parts = machine.glob("/etc/apt/apt.conf.d/*".into());
        let parts = parts.into_iter().filter(|path| matches!(path.extension(), None | Some("conf")));
        let main = Utf8PathBuf::from("/etc/apt/apt.conf");
        let mut conf = Self::default();
        for path in stated.into_iter().chain(parts).chain([main]) {
            let Ok(text) = search.open(&path) else { continue };
            if let Err(problem) = parse(&text, &mut conf.0) {
                search.warn(format!("reading {}", machine.show(&path)), problem);
            }
        }
        for (key, value) in &conf.0 {
            let detects = key.ends_with("::proxy-auto-detect") || key.ends_with("::proxyautodetect");
            if key.starts_with("acquire::http") && detects && !value.is_empty() {
                search.warn("apt's Proxy-Auto-Detect", "no program is started to ask for a proxy; set HTTPS_PROXY");
            }
        }
        let proxies = conf.0.iter().filter(|(key, _)| key.starts_with("acquire::http") && key.contains("::proxy"));
        if proxies.count() > 0 {
            search.note(Kind::Debian, "apt.conf", "a proxy");
        }
        conf
    }

    /// The way to `url`: the proxy of its host before that of its scheme; `https` falls back to what `http` says.
    pub(super) fn proxy(&self, url: &BaseUrl) -> Proxy {
        let schemes = if url.is_secure() { &["https", "http"][..] } else { &["http"][..] };
        let of_host = schemes.iter().map(|scheme| format!("acquire::{scheme}::proxy::{}", url.host()));
        let of_scheme = schemes.iter().map(|scheme| format!("acquire::{scheme}::proxy"));
        match of_host.chain(of_scheme).filter_map(|key| self.0.get(&key)).find(|value| !value.is_empty()) {
            None => Proxy::Environment,
            Some(value) if value.eq_ignore_ascii_case("direct") => Proxy::Direct,
            Some(value) => Proxy::Through(Secret::new(value)),
        }
    }
}

/// Reads a file's text into `settings`. The error names the line.
fn parse(text: &str, settings: &mut BTreeMap<String, String>) -> Result<(), String> {
    let mut scopes: Vec<String> = Vec::new();
    // The words of the statement that has begun: a name, and a value.
    let mut words: Vec<String> = Vec::new();
    let name = |scopes: &[String], word: Option<&String>| {
        let parts: Vec<_> = scopes.iter().chain(word).map(String::as_str).collect();
        parts.join("::").to_lowercase()
    };
    let mut line = 1;
    for token in tokens(text) {
        let (at, token) = token?;
        line = at;
        match token {
            Token::Word(word) => words.push(word),
            Token::Open => scopes.push(words.drain(..).next().unwrap_or_default()),
            Token::Close => {
                words.clear();
                scopes.pop().ok_or_else(|| format!("line {line}: `}}` without `{{`"))?;
            }
            Token::End => {
                match words.first().map(String::as_str) {
                    Some("#clear") => {
                        let cleared = name(&scopes, words.get(1));
                        settings.retain(|key, _| *key != cleared && !key.starts_with(&format!("{cleared}::")));
                    }
                    Some(_) if words.len() == 2 => {
                        settings.insert(name(&scopes, words.first()), words[1].clone());
                    }
                    // A list's items have no names (`{ "a"; "b"; }`), and nothing here is a list.
                    _ => {}
                }
                words.clear();
            }
        }
    }
    if scopes.is_empty() { Ok(()) } else { Err(format!("line {line}: expected `}}` before the end of the file")) }
}

enum Token {
    Word(String),
    Open,
    Close,
    End,
}

/// The tokens of a file with their lines; comments (`//`, `/* */`, and `#` but for `#clear`) left out.
fn tokens(text: &str) -> impl Iterator<Item = Result<(usize, Token), String>> {
    let mut cursor = Cursor::new(text);
    std::iter::from_fn(move || {
        skip_comments(&mut cursor);
        let line = cursor.line;
        let token = match cursor.rest.chars().next()? {
            '{' => Token::Open,
            '}' => Token::Close,
            ';' => Token::End,
            '"' => {
                cursor.take(1);
                let value = cursor.take_until(|c| matches!(c, '"' | '\n')).to_owned();
                if !cursor.rest.starts_with('"') {
                    cursor.take(cursor.rest.len());
                    return Some(Err(format!("line {line}: expected `\"` at the end of the value")));
                }
                Token::Word(value)
            }
            _ => {
                let word = cursor.take_until(|c| c.is_whitespace() || "{};\"".contains(c));
                return Some(Ok((line, Token::Word(word.to_owned()))));
            }
        };
        cursor.take(1);
        Some(Ok((line, token)))
    })
}

fn skip_comments(cursor: &mut Cursor) {
    loop {
        cursor.skip_space();
        if cursor.rest.starts_with("/*") {
            cursor.take(cursor.rest.find("*/").map_or(cursor.rest.len(), |at| at + 2));
        } else if cursor.rest.starts_with("//") || (cursor.rest.starts_with('#') && !cursor.rest.starts_with("#clear"))
        {
            cursor.take_until(|c| c == '\n');
        } else {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conf(text: &str) -> AptConf {
        let mut conf = AptConf::default();
        parse(text, &mut conf.0).unwrap();
        conf
    }

    fn way(conf: &AptConf, url: &str) -> String {
        conf.proxy(&BaseUrl::parse(url).unwrap().0).to_string()
    }

    #[test]
    fn all_ways_to_write_a_proxy_are_read() {
        for text in [
            "Acquire::http::Proxy \"http://proxy.example:3128/\";",
            "acquire::HTTP::proxy http://proxy.example:3128/;",
            "// one\r\n# two\r\nAcquire {\r\n  http { /* \" */ Proxy \"http://proxy.example:3128/\"; };\r\n}\r\n",
            "Acquire::http { Proxy::direct.example \"DIRECT\"; Proxy \"http://proxy.example:3128/\"; };",
            "Acquire::http::Proxy \"http://old.example\"; #clear Acquire::http;\nAcquire::http::Proxy \"http://proxy.example:3128/\";",
        ] {
            let conf = conf(text);
            assert_eq!(way(&conf, "http://archive.example"), "http://proxy.example:3128/", "{text}");
            assert_eq!(way(&conf, "https://archive.example"), "http://proxy.example:3128/", "{text}");
        }
    }

    #[test]
    fn hosts_and_schemes_can_have_their_own() {
        let conf = conf(
            "Acquire { http::Proxy \"http://a.example\"; https::Proxy \"http://b.example\";\n\
             http::Proxy::in.example \"DIRECT\"; };\nDPkg::Post-Invoke { \"rm -f x || true\"; };",
        );
        assert_eq!(way(&conf, "http://archive.example"), "http://a.example");
        assert_eq!(way(&conf, "https://archive.example"), "http://b.example");
        assert_eq!(way(&conf, "https://in.example"), "none");
        assert_eq!(way(&AptConf::default(), "http://archive.example"), "as the environment says");
    }

    #[test]
    fn malformed_files_are_refused_by_line() {
        for (text, expected) in [
            ("\nAcquire { http", "line 2: expected `}` before the end of the file"),
            ("}", "line 1: `}` without `{`"),
            ("\n\na \"b\nc\";", "line 3: expected `\"` at the end of the value"),
        ] {
            assert_eq!(parse(text, &mut BTreeMap::new()).unwrap_err(), expected);
        }
    }
}
