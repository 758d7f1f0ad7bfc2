//! A `settings.xml` for a Maven that runs in a sandbox and must ask nothing but the given registries.
//!
//! How it works, from Maven's `DefaultMirrorSelector` and `DefaultProxySelector`:
//!
//! - The first registry is a mirror of everything (`*`), whatever repositories the project's files name. It is called
//!   `central`, so that a local repository that was filled behind one mirror serves behind any other.
//! - A mirror stands for a repository alone; Maven never tries a second one. So each further registry is a repository of
//!   its own in a profile, after `central`, and has a mirror that names just its id: an exact id goes before `*`, and
//!   before the blocker of plain HTTP in Maven's own settings.
//! - The profile's repositories go before those of the project, in their order: the first that has a file wins.
//! - Proxies are chosen by the host's absence from `nonProxyHosts`. Each proxy excludes the hosts of those registries
//!   that do not go through it.

use std::fmt::Write as _;

use registries::{Auth, BaseUrl, Secret};

/// A Maven repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// For people: its name in the client's configuration.
    pub name: String,
    /// Its address, without credentials.
    pub url: BaseUrl,
    /// What it wants to see.
    pub auth: Option<Auth>,
    /// The proxy that leads to it. Maven does not look at the environment's.
    pub proxy: Option<Proxy>,
}

/// An HTTP proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// User and password, if it wants any.
    pub credentials: Option<(String, Secret)>,
}

/// A proxy that Maven cannot be given.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// It is no `http` or `https` URL; Maven knows no other kind of proxy.
    #[error(transparent)]
    Url(#[from] registries::UrlError),
    /// Maven would replace or decrypt a part of its credentials, and for a proxy there is no other place for them.
    #[error(
        "expected user and password of the proxy {proxy} without `{{`, found one: Maven takes what stands in braces for \
         encrypted or for the name of a property\ngive the proxy another user or password"
    )]
    Braces {
        /// The proxy's address, without credentials.
        proxy: BaseUrl,
    },
}

impl Proxy {
    /// The proxy of a URL such as `http://user:password@proxy.example:3128`, as `HTTPS_PROXY` holds it.
    ///
    /// # Errors
    /// It is no `http` or `https` URL, or Maven would not take its credentials as they are. The text holds no password.
    pub fn parse(url: &str) -> Result<Self, ProxyError> {
        let (url, auth) = BaseUrl::parse(url)?;
        let credentials = match auth {
            Some(Auth::Basic { user, password }) if is_literal(&user) && is_literal(password.expose()) => {
                Some((user, password))
            }
            Some(Auth::Basic { .. }) => return Err(ProxyError::Braces { proxy: url }),
            _ => None,
        };
        let port = url.port().unwrap_or(if url.is_secure() { 443 } else { 80 });
        Ok(Self { host: url.host().to_owned(), port, credentials })
    }
}

/// What goes into the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// The registries, in the order in which they are asked. None: Maven asks those of the project.
    pub repositories: Vec<Repository>,
    /// No connections at all.
    pub offline: bool,
    /// The local repository, as the sandbox sees it.
    pub local_repository: Option<String>,
}

/// The id of the n-th registry, from 0.
fn id(index: usize) -> String {
    if index == 0 { "central".to_owned() } else { format!("registry-{}", index + 1) }
}

/// Writes the file. It holds credentials: mode 0600, and outside of what is kept.
pub fn render(settings: &Settings) -> String {
    let mut xml = Xml::default();
    xml.text.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    xml.inside("settings xmlns=\"http://maven.apache.org/SETTINGS/1.0.0\"", |xml| {
        if let Some(folder) = &settings.local_repository {
            xml.value("localRepository", folder);
        }
        xml.value("interactiveMode", "false");
        xml.value("offline", if settings.offline { "true" } else { "false" });
        if settings.repositories.is_empty() {
            return;
        }
        proxies(xml, &settings.repositories);
        servers(xml, &settings.repositories);
        xml.inside("mirrors", |xml| {
            for (index, repository) in settings.repositories.iter().enumerate() {
                mirror(xml, index, repository);
            }
        });
        xml.inside("profiles", |xml| {
            xml.inside("profile", |xml| {
                xml.value("id", "registries");
                for (list, item) in [("repositories", "repository"), ("pluginRepositories", "pluginRepository")] {
                    xml.inside(list, |xml| repositories(xml, item, &settings.repositories));
                }
            });
        });
        xml.inside("activeProfiles", |xml| xml.value("activeProfile", "registries"));
    });
    xml.text
}

