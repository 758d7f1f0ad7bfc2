//! Manifests, tags and blobs of one repository.

use blob::Digest;
use camino::Utf8PathBuf;
use serde::Deserialize;
use store::{Exchange, Location, Method};

use crate::{
    error::{Error, Result, beginning},
    registry::{Ask, Body, Registry, refusal},
};

/// Manifests are documents; distribution's own limit.
const MAX_MANIFEST: u64 = 4 << 20;
/// What is understood: OCI's and Docker's manifests and indexes.
const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
                         application/vnd.docker.distribution.manifest.v2+json, \
                         application/vnd.docker.distribution.manifest.list.v2+json";

/// A repository of a registry.
pub struct Repository<'r> {
    pub(crate) registry: &'r Registry<'r>,
    pub(crate) name: String,
    /// What a token for most requests must allow.
    pub(crate) scopes: [String; 1],
}

/// A blob whose bytes lie in a file of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// The digest of its bytes.
    pub digest: Digest,
    /// Their number.
    pub size: u64,
    /// Where they lie.
    pub path: Utf8PathBuf,
}

/// What a registry says of a manifest without sending it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
}

/// A manifest, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Their digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Typed {
    media_type: Option<String>,
}

impl<'r> Repository<'r> {
    pub(crate) fn new(registry: &'r Registry<'r>, name: String) -> Self {
        let scopes = [format!("repository:{name}:pull,push")];
        Self { registry, name, scopes }
    }

    /// The same for somebody who only reads: who may not push gets no token to push.
    #[must_use]
    pub fn to_read(mut self) -> Self {
        self.scopes = [format!("repository:{}:pull", self.name)];
        self
    }

    /// Its name, as the registry knows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `host/name`.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.registry.address.host, self.name)
    }

    pub(crate) fn url(&self, rest: &str) -> String {
        format!("{}/v2/{}/{rest}", self.registry.address.origin(), self.name)
    }

    /// Asks, and repeats it while the answer is a transient failure. Every other status is an answer.
    pub(crate) fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(&'static str, String)],
        body: &[u8],
    ) -> Result<Exchange> {
        self.registry.repeated(|| {
            let body = if body.is_empty() { Body::Nothing } else { Body::Bytes(body) };
            let ask = Ask { method: method.clone(), url, headers, body, scopes: &self.scopes, patience: None };
            let answer = self.registry.ask(&ask)?;
            if matches!(answer.status(), 408 | 429 | 500..=599) { Err(refusal(answer)) } else { Ok(answer) }
        })
    }

    /// What the tag or digest means there; nothing if it is not there.
    ///
    /// # Errors
    /// The registry does not say.
    pub fn find(&self, reference: &str) -> Result<Option<Found>> {
        let url = self.url(&format!("manifests/{reference}"));
        let answer = self.send(Method::HEAD, &url, &[("accept", MANIFESTS.to_owned())], &[])?;
        match answer.status() {
            200 => {}
            404 => return Ok(None),
            _ => return Err(refusal(answer)),
        }
        let digest = answer.header("docker-content-digest");
        let media_type = answer.header("content-type").unwrap_or_default();
        match digest.and_then(|digest| digest.parse().ok()) {
            Some(digest) => Ok(Some(Found { digest, media_type })),
            // The header is not obligatory.
            None => Ok(self.get(reference)?.map(|Document { digest, media_type, .. }| Found { digest, media_type })),
        }
    }

    /// The manifest or index that the tag or digest means; nothing if it is not there.
    ///
    /// # Errors
    /// The registry does not give it, or gives other bytes than those of the digest.
    pub fn get(&self, reference: &str) -> Result<Option<Document>> {
        let url = self.url(&format!("manifests/{reference}"));
        let answer = self.send(Method::GET, &url, &[("accept", MANIFESTS.to_owned())], &[])?;
        match answer.status() {
            200 => {}
            404 => return Ok(None),
            _ => return Err(refusal(answer)),
        }
        let shown = answer.shown();
        let contradiction = |what, expected: String, found: String| {
            Err(Error::Contradiction { url: shown.clone(), what, expected, found })
        };
        let said = answer.header("docker-content-digest");
        let content_type = answer.header("content-type").unwrap_or_default();
        let bytes = answer.read(MAX_MANIFEST)?;
        let digest = Digest::of(&bytes);
        let Ok(typed) = serde_json::from_slice::<Typed>(&bytes) else {
            let found = format!("{content_type}: {}", beginning(&bytes));
            return contradiction("a manifest", "a JSON document".to_owned(), found);
        };
        // Whoever asked for a digest knows what must come; the header is of interest to all others.
        let expected = if reference.contains(':') { Some(reference.to_owned()) } else { said };
        if let Some(expected) = expected.filter(|expected| *expected != digest.to_string()) {
            let found = format!("{digest} ({} bytes)", bytes.len());
            return contradiction("the digest of a manifest", expected, found);
        }
        let declared = content_type.split(';').next().unwrap_or_default().trim().to_owned();
        let media_type = typed.media_type.unwrap_or(declared);
        Ok(Some(Document { bytes, digest, media_type }))
    }

    /// Stores a manifest under a tag or its digest. All blobs that it names must be there.
    ///
    /// # Errors
    /// The registry refuses, or says that it stored something else.
    pub fn put(&self, reference: &str, media_type: &str, bytes: &[u8]) -> Result<()> {
        let url = self.url(&format!("manifests/{reference}"));
        let answer = self.send(Method::PUT, &url, &[("content-type", media_type.to_owned())], bytes)?;
        if !matches!(answer.status(), 200..=204) {
            return Err(refusal(answer));
        }
        self.same_digest(&answer, "the digest of a stored manifest", &Digest::of(bytes))
    }

    /// Takes a tag away. False if the registry does not do that.
    ///
    /// # Errors
    /// There was no answer.
    pub fn untag(&self, tag: &str) -> Result<bool> {
        let answer = self.send(Method::DELETE, &self.url(&format!("manifests/{tag}")), &[], &[])?;
        Ok(matches!(answer.status(), 200..=204 | 404))
    }

    /// Whether a blob is there.
    ///
    /// # Errors
    /// The registry does not say, or has one of another size under this digest.
    pub fn has(&self, digest: &Digest, size: u64) -> Result<bool> {
        let answer = self.send(Method::HEAD, &self.url(&format!("blobs/{digest}")), &[], &[])?;
        match answer.status() {
            200 => {}
            404 => return Ok(false),
            _ => return Err(refusal(answer)),
        }
        let found = answer.header("content-length").and_then(|length| length.trim().parse::<u64>().ok());
        match found.filter(|found| *found != size) {
            None => Ok(true),
            Some(found) => Err(Error::Contradiction {
                url: answer.shown(),
                what: "the size of a blob",
                expected: format!("{size} bytes"),
                found: format!("{found} bytes"),
            }),
        }
    }

    /// Where a blob is fetched from, with what must be shown for it now: for [`store::fetch`], which resumes and verifies.
    ///
    /// # Errors
    /// No token is given for it.
    pub fn blob(&self, digest: &Digest) -> Result<Location> {
        self.registry.location(self.url(&format!("blobs/{digest}")), &self.scopes)
    }

    /// Compares what the registry says that it stored with what was sent.
    pub(crate) fn same_digest(&self, answer: &Exchange, what: &'static str, expected: &Digest) -> Result<()> {
        match answer.header("docker-content-digest").filter(|found| *found != expected.to_string()) {
            None => Ok(()),
            Some(found) => {
                Err(Error::Contradiction { url: answer.shown(), what, expected: expected.to_string(), found })
            }
        }
    }
}
