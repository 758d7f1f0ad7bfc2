//! Engines that build images and keep them: Docker, Podman, buildah.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use blob::Digest;
use sandbox::Cancel;

use crate::{Client, Failure};

/// An engine with a client of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Docker, with BuildKit.
    Docker,
    /// Podman.
    Podman,
    /// buildah, which keeps its images where Podman does.
    Buildah,
}

/// An image that an engine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its id: the digest of its configuration.
    pub id: Digest,
    /// What it is called, without the host that the engine adds.
    pub names: BTreeSet<String>,
    /// Bytes of its files, as the engine counts and rounds them.
    pub size: u64,
}

/// An image that an engine keeps, by the names under which it would remove it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its id: the digest of its configuration.
    pub id: Digest,
    /// What the engine calls it, hosts included. None, if its last name was given to another image.
    pub names: BTreeSet<String>,
    /// Bytes of its files, as the engine counts and rounds them.
    pub size: u64,
}

/// The images of an engine that were asked for, by each of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing(BTreeMap<String, Held>);

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.program())
    }
}

impl Engine {
    /// The name of its client.
    pub fn program(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Buildah => "buildah",
        }
    }

    /// Its client.
    pub fn client(self) -> Client {
        let client = Client::new([self.program()]);
        match self {
            // Not every client takes it without being told, and none minds.
            Self::Docker => client.with("DOCKER_BUILDKIT", "1"),
            Self::Podman | Self::Buildah => client,
        }
    }

    /// The images that have a label, or one of some names: one call.
    ///
    /// # Errors
    /// What the client said.
    pub fn list(self, filter: &str) -> Result<Listing, Failure> {
        Ok(Listing::of(self.stored(Some(filter))?))
    }

    /// The images that it keeps, all of them or those that a filter lets through: one call.
    ///
    /// # Errors
    /// What the client said.
    pub fn stored(self, filter: Option<&str>) -> Result<Vec<Stored>, Failure> {
        // One of them prints a word for the repository that the others do not know, and cuts columns at blanks.
        let format = match self {
            Self::Docker | Self::Podman => "{{.ID}}|{{.Repository}}:{{.Tag}}|{{.Size}}",
            Self::Buildah => "{{.ID}}|{{.Name}}:{{.Tag}}|{{.Size}}",
        };
        let mut arguments = vec!["images", "--no-trunc"];
        arguments.extend(filter.into_iter().flat_map(|filter| ["--filter", filter]));
        arguments.extend(["--format", format]);
        Ok(read(&self.client().ask(&arguments)?))
    }

    /// The ids of the containers, running or not, that stand on an image or on one that is made of it; the working
    /// containers of builds, which Podman and buildah keep, only if they stand on the image itself.
    ///
    /// # Errors
    /// What the client said.
    pub fn users(self, image: &Digest) -> Result<Vec<String>, Failure> {
        let client = self.client();
        let mut ids = BTreeSet::new();
        if self != Self::Buildah {
            let filter = format!("ancestor={}", image.hex());
            let printed = client.ask(&["ps", "--all", "--quiet", "--filter", &filter])?;
            ids.extend(printed.split_whitespace().map(short));
        }
        let working: Option<&[&str]> = match self {
            Self::Docker => None,
            // Its filter does not see the containers of builds.
            Self::Podman => Some(&["ps", "--all", "--external", "--no-trunc", "--format", "{{.ID}}|{{.ImageID}}"]),
            Self::Buildah => {
                Some(&["containers", "--all", "--notruncate", "--format", "{{.ContainerID}}|{{.ImageID}}"])
            }
        };
        if let Some(arguments) = working {
            let printed = client.ask(arguments)?;
            let of_image = printed.lines().filter_map(|line| line.split_once('|'));
            ids.extend(of_image.filter(|(_, found)| digest(found.trim()) == Some(*image)).map(|(id, _)| short(id)));
        }
        Ok(ids.into_iter().collect())
    }

    /// The id of what a name stands for now.
    ///
    /// # Errors
    /// What the client said: it knows no such name.
    pub fn id(self, name: &str) -> Result<Option<Digest>, Failure> {
        Ok(digest(self.client().ask(&["image", "inspect", "--format", "{{.Id}}", name])?.trim()))
    }

    /// Takes a name from an image, and with its last name the image, with those of its build's steps that have no name and
    /// that nothing else stands on. An image that a container stands on, or another image, is refused.
    ///
    /// # Errors
    /// What the client said; or `cancel` was used.
    pub fn remove(self, name: &str, cancel: &Cancel) -> Result<(), Failure> {
        self.client().feed(&["rmi", name], None, cancel).map(drop)
    }

    /// What all images take together, each layer once, in the engine's own words. Nothing, where it does not tell: Podman
    /// counts a layer once for each image that has it.
    pub fn images_take(self) -> Option<String> {
        if self != Self::Docker {
            return None;
        }
        let printed = self.client().ask(&["system", "df", "--format", "{{.Type}}|{{.Size}}"]).ok()?;
        printed.lines().find_map(|line| line.strip_prefix("Images|")).map(|size| size.trim().to_owned())
    }

    /// The ids of all containers, working containers of builds among them; none with Docker, which takes its own away.
    ///
    /// # Errors
    /// What the client said.
    pub fn containers(self) -> Result<BTreeSet<String>, Failure> {
        let arguments: &[&str] = match self {
            Self::Docker => return Ok(BTreeSet::new()),
            Self::Podman => &["ps", "--all", "--external", "--quiet"],
            Self::Buildah => &["containers", "--quiet"],
        };
        let printed = self.client().ask(arguments)?;
        Ok(printed.split_whitespace().map(short).collect())
    }

    /// Gives an image another name.
    ///
    /// # Errors
    /// What the client said.
    pub fn tag(self, image: &str, name: &str) -> Result<(), Failure> {
        self.client().ask(&["tag", image, name]).map(drop)
    }
}

