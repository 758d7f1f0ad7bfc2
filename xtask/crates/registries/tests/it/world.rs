//! A machine in a temporary folder: its files, its environment, its user `ann`.

use std::{fs, io::Write as _, os::unix::fs::symlink};

use camino::{Utf8Path, Utf8PathBuf};
use registries::{Auth, DebianEndpoint, Endpoint, Machine, Proxy, Registries, discover};

pub(crate) struct World {
    _dir: tempfile::TempDir,
    pub(crate) machine: Machine,
    pub(crate) flags: Vec<String>,
    pub(crate) suites: Vec<String>,
}

impl World {
    /// A machine with nothing on it.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::try_from(dir.path().to_path_buf()).unwrap();
        let machine =
            Machine { env: Default::default(), home: Some("/home/ann".into()), root, repo: "/src/repo".into() };
        let suites = ["bookworm", "bookworm-updates", "bookworm-security"].map(str::to_owned);
        Self { _dir: dir, machine, flags: Vec::new(), suites: suites.into() }
    }

    fn path(&self, path: &str) -> Utf8PathBuf {
        let path = self.machine.root.join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        fs::write(self.path(path), text).unwrap();
        self
    }

    /// A zip archive with one deflated member, as a jar or wheel is.
    pub(crate) fn archive(self, path: &str, member: &str, text: &str) -> Self {
        let mut zip = zip::ZipWriter::new(fs::File::create(self.path(path)).unwrap());
        zip.start_file(member, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
        zip.finish().unwrap();
        self
    }

    /// A symbolic link; the target is relative, so that it stays in this machine.
    pub(crate) fn link(self, path: &str, target: &str) -> Self {
        symlink(Utf8Path::new(target), self.path(path)).unwrap();
        self
    }

    pub(crate) fn folder(self, path: &str) -> Self {
        fs::create_dir_all(self.path(path)).unwrap();
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.machine.env.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn flag(mut self, value: &str) -> Self {
        self.flags.push(value.to_owned());
        self
    }

    pub(crate) fn discover(&self) -> Registries {
        discover(&self.machine, &self.flags, &self.suites)
    }
}

/// The addresses, in order.
pub(crate) fn urls(endpoints: &[Endpoint]) -> Vec<&str> {
    endpoints.iter().map(|endpoint| endpoint.url.as_str()).collect()
}

/// The archives' addresses with the suites that they serve.
pub(crate) fn archives(archives: &[DebianEndpoint]) -> Vec<String> {
    archives.iter().map(|archive| format!("{} {}", archive.endpoint.url, archive.suites.join(" "))).collect()
}

/// The credentials as `USER PASSWORD`, `bearer TOKEN` or `NAME: VALUE`.
pub(crate) fn credentials(endpoint: &Endpoint) -> Option<String> {
    Some(match endpoint.auth.as_ref()? {
        Auth::Basic { user, password } => format!("{user} {}", password.expose()),
        Auth::Bearer(token) => format!("bearer {}", token.expose()),
        Auth::Header { name, value } => format!("{name}: {}", value.expose()),
    })
}

/// The proxy with its credentials, or `direct`; empty where the environment decides.
pub(crate) fn proxy(endpoint: &Endpoint) -> &str {
    match &endpoint.proxy {
        Proxy::Environment => "",
        Proxy::Direct => "direct",
        Proxy::Through(url) => url.expose(),
    }
}

/// Whether a warning holds all of these words.
pub(crate) fn warned(found: &Registries, words: &[&str]) -> bool {
    found.warnings.iter().any(|warning| words.iter().all(|word| warning.contains(word)))
}
