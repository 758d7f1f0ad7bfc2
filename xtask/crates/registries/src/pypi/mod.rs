//! Python packages: the simple indexes that uv or pip would ask.

mod ini;
mod installed;
mod pip;
mod uv;

use crate::{
    endpoint::Endpoint,
    kind::Kind,
    search::{Found, Search, add},
    url::without_credentials,
};
use pip::Pip;

/// An index as a client's configuration names it.
#[derive(Clone)]
struct Index {
    id: String,
    url: String,
    auth: Option<Found>,
    found_in: String,
}

/// The index that a client asks for everything: a main one, and others beside it.
#[derive(Default)]
struct Indexes {
    main: Option<Index>,
    /// The main one is named by the environment, which goes before any file.
    main_from_env: bool,
    extra: Vec<Index>,
}

/// Which client's indexes are asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Client {
    Uv,
    Pip,
}

/// The indexes: uv's if it names a main one, else pip's, else the default of an installed pip. Extra indexes of uv go
/// before the main one and those of pip after it, as these clients have it.
pub(crate) fn find(search: &mut Search) -> Vec<Endpoint> {
    let uv = uv::read(search);
    let pip = Pip::read(search);
    let client = match (&uv.main, &pip.indexes.main) {
        (Some(_), Some(_)) if pip.indexes.main_from_env && !uv.main_from_env => Client::Pip,
        (Some(_), _) => Client::Uv,
        (None, _) => Client::Pip,
    };
    let mut indexes = Vec::new();
    if client == Client::Uv || uv.main.is_none() {
        indexes.extend(uv.extra.into_iter().map(|index| (Client::Uv, index)));
    }
    match client {
        Client::Uv => indexes.extend(uv.main.map(|index| (client, index))),
        Client::Pip if pip.no_index.is_some() => {}
        Client::Pip => {
            let main = match pip.indexes.main.clone() {
                None => installed::default_index(search),
                main => main,
            };
            let extra = pip.indexes.extra.iter().cloned();
            indexes.extend(main.into_iter().chain(extra).map(|index| (client, index)));
        }
    }
    if let (Client::Pip, Some(place)) = (client, &pip.no_index) {
        search.note(Kind::Pypi, place, "pip is told to use no index");
    }

    let mut endpoints: Vec<Endpoint> = Vec::new();
    for (client, index) in indexes {
        let Some(mut endpoint) = endpoint(search, &index) else { continue };
        if client == Client::Pip {
            pip.apply(search, &mut endpoint);
        }
        add(&mut endpoints, endpoint);
    }
    for endpoint in &mut endpoints {
        search.complete(Kind::Pypi, endpoint, None);
    }
    endpoints
}

fn endpoint(search: &mut Search, index: &Index) -> Option<Endpoint> {
    match search.endpoint(&index.id, &index.url, &index.found_in) {
        Ok(mut endpoint) => {
            if endpoint.auth.is_none() {
                (endpoint.auth, endpoint.auth_found_in) = index.auth.clone().unzip();
            }
            Some(endpoint)
        }
        Err(error) => {
            search.warn(&index.found_in, error);
            None
        }
    }
}

/// Notes that `place` names these indexes.
fn note(search: &mut Search, place: &str, urls: &str) {
    let urls: Vec<_> = urls.split_whitespace().map(without_credentials).collect();
    search.note(Kind::Pypi, place, urls.join(" "));
}
