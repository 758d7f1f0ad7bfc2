//! Podman: it reads the layout itself, and of it only the layers that it lacks.

use std::collections::BTreeMap;

use assemble::{Layout, export::full_name};
use serde::Deserialize;

use super::{Found, Problems, State, Step, Wanted, missing, words};
use crate::{Client, Failure, Problem};

#[derive(Debug, Clone)]
pub(super) struct Podman {
    pub(super) client: Client,
}

/// What `podman images` says of an image.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    id: String,
    #[serde(default)]
    names: Option<Vec<String>>,
}

impl Podman {
    pub(super) fn probe() -> Result<Self, Problems> {
        let client = Client::new(["podman"]);
        let remote = client.ask(&["info", "--format", "{{.Host.ServiceIsRemote}}"]).map_err(|failure| {
            let start = "see `podman info`; without root it needs newuidmap and a range in /etc/subuid";
            missing(&failure, "apt-get install podman", start)
        })?;
        if remote.trim() == "true" {
            return Err(Problem::new(
                "this Podman keeps its images on another machine, which sees no folder of this one",
                "cargo xtask export IMAGE --format docker-archive -o FILE, then podman load --input FILE",
            )
            .into());
        }
        Ok(Self { client })
    }

    pub(super) fn look(&self, wanted: &[Wanted]) -> Result<Found, Failure> {
        let printed = self.client.ask(&["images", "--no-trunc", "--format", "json"])?;
        let listed: Vec<Listed> = serde_json::from_str(&printed).unwrap_or_default();
        let by_id: BTreeMap<&str, &Listed> =
            listed.iter().map(|image| (image.id.trim_start_matches("sha256:"), image)).collect();
        let state = |wanted: &Wanted| {
            let id = wanted.manifest.config.digest.hex();
            let Some(image) = by_id.get(id.as_str()) else { return State::Absent };
            let names = image.names.as_deref().unwrap_or_default();
            // A name without a host is one of this machine.
            wanted
                .named(&id, |name| names.iter().any(|found| found.strip_prefix("localhost/").unwrap_or(found) == name))
        };
        Ok(Found { states: wanted.iter().map(state).collect(), blobs: Default::default() })
    }

    /// Whether Podman can read a layout that lies here: 4.3 makes a name of the path, and a name has no capitals.
    pub(super) fn reads(layout: &Layout) -> bool {
        let path = layout.root().as_str();
        path.starts_with('/')
            && path.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "/._-".contains(c))
    }

    /// Takes an image from the layout, gives it its names, and takes away the one that 4.3 makes of the path. (Newer ones
    /// make none, so that there may be nothing to take away.)
    pub(super) fn pull(&self, layout: &Layout, wanted: &Wanted) -> Vec<Step> {
        let Some(first) = wanted.names.first() else { return Vec::new() };
        let source = format!("oci:{}:{first}", layout.root());
        let id = wanted.manifest.config.digest.hex();
        let of_path = format!("localhost{}:latest", layout.root());
        let call = |arguments: Vec<String>, lenient| Step::Call { client: self.client.clone(), arguments, lenient };
        vec![
            call(words(&["pull", "--quiet", &source]), false),
            call([words(&["tag", &id]), wanted.names.clone()].concat(), false),
            call(words(&["untag", &id, &of_path]), true),
        ]
    }

    /// What has to be done once Podman has loaded an image from an archive: it takes a name without a host for one of
    /// Docker Hub there.
    pub(super) fn rename(&self, wanted: &Wanted) -> Vec<Step> {
        let id = wanted.manifest.config.digest.hex();
        let full: Vec<String> = wanted.names.iter().map(|name| full_name(name)).collect();
        let call = |arguments: Vec<String>, lenient| Step::Call { client: self.client.clone(), arguments, lenient };
        vec![
            call([words(&["tag", &id]), wanted.names.clone()].concat(), false),
            call([words(&["untag", &id]), full].concat(), true),
        ]
    }

    pub(super) fn load(&self) -> Vec<String> {
        words(&["load", "--quiet"])
    }

    pub(super) fn tags<'a>(&self, unnamed: impl Iterator<Item = (&'a str, &'a [String])>) -> Vec<Step> {
        let tag = |(id, names): (&str, &[String])| Step::Call {
            client: self.client.clone(),
            arguments: [words(&["tag", id]), names.to_vec()].concat(),
            lenient: false,
        };
        unnamed.map(tag).collect()
    }
}
