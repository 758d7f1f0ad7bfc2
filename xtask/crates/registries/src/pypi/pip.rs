//! pip's configuration (<https://pip.pypa.io/en/stable/topics/configuration/>): variables, then files.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;

use super::{Index, Indexes, ini, note};
use crate::{
    auth::{Proxy, Secret},
    endpoint::Endpoint,
    kind::Kind,
    search::Search,
};

/// What pip is configured to do.
#[derive(Default)]
pub(super) struct Pip {
    pub(super) indexes: Indexes,
    /// Where it is told to use no index at all.
    pub(super) no_index: Option<String>,
    proxy: Option<Value>,
    trusted_hosts: Option<Value>,
}

/// A value, and where it stands.
#[derive(Clone)]
struct Value {
    text: String,
    place: String,
    from_env: bool,
}

/// The settings that bear on where packages come from.
const KEYS: [&str; 6] = ["index-url", "extra-index-url", "no-index", "proxy", "trusted-host", "cert"];

impl Pip {
    /// Reads the variables and the files.
    pub(super) fn read(search: &mut Search) -> Self {
        let mut values = read_files(search);
        for key in KEYS {
            let variable = format!("PIP_{}", key.to_uppercase().replace('-', "_"));
            if let Some(text) = search.machine.var(&variable) {
                let text = text.to_owned();
                values.insert(key.to_owned(), Value { text, place: variable, from_env: true });
            } else if key == "index-url" {
                search.note(Kind::Pypi, variable, "not set");
            }
        }
        let index = |value: &Value, url: &str| Index {
            id: "pip".to_owned(),
            url: url.to_owned(),
            auth: None,
            found_in: value.place.clone(),
        };
        let mut pip = Self::default();
        if let Some(value) = values.get("index-url") {
            note(search, &value.place, &value.text);
            pip.indexes.main = Some(index(value, value.text.trim()));
            pip.indexes.main_from_env = value.from_env;
        }
        if let Some(value) = values.get("extra-index-url") {
            note(search, &value.place, &value.text);
            pip.indexes.extra = value.text.split_whitespace().map(|url| index(value, url)).collect();
        }
        if let Some(value) = values.get("cert") {
            search.note(Kind::Pypi, &value.place, format!("pip trusts the authorities in {}", value.text));
        }
        pip.no_index = values.remove("no-index").filter(|value| is_true(&value.text)).map(|value| value.place);
        pip.proxy = values.remove("proxy");
        pip.trusted_hosts = values.remove("trusted-host");
        pip
    }

    /// Adds to an endpoint what pip is told of the way to it.
    pub(super) fn apply(&self, search: &mut Search, endpoint: &mut Endpoint) {
        if let Some(Value { text, .. }) = &self.proxy {
            // pip's own form of the value has no scheme.
            let url = if text.contains("://") { text.clone() } else { format!("http://{text}") };
            endpoint.proxy = Proxy::Through(Secret::new(url));
        }
        if let Some(Value { text, place, .. }) = &self.trusted_hosts {
            let host = endpoint.url.host();
            let named =
                |trusted: &str| trusted == host || trusted.strip_prefix(host).is_some_and(|port| port.starts_with(':'));
            if endpoint.url.is_secure() && text.split_whitespace().any(named) {
                search.warn(
                    place,
                    format!("`trusted-host` for {host} is not honoured; name the authority's certificate as extra-ca"),
                );
            }
        }
    }
}

/// The values of all files, the strongest file's for each name; `[install]` goes before `[global]`.
fn read_files(search: &mut Search) -> BTreeMap<String, Value> {
    let mut sections: BTreeMap<(bool, String), Value> = BTreeMap::new();
    for path in files(search) {
        let Some(text) = search.read(Kind::Pypi, &path) else { continue };
        let place = search.machine.show(&path);
        let settings = match ini::parse(&text) {
            Ok(settings) => settings,
            Err(problem) => {
                search.note(Kind::Pypi, &place, "cannot be understood");
                search.warn(format!("reading {place}"), problem);
                continue;
            }
        };
        let mut names_index = false;
        for setting in settings.into_iter().filter(|setting| KEYS.contains(&setting.key.as_str())) {
            let of_command = match setting.section.as_str() {
                "global" => false,
                "install" => true,
                _ => continue,
            };
            names_index |= setting.key == "index-url";
            let place = format!("{place} line {}", setting.line);
            let value = Value { text: setting.value, place, from_env: false };
            sections.insert((of_command, setting.key), value);
        }
        if !names_index {
            search.note(Kind::Pypi, place, "no index-url");
        }
    }
    // Sorted: `[global]` first, so that `[install]` replaces it.
    sections.into_iter().map(|((_, key), value)| (key, value)).collect()
}

/// The files, the weakest first, as `pip config debug` lists them.
fn files(search: &Search) -> Vec<Utf8PathBuf> {
    let machine = search.machine;
    let stated = machine.var_path("PIP_CONFIG_FILE");
    if stated.as_ref().is_some_and(|path| path == "/dev/null") {
        return Vec::new();
    }
    let mut files = machine.system_config("pip/pip.conf");
    files.reverse();
    files.push("/etc/pip.conf".into());
    if !stated.as_ref().is_some_and(|path| machine.exists(path)) {
        files.extend(machine.home(".pip/pip.conf"));
        files.extend(machine.home("Library/Application Support/pip/pip.conf").filter(|path| machine.exists(path)));
        files.extend(machine.user_config("pip/pip.conf"));
    }
    for prefix in ["CONDA_PREFIX", "VIRTUAL_ENV"] {
        files.extend(machine.var_path(prefix).map(|prefix| prefix.join("pip.conf")));
    }
    files.extend(stated);
    files
}

/// The words that pip takes for true.
fn is_true(text: &str) -> bool {
    matches!(text.to_lowercase().as_str(), "y" | "yes" | "t" | "true" | "on" | "1")
}
