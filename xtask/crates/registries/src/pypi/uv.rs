//! uv's configuration (<https://docs.astral.sh/uv/concepts/indexes/>): variables, then `uv.toml`.
//!
//! The default that uv itself carries is compiled into it and cannot be read; pip's serves in its place.

use camino::Utf8PathBuf;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Index, Indexes, note};
use crate::{
    auth::{Auth, Secret},
    kind::Kind,
    machine::Machine,
    search::{Found, Search},
    text::line_of,
};

/// What the variables or a file say, kept apart as uv keeps it when it combines them.
#[derive(Default)]
struct Settings {
    /// The index with `default = true`.
    default: Option<Index>,
    /// The other indexes.
    indexes: Vec<Index>,
    /// The older settings, which go after those above wherever they stand.
    index_url: Option<Index>,
    extra_index_url: Vec<Index>,
}

/// What uv is configured to do.
pub(super) fn read(search: &mut Search) -> Indexes {
    let mut settings = from_env(search);
    let main_from_env = settings.default.is_some();
    for path in files(search.machine) {
        let Some(text) = search.read(Kind::Pypi, &path) else { continue };
        let place = search.machine.show(&path);
        match parse(search.machine, &text, &place) {
            Ok(file) => {
                match file.default.as_ref().or(file.index_url.as_ref()) {
                    Some(main) => note(search, &main.found_in, &main.url),
                    None => search.note(Kind::Pypi, place, "no default index"),
                }
                settings = settings.or(file);
            }
            Err(problem) => {
                search.note(Kind::Pypi, &place, "cannot be understood");
                search.warn(format!("reading {place}"), problem);
            }
        }
    }
    Indexes {
        main: settings.default.or(settings.index_url),
        main_from_env,
        extra: [settings.indexes, settings.extra_index_url].concat(),
    }
}

impl Settings {
    /// Adds what a weaker place says.
    fn or(mut self, weaker: Self) -> Self {
        self.default = self.default.or(weaker.default);
        self.indexes.extend(weaker.indexes);
        self.index_url = self.index_url.or(weaker.index_url);
        self.extra_index_url.extend(weaker.extra_index_url);
        self
    }
}

fn from_env(search: &mut Search) -> Settings {
    let machine = search.machine;
    let mut all = |variable: &str| -> Vec<Index> {
        let value = machine.var(variable);
        match value {
            Some(value) => note(search, variable, value),
            None => search.note(Kind::Pypi, variable, "not set"),
        }
        value.unwrap_or_default().split_whitespace().map(|item| index(machine, item, variable)).collect()
    };
    // Whatever its age, a variable counts as much as the index tables of a file, and more than any of them.
    let indexes = [all("UV_INDEX"), all("UV_EXTRA_INDEX_URL")].concat();
    let default = [all("UV_DEFAULT_INDEX"), all("UV_INDEX_URL")].concat().into_iter().next();
    Settings { default, indexes, ..Settings::default() }
}

/// The files, the strongest first.
fn files(machine: &Machine) -> Vec<Utf8PathBuf> {
    if machine.var("UV_NO_CONFIG").is_some_and(|value| !matches!(value, "0" | "false")) {
        return Vec::new();
    }
    if let Some(path) = machine.var_path("UV_CONFIG_FILE") {
        return vec![path];
    }
    let system = machine.system_config("uv/uv.toml").into_iter().chain(["/etc/uv/uv.toml".into()]);
    // uv takes one system-wide file only.
    let system = system.into_iter().find(|path| machine.exists(path));
    machine.user_config("uv/uv.toml").into_iter().chain(system).collect()
}

/// `URL` or `NAME=URL`.
fn index(machine: &Machine, text: &str, place: &str) -> Index {
    let scheme = text.find("://").unwrap_or(text.len());
    match text.split_once('=').filter(|(name, _)| name.len() < scheme) {
        Some((name, url)) => Index { auth: auth(machine, name), ..plain(name, url, place) },
        None => plain("uv", text, place),
    }
}

fn plain(id: &str, url: &str, place: &str) -> Index {
    Index { id: id.to_owned(), url: url.to_owned(), auth: None, found_in: place.to_owned() }
}

/// The credentials of a named index: `UV_INDEX_NAME_USERNAME` and `UV_INDEX_NAME_PASSWORD`.
fn auth(machine: &Machine, name: &str) -> Option<Found> {
    let name: String = name.to_uppercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let user = machine.var(&format!("UV_INDEX_{name}_USERNAME"));
    let password = machine.var(&format!("UV_INDEX_{name}_PASSWORD"));
    let (set, user) = (user.is_some() || password.is_some(), user.unwrap_or_default().to_owned());
    let auth = Auth::Basic { user, password: Secret::new(password.unwrap_or_default()) };
    set.then(|| (auth, format!("UV_INDEX_{name}_USERNAME and UV_INDEX_{name}_PASSWORD")))
}

/// Reads a file's text. The error names the line. Keys that do not bear on indexes are uv's own business.
fn parse(machine: &Machine, text: &str, place: &str) -> Result<Settings, String> {
    let document = DeTable::parse(text).map_err(|error| {
        format!("line {}: {}", line_of(text, error.span().map_or(0, |span| span.start)), error.message().to_lowercase())
    })?;
    let document = document.get_ref();
    let at = |value: &Spanned<DeValue>| format!("{place} line {}", line_of(text, value.span().start));
    let mut settings = Settings::default();
    for item in document.get("index").and_then(|list| list.get_ref().as_array()).into_iter().flatten() {
        let field = |name: &str| item.get_ref().get(name).map(Spanned::get_ref);
        let is_set = |name: &str| field(name).and_then(DeValue::as_bool) == Some(true);
        let line = line_of(text, item.span().start);
        let url = field("url").and_then(DeValue::as_str);
        let url = url.ok_or_else(|| format!("line {line}: expected a `url` in the index"))?;
        let name = field("name").and_then(DeValue::as_str);
        let auth = name.and_then(|name| auth(machine, name));
        let index = Index { auth, ..plain(name.unwrap_or("uv"), url, &at(item)) };
        match (is_set("default"), is_set("explicit"), name) {
            (true, _, _) => _ = settings.default.get_or_insert(index),
            // An explicit index serves only the packages that a project pins to it.
            (false, true, Some(_)) => {}
            (false, true, None) => return Err(format!("line {line}: expected a `name` for the explicit index")),
            (false, false, _) => settings.indexes.push(index),
        }
    }
    let of_pip = document.get("pip").and_then(|table| table.get_ref().as_table());
    for table in of_pip.into_iter().chain([document]) {
        for url in table.get("extra-index-url").and_then(|list| list.get_ref().as_array()).into_iter().flatten() {
            settings.extra_index_url.extend(url.get_ref().as_str().map(|text| plain("uv", text, &at(url))));
        }
        if let Some(value) = table.get("index-url")
            && let Some(url) = value.get_ref().as_str()
        {
            settings.index_url.get_or_insert(plain("uv", url, &at(value)));
        }
    }
    Ok(settings)
}
