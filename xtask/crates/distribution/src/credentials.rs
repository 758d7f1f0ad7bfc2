//! Who we are to a registry: what `docker login` and `podman login` left, their helpers, or two variables.
//!
//! The files are those of <https://docs.docker.com/reference/cli/docker/login/> and
//! <https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md>; a helper is asked as
//! <https://github.com/docker/docker-credential-helpers> says. Nothing is written.

use std::{
    collections::BTreeMap,
    env, fmt, fs,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use camino::Utf8PathBuf;
use serde::Deserialize;

use crate::error::{Error, Result};

/// The variable that names the user.
pub(crate) const USER: &str = "SPARK_IMAGES_REGISTRY_USER";
/// The variable that holds the password, or a token that stands for one.
pub(crate) const PASSWORD: &str = "SPARK_IMAGES_REGISTRY_PASSWORD";

/// How Docker's files and helpers call Docker Hub.
const HUB_KEY: &str = "https://index.docker.io/v1/";
/// What a helper says where it knows nobody; it is part of the helpers' protocol.
const NOT_FOUND: &str = "credentials not found";

/// What is shown to a registry.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// User and password.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
    /// A token that other tokens are had for (`identitytoken`).
    Refresh(String),
    /// A token for the registry itself (`registrytoken`).
    Bearer(String),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Credential::Basic { .. } => "Basic(***)",
            Credential::Refresh(_) => "Refresh(***)",
            Credential::Bearer(_) => "Bearer(***)",
        })
    }
}

/// The variables that matter here.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Those of this process. Empty ones count as none.
    pub fn current() -> Self {
        env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect()
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().filter(|(_, value)| !value.is_empty()).collect())
    }
}

/// Where credentials are looked for.
#[derive(Clone, Default)]
pub struct Credentials {
    environment: Environment,
    /// What helpers said, by helper and registry: each is asked once.
    asked: Asked,
}

type Asked = Arc<Mutex<BTreeMap<(String, String), Option<Credential>>>>;

/// `config.json`, `auth.json`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ClientFile {
    auths: BTreeMap<String, Entry>,
    creds_store: Option<String>,
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

/// What a helper answers.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

impl Credentials {
    /// Those of an environment: its variables, and the files that they name.
    pub fn new(environment: Environment) -> Self {
        Self { environment, asked: Asked::default() }
    }

    /// The credential for a repository (`team/image`) of a registry, and where it was found. In this order: two variables,
    /// `REGISTRY_AUTH_FILE`, `DOCKER_AUTH_CONFIG`, Docker's file, Podman's files. The first that has one is taken.
    ///
    /// # Errors
    /// A file or variable cannot be understood, or a helper fails.
    pub fn find(&self, host: &str, repository: &str) -> Result<Option<(Credential, String)>> {
        let wrong =
            |from: &str, reason: String| Error::Credentials { host: host.to_owned(), from: from.to_owned(), reason };
        match (self.environment.get(USER), self.environment.get(PASSWORD)) {
            (Some(user), Some(password)) => {
                let (user, password) = (user.to_owned(), password.to_owned());
                return Ok(Some((Credential::Basic { user, password }, USER.to_owned())));
            }
            (Some(_), None) => return Err(wrong(USER, format!("{PASSWORD} is not set"))),
            (None, Some(_)) => return Err(wrong(PASSWORD, format!("{USER} is not set"))),
            (None, None) => {}
        }
        for (from, text) in self.files(host)? {
            let file: ClientFile = serde_json::from_str(&text).map_err(|error| wrong(&from, error.to_string()))?;
            if let Some(credential) = file.find(host, repository, &self.asked).map_err(|reason| wrong(&from, reason))? {
                return Ok(Some((credential, from)));
            }
        }
        Ok(None)
    }

