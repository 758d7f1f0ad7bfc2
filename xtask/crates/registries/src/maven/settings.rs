//! Maven's `settings.xml`: parsed, interpolated and merged as Maven does it
//! (<https://maven.apache.org/settings.html>).
//!
//! Only what bears on where artifacts come from is read.

use std::collections::BTreeSet;

use roxmltree::{Document, Node};

use crate::machine::Machine;

/// What the user's and the global file say together.
#[derive(Default)]
pub(super) struct Settings {
    pub(super) mirrors: Vec<Mirror>,
    pub(super) servers: Vec<Server>,
    pub(super) proxies: Vec<ProxySetting>,
    profiles: Vec<Profile>,
    active_profiles: Vec<String>,
    /// Those outside of profiles, which Maven 4 has.
    repositories: Vec<Repository>,
}

/// A `mirror`: what it stands in for, and where it is.
pub(super) struct Mirror {
    pub(super) id: String,
    pub(super) url: String,
    pub(super) mirror_of: String,
    pub(super) blocked: bool,
    pub(super) found_in: String,
}

/// A `server`: the credentials for the mirror or repository of the same id.
pub(super) struct Server {
    pub(super) id: String,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    /// `configuration/httpHeaders`, as GitLab's package registry wants them.
    pub(super) header: Option<(String, String)>,
    pub(super) found_in: String,
}

/// A `proxy`.
pub(super) struct ProxySetting {
    id: String,
    pub(super) active: bool,
    pub(super) protocol: String,
    pub(super) host: String,
    pub(super) port: String,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    pub(super) non_proxy_hosts: String,
    pub(super) found_in: String,
}

/// A `profile` of the settings.
struct Profile {
    id: String,
    activation: Activation,
    repositories: Vec<Repository>,
    found_in: String,
}

/// When a profile is active without being named.
#[derive(Debug, PartialEq, Eq)]
enum Activation {
    Never,
    Always,
    /// Depends on the JDK, a file or the operating system of a Maven that we do not run.
    Unknown,
}

/// A `repository` of an active profile. `url` is none for `central`, whose default stands in the super-POM.
#[derive(Clone)]
pub(super) struct Repository {
    pub(super) id: String,
    pub(super) url: Option<String>,
    /// Whether releases are asked of it. One that holds only snapshots still hides another of its id.
    pub(super) releases: bool,
    pub(super) found_in: String,
}

impl Settings {
    /// Parses a file. `place` is its name for people. The error names file and line.
    pub(super) fn parse(text: &str, place: &str, machine: &Machine) -> Result<Self, String> {
        let document = Document::parse(text)
            .map_err(|error| format!("{place} line {}: not well-formed XML: {error}", error.pos().row))?;
        let root = document.root_element();
        if root.tag_name().name() != "settings" {
            return Err(format!("{place}: expected the element `settings`, found `{}`", root.tag_name().name()));
        }
        let reader = Reader { document: &document, place, machine };
        Ok(Self {
            mirrors: reader.all(root, "mirrors", "mirror").map(|node| reader.mirror(node)).collect(),
            servers: reader.all(root, "servers", "server").map(|node| reader.server(node)).collect(),
            proxies: reader.all(root, "proxies", "proxy").map(|node| reader.proxy(node)).collect(),
            profiles: reader.all(root, "profiles", "profile").map(|node| reader.profile(node)).collect(),
            active_profiles: reader
                .all(root, "activeProfiles", "activeProfile")
                .map(|node| reader.value(node))
                .collect(),
            repositories: reader.all(root, "repositories", "repository").map(|node| reader.repository(node)).collect(),
        })
    }

    /// Adds what a weaker file says: of two elements with one id the first counts.
    pub(super) fn or(mut self, weaker: Self) -> Self {
        fn add<T>(into: &mut Vec<T>, from: Vec<T>, id: impl Fn(&T) -> &str) {
            for item in from {
                if !into.iter().any(|known| id(known) == id(&item)) {
                    into.push(item);
                }
            }
        }
        add(&mut self.mirrors, weaker.mirrors, |mirror| &mirror.id);
        add(&mut self.servers, weaker.servers, |server| &server.id);
        add(&mut self.proxies, weaker.proxies, |proxy| &proxy.id);
        add(&mut self.profiles, weaker.profiles, |profile| &profile.id);
        self.active_profiles.extend(weaker.active_profiles);
        add(&mut self.repositories, weaker.repositories, |repository| &repository.id);
        self
    }

    /// The repositories of the active profiles in the order in which Maven asks them; and the profiles that have some
    /// but of which we cannot tell whether they are active, as place and id.
    ///
    /// Maven adds the profiles one after the other, and each puts its repositories before those of the ones before it;
    /// of two repositories with one id only the first is left.
    pub(super) fn repositories(&self) -> (Vec<Repository>, Vec<(String, String)>) {
        let (mut repositories, mut unknown) = (Vec::<&Repository>::new(), Vec::new());
        for profile in self.profiles.iter().rev().filter(|profile| !profile.repositories.is_empty()) {
            if self.active_profiles.contains(&profile.id) || profile.activation == Activation::Always {
                repositories.extend(&profile.repositories);
            } else if profile.activation == Activation::Unknown {
                unknown.push((profile.found_in.clone(), profile.id.clone()));
            }
        }
        repositories.extend(&self.repositories);
        let mut seen = BTreeSet::new();
        let repositories = repositories.into_iter().filter(|repository| seen.insert(&repository.id)).cloned().collect();
        (repositories, unknown)
    }
}

/// Reads elements of one file.
struct Reader<'a> {
    document: &'a Document<'a>,
    place: &'a str,
    machine: &'a Machine,
}

