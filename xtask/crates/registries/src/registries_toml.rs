//! The format of `registries.toml`: the file that an organisation commits, and the user's own.
//!
//! ```toml
//! maven = "https://registry.example/maven"
//! pypi = [
//!     "https://registry.example/simple",
//!     { url = "https://other.example/simple", username-env = "INDEX_USER", password-env = "INDEX_PASSWORD" },
//! ]
//! debian = { url = "https://registry.example/debian", suites = ["bookworm", "bookworm-updates"] }
//! extra-ca = "corporate-ca.pem"
//! ```
//!
//! A password is named, never written: `password-env` or `token-env` is the variable that holds it.

use camino::Utf8Path;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::{
    auth::{Auth, Proxy, Secret},
    given::Given,
    kind::Kind,
    registries::ExtraCa,
    search::Search,
    text::line_of,
};

/// What a file says.
pub(crate) struct File {
    pub(crate) given: Vec<Given>,
    pub(crate) extra_ca: Vec<ExtraCa>,
}

const ENTRY_KEYS: &str = "url, id, username, username-env, password-env, token-env, proxy, suites";

/// Reads a file's text. The error names file and line.
pub(crate) fn parse(search: &mut Search, text: &str, path: &Utf8Path) -> Result<File, String> {
    let shown = search.machine.show(path);
    let at = |offset: usize| format!("{shown} line {}", line_of(text, offset));
    let document = DeTable::parse(text).map_err(|error| {
        format!("{}: {}", at(error.span().map_or(0, |span| span.start)), error.message().to_lowercase())
    })?;
    let mut file = File { given: Vec::new(), extra_ca: Vec::new() };
    for (key, value) in document.get_ref() {
        let name: &str = key.get_ref();
        let kind: Result<Kind, _> = name.parse();
        for item in one_or_many(value) {
            let found_in = at(item.span().start);
            match &kind {
                Ok(kind) => file.given.push(entry(search, *kind, item.get_ref(), found_in)?),
                Err(_) => {
                    let named = item.get_ref().as_str().map(|named| search.machine.expand_home(named));
                    let named = named.ok_or_else(|| format!("{found_in}: `{name}`: expected the path of a file"))?;
                    let folder = path.parent().unwrap_or(Utf8Path::new(""));
                    file.extra_ca.push(ExtraCa { path: folder.join(named), found_in });
                }
            }
        }
        if kind.is_err() && name != "extra-ca" {
            let known = "expected maven, pypi, debian or extra-ca";
            return Err(format!("{}: unknown key `{name}`: {known}", at(key.span().start)));
        }
    }
    Ok(file)
}

fn one_or_many<'v, 'i>(value: &'v Spanned<DeValue<'i>>) -> Vec<&'v Spanned<DeValue<'i>>> {
    match value.get_ref() {
        DeValue::Array(items) => items.iter().collect(),
        _ => vec![value],
    }
}

/// One registry: a URL, or a table.
fn entry(search: &mut Search, kind: Kind, value: &DeValue, found_in: String) -> Result<Given, String> {
    if let Some(url) = value.as_str() {
        return Ok(Given::new(kind, url, &found_in));
    }
    let Some(table) = value.as_table() else {
        return Err(format!("{found_in}: `{kind}`: expected a URL or a table, found {}", value.type_str()));
    };
    let mut given = Given::new(kind, "", &found_in);
    let (mut user, mut password, mut token) = (None, None, None);
    for (key, value) in table {
        let name: &str = key.get_ref();
        if name == "suites" {
            given.suites =
                Some(suites(value.get_ref()).ok_or_else(|| format!("{found_in}: `suites`: expected a list of names"))?);
            continue;
        }
        let text = value.get_ref().as_str().ok_or_else(|| format!("{found_in}: `{name}`: expected a string"))?;
        match name {
            "url" => given.url = text.to_owned(),
            "id" => given.id = Some(text.to_owned()),
            "username" => user = Some(text.to_owned()),
            "username-env" => user = from_env(search, text, &found_in),
            "password-env" => password = from_env(search, text, &found_in),
            "token-env" => token = from_env(search, text, &found_in),
            "proxy" => given.proxy = Some(proxy(text)),
            _ => return Err(format!("{found_in}: unknown key `{name}`: expected one of {ENTRY_KEYS}")),
        }
    }
    if given.url.is_empty() {
        return Err(format!("{found_in}: `{kind}`: expected a `url` in the table"));
    }
    given.auth = match (token, password) {
        (Some(token), _) => Some(Auth::Bearer(Secret::new(token))),
        (None, Some(password)) => Some(Auth::Basic { user: user.unwrap_or_default(), password: Secret::new(password) }),
        (None, None) => None,
    };
    Ok(given)
}

fn suites(value: &DeValue) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|suite| suite.get_ref().as_str().map(str::to_owned)).collect()
}

/// The value of a variable that holds a credential. One that is not set is a warning: many registries can be read
/// without credentials, and a file that a team shares cannot know which of its members set them.
fn from_env(search: &mut Search, variable: &str, found_in: &str) -> Option<String> {
    let value = search.machine.var(variable).map(str::to_owned);
    if value.is_none() {
        search.warn(found_in, format!("the variable {variable} is not set; asking without credentials"));
    }
    value
}

/// A proxy as a file names it: a URL, or `none`.
pub(crate) fn proxy(text: &str) -> Proxy {
    if text.eq_ignore_ascii_case("none") { Proxy::Direct } else { Proxy::Through(Secret::new(text)) }
}