impl Listing {
    fn of(stored: Vec<Stored>) -> Self {
        let mut named = BTreeMap::new();
        for Stored { id, names, size } in stored {
            let names: BTreeSet<String> = names
                .into_iter()
                .map(|name| name.strip_prefix("localhost/").map_or(name.clone(), str::to_owned))
                .collect();
            let held = Held { id, names, size };
            named.extend(held.names.iter().map(|name| (name.clone(), held.clone())));
        }
        Self(named)
    }

    /// The image that has this name.
    pub fn get(&self, name: &str) -> Option<&Held> {
        self.0.get(name)
    }

    /// Adds what another listing says.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

/// Reads lines of `id|name:tag|size`. What has no id is passed over.
fn read(text: &str) -> Vec<Stored> {
    let mut images: BTreeMap<Digest, Stored> = BTreeMap::new();
    for line in text.lines() {
        let mut columns = line.split('|').map(str::trim);
        let (Some(id), Some(name), size) = (columns.next(), columns.next(), columns.next()) else { continue };
        let Some(id) = digest(id) else { continue };
        let stored = images.entry(id).or_insert_with(|| Stored {
            id,
            names: BTreeSet::new(),
            size: size.and_then(bytes).unwrap_or(0),
        });
        if !name.contains("<none>") {
            stored.names.insert(name.to_owned());
        }
    }
    images.into_values().collect()
}

/// The first digits of the id of a container, as people are shown it.
fn short(id: &str) -> String {
    id.chars().take(12).collect()
}

/// An id as clients print it: some leave the name of the algorithm out.
pub(crate) fn digest(id: &str) -> Option<Digest> {
    let hex = id.strip_prefix("sha256:").unwrap_or(id);
    format!("sha256:{hex}").parse().ok()
}

/// `319MB`, `1.86 GB`: decimal units, as all clients print them.
fn bytes(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let number: f64 = text[..end].parse().ok()?;
    let unit = match text[end..].trim() {
        "B" => 1.0,
        "kB" | "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        _ => return None,
    };
    Some((number * unit) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_clients_print_is_the_same_listing() {
        let hex = "57e8237d9c9c6c61309eb4dc80a50b340150f28114aa4332a6d24672159c2ff4";
        let docker = format!("sha256:{hex}|spark-k8s-base:1.0|319MB\nsha256:{hex}|own.invalid/base:f0|319MB\n");
        let podman =
            format!("sha256:{hex}|localhost/spark-k8s-base:1.0|324 MB\nsha256:{hex}|own.invalid/base:f0|324 MB");
        let other = format!("sha256:{hex}|<none>:<none>|1.5 GB\nno line\n||\n");
        for (printed, size) in [(docker, 319_000_000), (podman, 324_000_000)] {
            let listing = Listing::of(read(&printed));
            let held = listing.get("spark-k8s-base:1.0").unwrap();
            assert_eq!((held.id.hex(), held.size), (hex.to_owned(), size));
            assert_eq!(listing.get("own.invalid/base:f0"), Some(held));
        }
        assert_eq!(Listing::of(read(&other)), Listing::default());
    }
}
