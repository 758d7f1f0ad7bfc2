//! What the tests have in common.

use std::time::Duration;

use blob::Digest;
use camino::Utf8PathBuf;
use distribution::{Blob, Credentials, Environment, Error, How, Limits, Registry, Result, Sessions};
use store::{Http, HttpOptions, Proxies, Retry, Silent};

use crate::fake::{Fake, Skills};

/// A client that waits for nothing and takes no proxy from the environment.
pub(crate) fn http_with(retries: u32) -> Http {
    Http::new(HttpOptions {
        proxies: Proxies::default(),
        retry: Retry { retries, first_wait: Duration::from_millis(1), longest_wait: Duration::from_secs(5) },
        stall_timeout: Duration::from_secs(20),
        ..HttpOptions::default()
    })
    .unwrap()
}

/// A fake registry, a blob and all that a push needs.
pub(crate) struct Scene {
    pub(crate) fake: Fake,
    pub(crate) http: Http,
    dir: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

/// Small pieces.
pub(crate) const LIMITS: Limits = Limits { piece: 1000, patience: Duration::from_secs(20) };

impl Scene {
    pub(crate) fn new(skills: Skills) -> Self {
        let (fake, http, dir) = (Fake::start(skills), http_with(3), tempfile::tempdir().unwrap());
        Self { fake, http, dir, environment: Vec::new() }
    }

    pub(crate) fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8PathBuf::try_from(self.dir.path().join(name)).unwrap()
    }

    /// With a variable in the environment.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// As `me`, with the password that the fake knows.
    pub(crate) fn logged_in(self) -> Self {
        self.with("SPARK_IMAGES_REGISTRY_USER", "me").with("SPARK_IMAGES_REGISTRY_PASSWORD", "secret")
    }

    pub(crate) fn registry(&self) -> Registry<'_> {
        let environment: Environment = self.environment.iter().cloned().collect();
        Registry::new(&self.http, self.fake.host.parse().unwrap(), Credentials::new(environment))
    }

    pub(crate) fn sessions(&self) -> Sessions {
        Sessions::new(self.path("uploads"))
    }

    /// A blob of this many bytes that look like nothing.
    pub(crate) fn blob(&self, size: usize) -> Blob {
        let bytes: Vec<u8> = (0..size as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let path = self.path(&format!("blob-{size}"));
        std::fs::write(&path, &bytes).unwrap();
        Blob { digest: Digest::of(&bytes), size: size as u64, path }
    }

    pub(crate) fn push(&self, blob: &Blob) -> Result<How> {
        self.push_beside(blob, None)
    }

    pub(crate) fn push_beside(&self, blob: &Blob, neighbour: Option<&str>) -> Result<How> {
        self.registry().repository("a/b").push(blob, neighbour, &self.sessions(), &LIMITS, &Silent)
    }

    /// The blob lies in the registry as it lies here, and no upload is remembered.
    #[track_caller]
    pub(crate) fn assert_has(&self, blob: &Blob) {
        let state = self.fake.state();
        let there = state.blobs.get(&format!("a/b/{}", blob.digest)).expect("the registry has it");
        assert!(*there == std::fs::read(&blob.path).unwrap());
        assert_eq!(std::fs::read_dir(self.path("uploads")).map_or(0, Iterator::count), 0);
    }
}

/// The text of an error.
#[track_caller]
pub(crate) fn told<T: std::fmt::Debug>(result: Result<T>) -> String {
    let error: Error = result.unwrap_err();
    let text = error.to_string();
    assert!(!text.contains("s3cret") && !text.contains("bWU6"), "a secret in {text}");
    text
}