fn mirror(xml: &mut Xml, index: usize, repository: &Repository) {
    let id = id(index);
    xml.inside("mirror", |xml| {
        xml.value("id", &id);
        xml.value("name", &repository.name);
        xml.value("url", repository.url.as_str());
        xml.value("mirrorOf", if index == 0 { "*" } else { &id });
    });
}

fn repositories(xml: &mut Xml, item: &str, repositories: &[Repository]) {
    for (index, repository) in repositories.iter().enumerate() {
        xml.inside(item, |xml| {
            xml.value("id", &id(index));
            xml.value("url", repository.url.as_str());
            xml.inside("releases", |xml| {
                xml.value("enabled", "true");
                xml.value("updatePolicy", "never");
                xml.value("checksumPolicy", "fail");
            });
            xml.inside("snapshots", |xml| xml.value("enabled", "false"));
        });
    }
}

fn servers(xml: &mut Xml, repositories: &[Repository]) {
    if repositories.iter().all(|repository| repository.auth.is_none()) {
        return;
    }
    xml.inside("servers", |xml| {
        for (index, repository) in repositories.iter().enumerate() {
            let Some(auth) = &repository.auth else { continue };
            xml.inside("server", |xml| {
                xml.value("id", &id(index));
                match auth {
                    Auth::Basic { user, password } if is_literal(user) && is_literal(password.expose()) => {
                        xml.value("username", user);
                        xml.value("password", password.expose());
                    }
                    auth => header(xml, auth),
                }
            });
        }
    });
}

/// Whether Maven takes the text as it is. It replaces `${...}`, and decrypts what stands in braces.
fn is_literal(text: &str) -> bool {
    !text.contains('{')
}

/// `httpHeaders` as Maven 3.9 reads them for its HTTP transport.
fn header(xml: &mut Xml, auth: &Auth) {
    let (name, value) = auth.header();
    xml.inside("configuration", |xml| {
        xml.inside("httpHeaders", |xml| {
            xml.inside("property", |xml| {
                xml.value("name", name);
                xml.value("value", value.expose());
            });
        });
    });
}

fn proxies(xml: &mut Xml, repositories: &[Repository]) {
    let mut distinct: Vec<&Proxy> = Vec::new();
    for proxy in repositories.iter().filter_map(|repository| repository.proxy.as_ref()) {
        if !distinct.contains(&proxy) {
            distinct.push(proxy);
        }
    }
    if distinct.is_empty() {
        return;
    }
    xml.inside("proxies", |xml| {
        for (index, proxy) in distinct.into_iter().enumerate() {
            let others = repositories.iter().filter(|repository| repository.proxy.as_ref() != Some(proxy));
            let mut excluded: Vec<&str> = others.map(|repository| repository.url.host()).collect();
            excluded.sort();
            excluded.dedup();
            xml.inside("proxy", |xml| {
                xml.value("id", &format!("proxy-{}", index + 1));
                xml.value("active", "true");
                // One for `http` serves `https` as well.
                xml.value("protocol", "http");
                xml.value("host", &proxy.host);
                xml.value("port", &proxy.port.to_string());
                if let Some((user, password)) = &proxy.credentials {
                    xml.value("username", user);
                    xml.value("password", password.expose());
                }
                if !excluded.is_empty() {
                    xml.value("nonProxyHosts", &excluded.join("|"));
                }
            });
        }
    });
}

/// Elements, indented by two spaces.
#[derive(Default)]
struct Xml {
    text: String,
    depth: usize,
}

impl Xml {
    /// An element with others in it; `tag` may carry attributes.
    fn inside(&mut self, tag: &str, children: impl FnOnce(&mut Self)) {
        let name = tag.split(' ').next().unwrap_or(tag);
        let indent = "  ".repeat(self.depth);
        let _ = writeln!(self.text, "{indent}<{tag}>");
        self.depth += 1;
        children(self);
        self.depth -= 1;
        let _ = writeln!(self.text, "{indent}</{name}>");
    }

    /// An element with text.
    fn value(&mut self, tag: &str, text: &str) {
        let _ = writeln!(self.text, "{}<{tag}>{}</{tag}>", "  ".repeat(self.depth), escaped(text));
    }
}

/// `text` as character data of XML 1.0: markup escaped, and without the control characters that XML cannot hold.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // A parser would turn a bare carriage return into a newline.
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(c),
            c if c < ' ' || c == '\u{fffe}' || c == '\u{ffff}' => {}
            c => out.push(c),
        }
    }
    out
}
