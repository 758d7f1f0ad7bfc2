//! Servers that jobs are run against: images whose id is `service-NAME`, in a network of the run's own, or servers of the
//! user's own.
//!
//! An image of a service says in its labels at which URL jobs reach it, and which further names it has. Its command prints
//! `ready EVIDENCE` when the server has answered in its own protocol; what it logs goes to a file.

mod server;
mod url;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail};
use catalog::{Catalog, Image};
use sandbox::{Network, Spec};

use self::server::Server;
use super::{
    Case, Jobs, Verdict,
    place::{Place, Shared},
};
use crate::{report::progress::Board, workspace::Workspace};

/// What an image of a service is called, before its name.
const ID: &str = "service-";
/// Where jobs reach it.
const URL: &str = "io.spark-images.service.url";
/// Names beside `localhost` that it is reached by, separated by spaces.
const NAMES: &str = "io.spark-images.service.names";
/// After how many seconds it is given up, if not after the usual time.
const SECONDS: &str = "io.spark-images.service.seconds";

/// Which servers jobs may use.
#[derive(Debug, Clone, Default)]
pub(crate) struct Offer {
    /// Those of the images, started for the run.
    own: bool,
    /// URLs of the user's, by name of the service. They come before the images.
    given: BTreeMap<String, String>,
}

/// The servers of a run; they are stopped when this is dropped.
pub(super) struct Services {
    offer: Offer,
    servers: BTreeMap<String, Server>,
    network: Option<Shared>,
}

impl Offer {
    /// Reads `NAME=URL` words.
    ///
    /// # Errors
    /// One is none, names no service, or has a URL of another form than the service's own.
    pub(crate) fn new(catalog: &Catalog, own: bool, words: &[String]) -> Result<Self> {
        let url = |image: &Image| image.labels.get(URL).cloned().unwrap_or_default();
        let services = catalog.images().iter().filter_map(|image| Some((image.id.strip_prefix(ID)?, url(image))));
        Self::of(&services.collect(), own, words)
    }

    fn of(known: &BTreeMap<&str, String>, own: bool, words: &[String]) -> Result<Self> {
        let mut given = BTreeMap::new();
        for word in words {
            let (name, url) = word.split_once('=').unwrap_or((word, ""));
            let Some(own) = known.get(name) else {
                let known = known.keys().copied().collect::<Vec<_>>().join(", ");
                bail!("`--service {name}` is no service, expected NAME=URL\nservices: {known}")
            };
            if let Some(form) = url::misfit(own, url) {
                bail!("`--service {name}=…` is not what jobs need to reach it\nexpected --service {name}={form}")
            }
            given.insert(name.to_owned(), url.to_owned());
        }
        Ok(Self { own, given })
    }

    /// The servers to start for jobs that need these services, with their images.
    ///
    /// # Errors
    /// There is no such service.
    pub(super) fn servers<'a>(
        &self,
        catalog: &'a Catalog,
        needed: BTreeSet<String>,
    ) -> Result<Vec<(String, &'a Image)>> {
        let missing = needed.into_iter().filter(|name| self.own && !self.given.contains_key(name));
        let image = |name: String| {
            let image = catalog.images().iter().find(|image| image.id.strip_prefix(ID) == Some(&name));
            Ok((name.clone(), image.with_context(|| format!("there is no image with the id `{ID}{name}`"))?))
        };
        missing.map(image).collect()
    }

    /// Whose servers a job gets that needs these: `None` if it needs none, or why it cannot have them.
    fn whose(&self, needed: &[String]) -> Result<Option<Whose>, String> {
        let (users, own): (Vec<&String>, Vec<&String>) =
            needed.iter().partition(|name| self.given.contains_key(name.as_str()));
        match (users.is_empty(), own.is_empty()) {
            (true, true) => Ok(None),
            (false, true) => Ok(Some(Whose::Users)),
            (true, false) if self.own => Ok(Some(Whose::Own)),
            (true, false) => Err(format!("it needs {}; add --with-services, or --service NAME=URL", list(&own))),
            (false, false) => Err(format!(
                "it needs {} beside {}, which --service names, and no network has both; name all of them",
                list(&own),
                list(&users)
            )),
        }
    }
}

/// Whose servers a job is run against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// Those of the run.
    Own,
    /// Those of the user.
    Users,
}

impl Services {
    /// Starts these servers side by side, and waits until each is ready or will never be.
    ///
    /// # Errors
    /// The image of one is not built; no network can be made. A server that does not get ready is no error: see
    /// [`Services::stop`].
    pub(super) fn start(
        workspace: &Workspace,
        catalog: &Catalog,
        place: &Place,
        jobs: &Jobs,
        offer: Offer,
        servers: Vec<(String, &Image)>,
        board: &Board,
    ) -> Result<Self> {
        let mut services = Self { offer, servers: BTreeMap::new(), network: None };
        let Some((_, first)) = servers.first() else { return Ok(services) };
        let names: Vec<String> = servers.iter().flat_map(|(_, image)| server::names(image)).collect();
        let network = place.network(workspace, jobs, first, &names)?;
        for (name, image) in servers {
            let server = Server::start(workspace, catalog, place, &name, image, network.network())?;
            services.servers.insert(name, server);
        }
        services.network = Some(network);
        for (name, server) in &services.servers {
            board.say(&format!("{} service {name}", server.wait()?));
        }
        Ok(services)
    }

