//! Maven: the repositories that an installed Maven would ask.

mod installed;
mod mirror;
mod proxy;
mod settings;

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    auth::{Auth, Secret},
    endpoint::Endpoint,
    kind::Kind,
    search::{Search, add},
    url::without_credentials,
};
use settings::{Repository, Server, Settings};

/// The repositories of the active profiles and then `central`, each replaced by its mirror.
pub(crate) fn find(search: &mut Search) -> Vec<Endpoint> {
    let homes = installed::homes(search);
    let settings = read_settings(search, &homes);
    let (mut repositories, unknown) = settings.repositories();
    for (place, id) in unknown {
        search.warn(
            place,
            format!("whether profile `{id}` is active cannot be told; if it is, list it in activeProfiles"),
        );
    }
    if !repositories.iter().any(|repository| repository.id == "central") {
        repositories.push(Repository { id: "central".to_owned(), url: None, releases: true, found_in: String::new() });
    }
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for repository in repositories.into_iter().filter(|repository| repository.releases) {
        let Some(endpoint) = endpoint(search, &settings, &homes, repository) else { continue };
        add(&mut endpoints, endpoint);
    }
    endpoints
}

/// The user's settings, and below them the global ones of the first Maven that has some.
fn read_settings(search: &mut Search, homes: &[Utf8PathBuf]) -> Settings {
    let user = search.machine.home(".m2/settings.xml");
    let global = homes.iter().map(|home| home.join("conf/settings.xml"));
    let global = global.chain([Utf8PathBuf::from("/etc/maven/settings.xml")]).find(|path| search.machine.exists(path));
    let mut settings = Settings::default();
    for path in user.into_iter().chain(global) {
        if let Some(read) = read_one(search, &path) {
            settings = settings.or(read);
        }
    }
    settings
}

fn read_one(search: &mut Search, path: &Utf8Path) -> Option<Settings> {
    let text = search.read(Kind::Maven, path)?;
    let place = search.machine.show(path);
    match Settings::parse(&text, &place, search.machine) {
        Ok(settings) => {
            let (repositories, _) = settings.repositories();
            let mirrors = settings.mirrors.iter().filter(|mirror| !mirror.blocked).count();
            let found = format!("{mirrors} mirrors, {} repositories in active profiles", repositories.len());
            search.note(Kind::Maven, place, found);
            Some(settings)
        }
        Err(problem) => {
            search.note(Kind::Maven, place, "cannot be understood");
            search.warn("reading Maven's settings", problem);
            None
        }
    }
}

/// The endpoint of a repository: its mirror, or itself. None if it is blocked or has no address that can be used.
fn endpoint(
    search: &mut Search,
    settings: &Settings,
    homes: &[Utf8PathBuf],
    repository: Repository,
) -> Option<Endpoint> {
    let (id, url, found_in) = match mirror::of(&settings.mirrors, &repository) {
        Some(mirror) if mirror.blocked => {
            search.warn(&mirror.found_in, format!("blocks the repository `{}`", repository.id));
            return None;
        }
        Some(mirror) => {
            let found_in = format!("{} of `{}`", mirror.found_in, repository.id);
            (mirror.id.clone(), mirror.url.clone(), found_in)
        }
        None => {
            let repository = if repository.url.is_some() { repository } else { installed::central(search, homes)? };
            (repository.id, repository.url?, repository.found_in)
        }
    };
    if url.contains("${") {
        search.warn(found_in, format!("`{}`: a variable that is not set", without_credentials(&url)));
        return None;
    }
    let mut endpoint = match search.endpoint(&id, &url, &found_in) {
        Ok(endpoint) => endpoint,
        Err(error) => {
            search.warn(found_in, error);
            return None;
        }
    };
    endpoint.proxy = proxy::of(search, &settings.proxies, &endpoint.url);
    let server = settings.servers.iter().find(|server| server.id == id);
    let auth = server.and_then(|server| Some((auth(search, server)?, server.found_in.clone())));
    search.complete(Kind::Maven, &mut endpoint, auth);
    Some(endpoint)
}

/// The credentials of a `server`.
fn auth(search: &mut Search, server: &Server) -> Option<Auth> {
    if let Some((name, value)) = &server.header {
        let value = secret(search, value, &server.found_in)?;
        return Some(Auth::Header { name: name.clone(), value });
    }
    let password = secret(search, server.password.as_deref()?, &server.found_in)?;
    Some(Auth::Basic { user: server.username.clone().unwrap_or_default(), password })
}

/// A password as the settings have it; none, with a warning that says what to do, if only Maven could use it.
fn secret(search: &mut Search, password: &str, found_in: &str) -> Option<Secret> {
    let problem = if password.contains("${") {
        "the password names a variable that is not set; set it"
    } else if is_encrypted(password) {
        "the password is encrypted, which only Maven can undo; write `${env.NAME}` in its place and set that variable"
    } else {
        return Some(Secret::new(password));
    };
    search.warn(found_in, problem);
    None
}

/// Whether a password is one of `mvn --encrypt-password`: it holds something in braces that are not escaped.
fn is_encrypted(password: &str) -> bool {
    let unescaped = |from: usize, brace: char| {
        let mut places = password[from..].match_indices(brace).map(|(at, _)| from + at);
        places.find(|at| !password[..*at].ends_with('\\'))
    };
    unescaped(0, '{').and_then(|open| unescaped(open + 1, '}').map(|close| close > open + 1)).unwrap_or(false)
}