impl<'a> Reader<'a> {
    fn all(&self, parent: Node<'a, 'a>, list: &'a str, item: &'a str) -> impl Iterator<Item = Node<'a, 'a>> + use<'a> {
        let named = |name: &'a str| move |node: &Node| node.tag_name().name() == name;
        parent.children().filter(named(list)).flat_map(|node| node.children()).filter(named(item))
    }

    fn value(&self, node: Node) -> String {
        interpolate(node.text().unwrap_or_default().trim(), self.machine)
    }

    fn optional(&self, node: Node, name: &str) -> Option<String> {
        let child = node.children().find(|child| child.tag_name().name() == name)?;
        Some(self.value(child)).filter(|value| !value.is_empty())
    }

    fn text(&self, node: Node, name: &str) -> String {
        self.optional(node, name).unwrap_or_default()
    }

    /// `settings.xml line 12, mirror `corp``.
    fn found_in(&self, node: Node, id: &str) -> String {
        let line = self.document.text_pos_at(node.range().start).row;
        format!("{} line {line}, {} `{id}`", self.place, node.tag_name().name())
    }

    fn mirror(&self, node: Node) -> Mirror {
        let id = self.text(node, "id");
        Mirror {
            url: self.text(node, "url"),
            mirror_of: self.text(node, "mirrorOf"),
            blocked: self.text(node, "blocked") == "true",
            found_in: self.found_in(node, &id),
            id,
        }
    }

    fn server(&self, node: Node<'a, 'a>) -> Server {
        let id = self.text(node, "id");
        let headers = node.children().find(|child| child.tag_name().name() == "configuration");
        let header = headers.and_then(|headers| self.all(headers, "httpHeaders", "property").next());
        Server {
            username: self.optional(node, "username"),
            password: self.optional(node, "password"),
            header: header.and_then(|node| Some((self.optional(node, "name")?, self.optional(node, "value")?))),
            found_in: self.found_in(node, &id),
            id,
        }
    }

    fn proxy(&self, node: Node) -> ProxySetting {
        let id = self.optional(node, "id").unwrap_or_else(|| "default".to_owned());
        ProxySetting {
            active: self.text(node, "active") != "false",
            protocol: self.optional(node, "protocol").unwrap_or_else(|| "http".to_owned()).to_ascii_lowercase(),
            host: self.text(node, "host"),
            port: self.optional(node, "port").unwrap_or_else(|| "8080".to_owned()),
            username: self.optional(node, "username"),
            password: self.optional(node, "password"),
            non_proxy_hosts: self.text(node, "nonProxyHosts"),
            found_in: self.found_in(node, &id),
            id,
        }
    }

    fn profile(&self, node: Node<'a, 'a>) -> Profile {
        let id = self.text(node, "id");
        let activation = node.children().find(|child| child.tag_name().name() == "activation");
        Profile {
            activation: activation.map_or(Activation::Never, |activation| self.activation(activation)),
            repositories: self
                .all(node, "repositories", "repository")
                .map(|repository| self.repository(repository))
                .collect(),
            found_in: self.found_in(node, &id),
            id,
        }
    }

    fn activation(&self, node: Node<'a, 'a>) -> Activation {
        if self.text(node, "activeByDefault") == "true" {
            return Activation::Always;
        }
        let conditions = node.children().filter(|child| child.is_element());
        let mut conditions = conditions.filter(|child| child.tag_name().name() != "activeByDefault").peekable();
        let Some(first) = conditions.next() else { return Activation::Never };
        if first.tag_name().name() != "property" || conditions.peek().is_some() {
            return Activation::Unknown;
        }
        // A Maven that is started without `-D` knows the environment, and properties of its JVM that nobody asks for.
        let name = self.text(first, "name");
        let wanted = self.optional(first, "value");
        let (negated, name) = name.strip_prefix('!').map_or((false, name.as_str()), |name| (true, name));
        let actual = name.strip_prefix("env.").and_then(|name| self.machine.var(name));
        let holds = match wanted.as_deref() {
            None => actual.is_some(),
            Some(value) => match value.strip_prefix('!') {
                Some(unwanted) => actual != Some(unwanted),
                None => actual == Some(value),
            },
        };
        if holds != negated { Activation::Always } else { Activation::Never }
    }

    fn holds_releases(&self, repository: Node) -> bool {
        let releases = repository.children().find(|child| child.tag_name().name() == "releases");
        releases.is_none_or(|releases| self.text(releases, "enabled") != "false")
    }

    fn repository(&self, node: Node) -> Repository {
        let id = self.text(node, "id");
        let releases = self.holds_releases(node);
        // Maven 4's global settings name its default by a property that stands in another file.
        let url = self.optional(node, "url").filter(|url| url != "${maven.repo.central}");
        Repository { url, releases, found_in: self.found_in(node, &id), id }
    }
}

/// Replaces `${env.NAME}`, `${user.home}` and, as Maven 4 has it, `${env.NAME:-default}`; what is not known stays as it
/// is, as it does for Maven.
pub(super) fn interpolate(text: &str, machine: &Machine) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else { break };
        let (before, expression) = (&rest[..start], &rest[start..=start + length]);
        let name = &expression[2..expression.len() - 1];
        let (name, default) = name.split_once(":-").map_or((name, None), |(name, default)| (name, Some(default)));
        let value = match name.strip_prefix("env.") {
            Some(variable) => machine.env.get(variable).map(String::as_str),
            None if name == "user.home" => machine.home.as_ref().map(|home| home.as_str()),
            None => None,
        };
        out.push_str(before);
        out.push_str(value.or(default).unwrap_or(expression));
        rest = &rest[start + length + 1..];
    }
    out + rest
}