    /// Lets a job reach the services that it needs. What stands in the way of it otherwise.
    pub(super) fn join(&self, needed: &[String], spec: &mut Spec) -> Result<(), Verdict> {
        let Some(whose) = self.offer.whose(needed).map_err(Verdict::Skipped)? else { return Ok(()) };
        if let Some(why) = self.ended(needed) {
            return Err(Verdict::Failed(format!("not run: {why}")));
        }
        for name in needed {
            let url = self.servers.get(name).map_or_else(|| &self.offer.given[name], |server| &server.url);
            spec.env.insert(variable(name), url.clone());
        }
        match (whose, &self.network) {
            (Whose::Own, Some(network)) => {
                spec.network = network.network();
                spec.names = self.servers.values().flat_map(|server| server.names.iter().cloned()).collect();
            }
            _ => spec.network = Network::Host,
        }
        Ok(())
    }

    /// The flags that let a job that needs these reach them again; without their URLs, which may hold passwords.
    pub(super) fn flags(&self, needed: &[String]) -> String {
        match self.offer.whose(needed) {
            Ok(None) => String::new(),
            Ok(Some(Whose::Users)) => needed.iter().map(|name| format!(" --service {name}=URL")).collect(),
            Ok(Some(Whose::Own)) | Err(_) => " --with-services".to_owned(),
        }
    }

    /// What became of those of a job's services that have ended: why the job failed, or cannot be run.
    pub(super) fn ended(&self, needed: &[String]) -> Option<String> {
        let servers = needed.iter().filter_map(|name| Some((name, self.servers.get(name)?)));
        let ended = servers.filter_map(|(name, server)| Some(format!("the service {name}: {}", server.ended()?)));
        Some(ended.collect::<Vec<_>>().join("; ")).filter(|text| !text.is_empty())
    }

    /// Stops all servers. A case for each: whether it got ready and was there to the end.
    pub(super) fn stop(self) -> Vec<Case> {
        let servers = self.servers.into_values();
        servers.map(Server::stop).collect()
    }
}

/// The environment variable that tells a job where a service is.
fn variable(name: &str) -> String {
    format!("SERVICE_{}", name.to_uppercase())
}

fn list(names: &[&String]) -> String {
    names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(own: bool, words: &[&str]) -> Result<Offer> {
        let known = [("s3", "http://k:s@s3.test:9000/b".to_owned()), ("kafka", "kafka://127.0.0.1:9092".to_owned())];
        Offer::of(&known.into(), own, &words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_job_gets_servers_of_one_network_or_the_reason_why_not() {
        let needs = |offer: &Offer, names: &[&str]| {
            offer.whose(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
        };
        let nothing = offer(false, &[]).unwrap();
        assert_eq!(needs(&nothing, &[]), Ok(None));
        assert!(needs(&nothing, &["s3"]).unwrap_err().starts_with("it needs s3; add --with-services"));
        let own = offer(true, &[]).unwrap();
        assert_eq!(needs(&own, &["s3", "kafka"]), Ok(Some(Whose::Own)));
        let both = offer(true, &["s3=http://k:s@host:1/bucket"]).unwrap();
        assert_eq!(needs(&both, &["s3"]), Ok(Some(Whose::Users)));
        assert_eq!(needs(&both, &["kafka"]), Ok(Some(Whose::Own)));
        assert!(needs(&both, &["kafka", "s3"]).unwrap_err().starts_with("it needs kafka beside s3"));
        let services = Services { offer: both, servers: BTreeMap::new(), network: None };
        let flags = |name: &str| services.flags(&[name.to_owned()]);
        assert_eq!((flags("s3").as_str(), flags("kafka").as_str()), (" --service s3=URL", " --with-services"));
        assert_eq!(services.flags(&[]), "");
    }

    #[test]
    fn a_service_that_is_not_named_with_its_url_is_refused() {
        let error = |word: &str| offer(true, &[word]).unwrap_err().to_string();
        let expected = "`--service mysql` is no service, expected NAME=URL\nservices: kafka, s3";
        assert_eq!(error("mysql=mysql://u:p@host/d"), expected);
        for word in ["s3", "s3=host:9000", "s3=http://key:secret@host/bucket"] {
            let expected = "`--service s3=…` is not what jobs need to reach it\nexpected --service s3=http://USER:PASSWORD@HOST:PORT/NAME";
            assert_eq!(error(word), expected);
        }
    }
}