    /// The texts that there are, each with its name.
    fn files(&self, host: &str) -> Result<Vec<(String, String)>> {
        let variable = |name: &str| self.environment.get(name).map(Utf8PathBuf::from);
        let home = |below: &str| variable("HOME").map(|home| home.join(below));
        let mut texts = Vec::new();
        let named = variable("REGISTRY_AUTH_FILE");
        let docker = variable("DOCKER_CONFIG").or_else(|| home(".docker")).map(|folder| folder.join("config.json"));
        let runtime = variable("XDG_RUNTIME_DIR").map(|folder| folder.join("containers/auth.json"));
        let config = variable("XDG_CONFIG_HOME").or_else(|| home(".config"));
        let config = config.map(|folder| folder.join("containers/auth.json"));
        if let Some(path) = &named {
            let read = fs::read_to_string(path);
            let text = read.map_err(|error| Error::Credentials {
                host: host.to_owned(),
                from: "REGISTRY_AUTH_FILE".to_owned(),
                reason: format!("reading {path}: {error}"),
            })?;
            texts.push((path.to_string(), text));
        }
        if let Some(text) = self.environment.get("DOCKER_AUTH_CONFIG") {
            texts.push(("DOCKER_AUTH_CONFIG".to_owned(), text.to_owned()));
        }
        for path in [docker, runtime, config].into_iter().flatten() {
            match fs::read_to_string(&path) {
                Ok(text) => texts.push((path.to_string(), text)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(Error::io("reading", path)(error)),
            }
        }
        Ok(texts)
    }
}

impl ClientFile {
    fn find(&self, host: &str, repository: &str, asked: &Asked) -> Result<Option<Credential>, String> {
        // Podman may know a part of a registry better than the whole: the longest key counts.
        let full = format!("{host}/{repository}");
        let ends = full.match_indices('/').map(|(at, _)| at).chain([full.len()]).collect::<Vec<_>>();
        let keys: Vec<&str> = ends.into_iter().rev().map(|end| &full[..end]).collect();
        for key in &keys {
            if let Some((_, helper)) = self.cred_helpers.iter().find(|(name, _)| is_for(name, key)) {
                return once(asked, helper, &server(key));
            }
            if let Some((_, entry)) = self.auths.iter().find(|(name, _)| is_for(name, key))
                && let Some(credential) = entry.credential()?
            {
                return Ok(Some(credential));
            }
        }
        match &self.creds_store {
            Some(store) => once(asked, store, &server(host)),
            None => Ok(None),
        }
    }
}

/// Whether a key of a file means what we call `key`. Old files write URLs.
fn is_for(name: &str, key: &str) -> bool {
    let bare = name.strip_prefix("https://").or_else(|| name.strip_prefix("http://")).unwrap_or(name);
    let bare = bare.trim_end_matches('/');
    let bare = bare.strip_suffix("/v1").or_else(|| bare.strip_suffix("/v2")).unwrap_or(bare);
    bare == key || (key == "docker.io" && matches!(bare, "index.docker.io" | "registry-1.docker.io"))
}

/// How helpers call a registry.
fn server(key: &str) -> String {
    if key == "docker.io" { HUB_KEY.to_owned() } else { key.to_owned() }
}

impl Entry {
    /// What it holds; an entry of Docker's may be empty where a helper knows more.
    fn credential(&self) -> Result<Option<Credential>, String> {
        if !self.identitytoken.is_empty() {
            return Ok(Some(Credential::Refresh(self.identitytoken.clone())));
        }
        if !self.registrytoken.is_empty() {
            return Ok(Some(Credential::Bearer(self.registrytoken.clone())));
        }
        if !self.auth.is_empty() {
            let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
            let decoded = GeneralPurpose::new(&STANDARD, config).decode(self.auth.trim());
            let text = decoded.ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let pair = text.as_deref().and_then(|text| text.split_once(':'));
            let (user, password) = pair.ok_or("an `auth` is not base64 of `user:password`")?;
            let password = password.trim_end_matches('\0');
            return Ok(Some(Credential::Basic { user: user.to_owned(), password: password.to_owned() }));
        }
        let basic = || Credential::Basic { user: self.username.clone(), password: self.password.clone() };
        Ok((!self.username.is_empty()).then(basic))
    }
}

/// Asks a helper, unless it was asked before.
fn once(asked: &Asked, helper: &str, server: &str) -> Result<Option<Credential>, String> {
    let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (helper.to_owned(), server.to_owned());
    if let Some(known) = asked.get(&key) {
        return Ok(known.clone());
    }
    let answer = ask(helper, server)?;
    asked.insert(key, answer.clone());
    Ok(answer)
}

fn ask(helper: &str, server: &str) -> Result<Option<Credential>, String> {
    let program = format!("docker-credential-{helper}");
    if helper.contains('/') {
        return Err(format!("`{helper}` is no name of a helper"));
    }
    let run = duct::cmd!(&program, "get").stdin_bytes(server).stdout_capture().stderr_capture().unchecked().run();
    let output = run.map_err(|error| format!("starting {program}: {error}\ninstall it, or log in again"))?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if !output.status.success() {
        let (out, err) = (said(&output.stdout), said(&output.stderr));
        if out.contains(NOT_FOUND) || err.contains(NOT_FOUND) {
            return Ok(None);
        }
        let text = if err.is_empty() { out } else { err };
        return Err(format!("{program} failed ({}): {text}", output.status));
    }
    // What it said is a secret, so the error does not quote it.
    let answer: Answer = serde_json::from_slice(&output.stdout)
        .map_err(|_| format!("{program}: expected JSON with Username and Secret, found something else"))?;
    Ok(Some(match answer.username.as_str() {
        "<token>" => Credential::Refresh(answer.secret),
        _ => Credential::Basic { user: answer.username, password: answer.secret },
    }))
}
