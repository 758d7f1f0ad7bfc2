//! Servers that jobs are run against: images whose id is `service-NAME`, in a network of the run's own, or servers of the
//! user's own.
//!
//! An image of a service says in its labels at which URL jobs reach it, and which further names it has. Its command prints
//! `ready EVIDENCE` when the server has answered in its own protocol; what it logs goes to a file.

mod server;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use catalog::{Catalog, Image};
use sandbox::{Loopback, Network, Spec};

use self::server::Server;
use super::{Case, Verdict};
use crate::{boxed, images, report::progress::Board, workspace::Workspace};

/// What an image of a service is called, before its name.
const ID: &str = "service-";
/// Where jobs reach it.
const URL: &str = "io.spark-images.service.url";
/// Names beside `localhost` that it is reached by, separated by spaces.
const NAMES: &str = "io.spark-images.service.names";

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
    network: Option<Loopback>,
}

impl Offer {
    /// Reads `NAME=URL` words.
    ///
    /// # Errors
    /// One is none, or names no service.
    pub(crate) fn new(catalog: &Catalog, own: bool, words: &[String]) -> Result<Self> {
        let known: BTreeSet<&str> = catalog.images().iter().filter_map(|image| image.id.strip_prefix(ID)).collect();
        let mut given = BTreeMap::new();
        for word in words {
            let pair = word.split_once('=').filter(|(name, url)| known.contains(name) && url.contains("://"));
            let Some((name, url)) = pair else {
                let known = known.into_iter().collect::<Vec<_>>().join(", ");
                bail!("`--service {word}` is not NAME=URL\nservices: {known}; what a URL holds: docker/smoke/README.md")
            };
            given.insert(name.to_owned(), url.to_owned());
        }
        Ok(Self { own, given })
    }
}

impl Services {
    /// Starts the servers that jobs need and that nobody has given, side by side, and waits until each is ready or will
    /// never be.
    ///
    /// # Errors
    /// There is no such service; its image is not built; this machine makes no network. A server that does not get ready
    /// is no error: see [`Services::stop`].
    pub(super) fn start(
        workspace: &Workspace,
        catalog: &Catalog,
        offer: Offer,
        needed: &BTreeSet<String>,
        board: &Board,
    ) -> Result<Self> {
        let mut services = Self { offer, servers: BTreeMap::new(), network: None };
        let missing = |name: &&String| services.offer.own && !services.offer.given.contains_key(*name);
        let images: Vec<(&String, &Image)> =
            needed.iter().filter(missing).map(|name| Ok((name, image(catalog, name)?))).collect::<Result<_>>()?;
        if images.is_empty() {
            return Ok(services);
        }
        let network = Loopback::new(&boxed::sandbox(workspace)?)?;
        for (name, image) in images {
            let server = Server::start(workspace, catalog, name, image, network.network())?;
            services.servers.insert(name.clone(), server);
        }
        services.network = Some(network);
        for (name, server) in &services.servers {
            board.say(&format!("{} service {name}", server.wait()?));
        }
        Ok(services)
    }

    /// Lets a job reach the services that it needs. What stands in the way of it otherwise.
    pub(super) fn join(&self, needed: &[String], spec: &mut Spec) -> Result<(), Verdict> {
        let given = |name: &&String| self.offer.given.contains_key(*name);
        let (users, own): (Vec<&String>, Vec<&String>) = needed.iter().partition(given);
        match (users.is_empty(), own.is_empty()) {
            (_, true) if !needed.is_empty() => spec.network = Network::Host,
            (true, _) => {}
            (false, _) => {
                return Err(Verdict::Skipped(format!(
                    "it needs {} beside {}, which --service names, and one network has not both; name all of them",
                    list(&own),
                    list(&users)
                )));
            }
        }
        if !own.is_empty() && !self.offer.own {
            let needs = list(&own);
            return Err(Verdict::Skipped(format!("it needs {needs}; add --with-services, or --service NAME=URL")));
        }
        for name in own {
            let Some(server) = self.servers.get(name) else { continue };
            if let Some(why) = server.ended() {
                return Err(Verdict::Failed(format!("the service {name} is not there: {why}")));
            }
            spec.env.insert(variable(name), server.url.clone());
        }
        for name in users {
            spec.env.insert(variable(name), self.offer.given[name].clone());
        }
        if let (Some(network), Network::None) = (&self.network, spec.network)
            && !needed.is_empty()
        {
            spec.network = network.network();
            spec.names = self.servers.values().flat_map(|server| server.names.iter().cloned()).collect();
        }
        Ok(())
    }

    /// What became of those of a job's services that have ended, for the reason why the job failed.
    pub(super) fn ended(&self, needed: &[String]) -> Option<String> {
        let servers = needed.iter().filter_map(|name| Some((name, self.servers.get(name)?)));
        let ended = servers.filter_map(|(name, server)| Some(format!("the service {name} {}", server.ended()?)));
        Some(ended.collect::<Vec<_>>().join("; ")).filter(|text| !text.is_empty())
    }

    /// Stops all servers. A case for each: whether it got ready and was there to the end.
    pub(super) fn stop(self) -> Vec<Case> {
        let servers = self.servers.into_values();
        servers.map(Server::stop).collect()
    }
}

fn image<'a>(catalog: &'a Catalog, name: &str) -> Result<&'a Image> {
    images::one(catalog, &format!("{ID}{name}"))
}

/// The environment variable that tells a job where a service is.
fn variable(name: &str) -> String {
    format!("SERVICE_{}", name.to_uppercase())
}

fn list(names: &[&String]) -> String {
    names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" and ")
}
