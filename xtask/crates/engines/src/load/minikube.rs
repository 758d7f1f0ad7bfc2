//! minikube: `minikube image load -`. It copies the archive to its machine, so that nothing can be left out of it.

use std::collections::BTreeMap;

use assemble::export::full_name;
use serde::Deserialize;

use super::{Found, Problems, State, Wanted, missing, words};
use crate::{Client, Failure};

#[derive(Debug, Clone)]
pub(super) struct Minikube {
    pub(super) client: Client,
}

/// What `minikube image ls` says of an image.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    id: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
}

impl Minikube {
    pub(super) fn probe(profile: &str) -> Result<Self, Problems> {
        let client = Client::new(["minikube", "--profile", profile]);
        client.ask(&["status", "--format", "{{.Host}}"]).map_err(|failure| {
            missing(
                &failure,
                "install minikube, as its own documentation says, or name another destination with --to",
                &format!("start it: minikube --profile {profile} start; or name another one with --profile"),
            )
        })?;
        Ok(Self { client })
    }

    pub(super) fn look(&self, wanted: &[Wanted]) -> Result<Found, Failure> {
        let printed = self.client.ask(&["image", "ls", "--format", "json"])?;
        let listed: Vec<Listed> = serde_json::from_str(printed.trim()).unwrap_or_default();
        let by_id: BTreeMap<&str, &Listed> =
            listed.iter().map(|image| (image.id.trim_start_matches("sha256:"), image)).collect();
        let state = |wanted: &Wanted| {
            let ids = [wanted.manifest.config.digest.hex(), wanted.image.digest.hex()];
            let image = ids.iter().find_map(|id| by_id.get(id.as_str()));
            let Some(image) = image else { return State::Absent };
            let tags = image.repo_tags.as_deref().unwrap_or_default();
            let has = |name: &str| {
                let local = format!("localhost/{name}");
                tags.iter().any(|tag| *tag == name || *tag == full_name(name) || *tag == local)
            };
            // An image without one of its names is sent again: there is no call that every runtime of minikube takes.
            if wanted.names.iter().all(|name| has(name)) { State::There } else { State::Absent }
        };
        Ok(Found { states: wanted.iter().map(state).collect(), blobs: Default::default() })
    }

    pub(super) fn load(&self) -> Vec<String> {
        words(&["image", "load", "-"])
    }
}
