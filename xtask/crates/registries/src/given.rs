//! Registries that the user states to us: on the command line, in our variables, in our files.
//!
//! These go before anything that the configuration of a client says, and a mistake in them is an error, not a reason
//! to look elsewhere.

use std::collections::BTreeSet;

use camino::Utf8Path;

use crate::{
    auth::{Auth, Proxy},
    endpoint::Endpoint,
    kind::Kind,
    registries::ExtraCa,
    registries_toml,
    search::Search,
    url::without_credentials,
};

/// A registry as it was stated.
#[derive(Clone)]
pub(crate) struct Given {
    pub(crate) kind: Kind,
    pub(crate) url: String,
    pub(crate) found_in: String,
    pub(crate) id: Option<String>,
    pub(crate) auth: Option<Auth>,
    pub(crate) proxy: Option<Proxy>,
    /// For Debian: the suites that the archive offers, where the user says so.
    pub(crate) suites: Option<Vec<String>>,
}

impl Given {
    pub(crate) fn new(kind: Kind, url: &str, found_in: &str) -> Self {
        let (url, found_in) = (url.to_owned(), found_in.to_owned());
        Self { kind, url, found_in, id: None, auth: None, proxy: None, suites: None }
    }

    /// The endpoint. The error says where the address stands and what is wrong with it.
    pub(crate) fn endpoint(&self, search: &mut Search) -> Result<Endpoint, String> {
        let id = self.id.as_deref().unwrap_or(self.kind.name());
        let mut endpoint =
            search.endpoint(id, &self.url, &self.found_in).map_err(|error| format!("{}: {error}", self.found_in))?;
        endpoint.proxy = self.proxy.clone().unwrap_or(endpoint.proxy);
        let auth = self.auth.clone().map(|auth| (auth, format!("variables that {} names", self.found_in)));
        search.complete(self.kind, &mut endpoint, auth);
        Ok(endpoint)
    }
}

/// A place where the user may state registries, with what it says.
struct Source {
    place: String,
    says: Says,
}

enum Says {
    /// Nothing: the variable is not set, the file does not exist.
    Nothing(String),
    /// These registries, of any kind.
    These(Vec<Given>),
    /// Something that cannot be understood. It breaks all kinds for which no stronger place speaks.
    Nonsense(String),
}

impl Says {
    fn of(given: Result<Vec<Given>, String>) -> Self {
        given.map_or_else(Self::Nonsense, Self::These)
    }
}

/// All such places.
pub(crate) struct Sources {
    flags: Source,
    /// The variable of each kind.
    variables: Vec<(Kind, Source)>,
    /// The variable for all kinds, and the files; the strongest first.
    others: Vec<Source>,
    pub(crate) extra_ca: Vec<ExtraCa>,
}

impl Sources {
    /// Reads the flags, the variables and the files.
    pub(crate) fn read(search: &mut Search, flags: &[String]) -> Self {
        let machine = search.machine;
        let unset = || Says::Nothing("not set".to_owned());
        let assignments = |words: Vec<&str>, place: &str| {
            let given = words.into_iter().map(|word| assignment(word, place)).collect::<Result<Vec<_>, _>>();
            Says::of(given.map(|lists| lists.concat()))
        };
        let says = match flags {
            [] => unset(),
            _ => assignments(flags.iter().map(String::as_str).collect(), "--registry"),
        };
        let flags = Source { place: "--registry".to_owned(), says };

        let variables = Kind::ALL.map(|kind| {
            let place = kind.variable();
            let says = machine.var(place).map_or_else(unset, |urls| Says::These(list(kind, urls, place)));
            (kind, Source { place: place.to_owned(), says })
        });
        let place = "SPARK_IMAGES_REGISTRIES";
        let words = machine.var(place).map(|value| value.split_whitespace().collect());
        let says = words.map_or_else(unset, |words| assignments(words, place));
        let mut others = vec![Source { place: place.to_owned(), says }];

        let mut extra_ca = Vec::new();
        if let Some(path) = machine.var_path("SPARK_IMAGES_CA") {
            extra_ca.push(ExtraCa { path, found_in: "SPARK_IMAGES_CA".to_owned() });
        }
        let repo = Some(machine.repo.join("docker/registries.toml"));
        let user = machine.user_registries();
        for path in [repo, user].into_iter().flatten() {
            others.push(read_file(search, &path, &mut extra_ca));
        }
        let mut seen = BTreeSet::new();
        extra_ca.retain(|ca| seen.insert(ca.path.clone()));
        Self { flags, variables: variables.into(), others, extra_ca }
    }

    /// What the strongest place that speaks of `kind` says: empty if none does, an error if that place cannot be
    /// understood.
    pub(crate) fn of(&self, search: &mut Search, kind: Kind) -> Result<Vec<Given>, String> {
        let variable = self.variables.iter().filter(|(of, _)| *of == kind).map(|(_, source)| source);
        for Source { place, says } in [&self.flags].into_iter().chain(variable).chain(&self.others) {
            match says {
                Says::Nothing(why) => search.note(kind, place, why),
                Says::Nonsense(problem) => {
                    search.note(kind, place, "cannot be understood");
                    return Err(problem.clone());
                }
                Says::These(given) => {
                    let given: Vec<_> = given.iter().filter(|given| given.kind == kind).cloned().collect();
                    if !given.is_empty() {
                        search.note(kind, place, shown(&given));
                        return Ok(given);
                    }
                    search.note(kind, place, format!("nothing for {kind}"));
                }
            }
        }
        Ok(Vec::new())
    }
}

fn read_file(search: &mut Search, path: &Utf8Path, extra_ca: &mut Vec<ExtraCa>) -> Source {
    let says = match search.open(path) {
        Err(found) => Says::Nothing(found),
        Ok(text) => Says::of(registries_toml::parse(search, &text, path).map(|file| {
            extra_ca.extend(file.extra_ca);
            file.given
        })),
    };
    Source { place: search.machine.show(path), says }
}

/// `KIND=URL`, or `KIND=URL,URL`.
fn assignment(text: &str, place: &str) -> Result<Vec<Given>, String> {
    let expected = |problem: String| format!("{place}: `{}`: {problem}", without_credentials(text));
    let (kind, urls) = text.split_once('=').ok_or_else(|| expected("expected KIND=URL".to_owned()))?;
    let kind: Kind = kind.trim().parse().map_err(|error| expected(format!("{error}")))?;
    let given = list(kind, urls, place);
    if given.is_empty() { Err(expected("expected a URL after the `=`".to_owned())) } else { Ok(given) }
}

/// URLs separated by commas or white space.
fn list(kind: Kind, urls: &str, place: &str) -> Vec<Given> {
    urls.split(|c: char| c == ',' || c.is_whitespace())
        .filter(|url| !url.is_empty())
        .map(|url| Given::new(kind, url, place))
        .collect()
}

fn shown(given: &[Given]) -> String {
    given.iter().map(|given| without_credentials(&given.url)).collect::<Vec<_>>().join(", ")
}
