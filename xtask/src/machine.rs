//! What this machine gives to a run: the store, the network, and where its registries are.

use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use anyhow::{Context as _, Result};
use camino::{Utf8Path, Utf8PathBuf};
use catalog::{Artifact, Catalog, Coordinate};
use registries::{Endpoint, ExtraCa, Kind, Proxy, Registries};
use store::{Auth, Http, HttpOptions, Location, Retry, Route, Store};

use crate::{flags::Global, workspace::Workspace};

/// The machine, as one run sees it.
pub(crate) struct Machine {
    pub(crate) store: Store,
    pub(crate) http: Http,
    pub(crate) registries: Registries,
    /// Certificates that the configuration adds, as PEM: trusted in downloads and put into images.
    pub(crate) extra_ca: Vec<(Utf8PathBuf, Vec<u8>)>,
    /// Whether no connection may be opened.
    pub(crate) offline: bool,
    /// Where the table says that archives may be had, by the name of the archive.
    archives: BTreeMap<String, Vec<String>>,
    /// Set by Ctrl-C.
    pub(crate) cancel: Arc<AtomicBool>,
}

/// Whether this run may change the lock.
pub(crate) fn is_locked(global: &Global) -> bool {
    global.locked || is_ci()
}

/// Whether this is a run of a CI system.
pub(crate) fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|ci| ci == "true")
}

/// The folder of the store: `SPARK_IMAGES_CACHE`, else the user's cache folder.
pub(crate) fn store_folder() -> Result<Utf8PathBuf> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty()).map(Utf8PathBuf::from);
    variable("SPARK_IMAGES_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|folder| folder.join("spark-images")))
        .or_else(|| variable("HOME").map(|home| home.join(".cache/spark-images")))
        .context("no folder to keep fetched files in\nset SPARK_IMAGES_CACHE to one")
}

/// The store of this machine, which nobody removes things from until it is dropped. Says so where that has to be waited for.
pub(crate) fn open_store() -> Result<Store> {
    let folder = store_folder()?;
    let waiting = |holder: &str| eprintln!("waiting   {holder} removes things from {folder}");
    Ok(Store::join(&folder, &*crate::interrupt::flag()?, &waiting)?)
}

/// Where what is made once of fetched files is kept: Spark homes, root filesystems, unpacked layers. In the store, so that
/// all checkouts share it; in this checkout where the store cannot be written to.
pub(crate) fn kept_folder(workspace: &Workspace, store: &Store) -> Utf8PathBuf {
    if store.is_read_only() { workspace.kept() } else { store.root().to_owned() }
}

/// Bytes of memory, of this machine or of what its control groups leave of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) total: u64,
    /// What a new process could have.
    pub(crate) available: u64,
}

/// The memory of this machine or of the container that this runs in; nothing where that cannot be told. Of both versions
/// of control groups: <https://docs.kernel.org/admin-guide/cgroup-v2.html>.
pub(crate) fn memory() -> Option<Memory> {
    let group = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    memory_of(&fs::read_to_string("/proc/meminfo").ok()?, &group, "/sys/fs/cgroup".into())
}

/// As [`memory`], from what the kernel says.
fn memory_of(meminfo: &str, group: &str, mount: &Utf8Path) -> Option<Memory> {
    let field = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
    };
    let mut memory = Memory { total: field("MemTotal")?, available: field("MemAvailable")? };
    let number = |path: Utf8PathBuf| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let mut limit = |folder: &Utf8Path, most: &str, used: &str| {
        if let Some(most) = number(folder.join(most)) {
            memory.total = memory.total.min(most);
            // What is used counts files that could be dropped as well: the machine's own answer stands if it is less.
            memory.available = memory.available.min(most.saturating_sub(number(folder.join(used)).unwrap_or(0)));
        }
    };
    // Each group above this process's own has a limit, too; in a container the top is what the container may have.
    let own = group.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    for path in Utf8Path::new(own).ancestors() {
        limit(&mount.join(path), "memory.max", "memory.current");
    }
    limit(&mount.join("memory"), "memory.limit_in_bytes", "memory.usage_in_bytes");
    Some(memory)
}

impl Machine {
    /// Looks at the machine. Opens no connection.
    pub(crate) fn look(workspace: &Workspace, global: &Global, catalog: &Catalog) -> Result<Self> {
        Self::with_store(open_store()?, workspace, global, catalog)
    }

    /// As [`Machine::look`], with a store that is open.
    pub(crate) fn with_store(store: Store, workspace: &Workspace, global: &Global, catalog: &Catalog) -> Result<Self> {
        let found = registries::Machine::current(&workspace.root);
        let registries = registries::discover(&found, &global.registry, &catalog.table.debian.suites);
        for warning in &registries.warnings {
            eprintln!("warning: {warning}");
        }
        let extra_ca = registries.extra_ca.iter().map(ExtraCa::read).collect::<Result<Vec<_>, _>>()?;
        let cancel = crate::interrupt::flag()?;
        let http = Http::new(options(&extra_ca, global.offline, Arc::clone(&cancel)))?;
        Ok(Self::of(store, http, registries, extra_ca, catalog, cancel))
    }

    /// A machine whose parts were looked at one by one.
    pub(crate) fn of(
        store: Store,
        http: Http,
        registries: Registries,
        extra_ca: Vec<(Utf8PathBuf, Vec<u8>)>,
        catalog: &Catalog,
        cancel: Arc<AtomicBool>,
    ) -> Self {
        let sources = catalog.table.sparks.values().filter_map(|spark| spark.source.as_ref());
        let archives = sources.map(|source| (source.archive.name.clone(), source.archive.urls.clone())).collect();
        let offline = http.is_offline();
        Self { store, http, registries, extra_ca, offline, archives, cancel }
    }

    /// A client like the machine's own that Ctrl-C does not stop: for the few requests that put things back.
    pub(crate) fn unstoppable(&self) -> Result<Http> {
        Ok(Http::new(options(&self.extra_ca, self.offline, Arc::default()))?)
    }

    /// Makes sure that a registry is known for each kind of artifact in `artifacts`.
    pub(crate) fn require<'a>(&self, artifacts: impl IntoIterator<Item = &'a Coordinate>) -> Result<()> {
        let kinds: Vec<Kind> = artifacts.into_iter().filter_map(kind_of).collect();
        Ok(self.registries.require(&kinds)?)
    }

    /// Where an artifact of the lock may be had. Python's files must be looked up in the index first: see
    /// [`crate::resolve::python`].
    pub(crate) fn locations(&self, artifact: &Artifact) -> Vec<Location> {
        match &artifact.id {
            Coordinate::Maven(maven) => self.maven(maven),
            Coordinate::Deb { .. } => {
                let path = artifact.path.as_deref().unwrap_or_default();
                self.registries.debian.iter().map(|debian| location(&debian.endpoint, path)).collect()
            }
            Coordinate::Archive(name) => self.archives.get(name).into_iter().flatten().map(Location::new).collect(),
            Coordinate::Pypi { .. } | Coordinate::File(_) => Vec::new(),
        }
    }

    /// Where a Maven artifact may be had.
    pub(crate) fn maven(&self, maven: &catalog::Maven) -> Vec<Location> {
        let path = maven_path(maven);
        self.registries.maven.iter().map(|endpoint| location(endpoint, &path)).collect()
    }
}

/// How this program asks.
pub(crate) fn options(extra_ca: &[(Utf8PathBuf, Vec<u8>)], offline: bool, cancel: Arc<AtomicBool>) -> HttpOptions {
    HttpOptions {
        extra_ca: extra_ca.iter().map(|(_, pem)| pem.clone()).collect(),
        user_agent: concat!("spark-images/", env!("CARGO_PKG_VERSION")).to_owned(),
        offline,
        cancel,
        ..HttpOptions::default()
    }
}

/// A client that does not wait long: whoever asks how things are does not want to wait for them.
pub(crate) fn quick(extra_ca: &[(Utf8PathBuf, Vec<u8>)], offline: bool) -> HttpOptions {
    HttpOptions {
        connect_timeout: Duration::from_secs(10),
        stall_timeout: Duration::from_secs(15),
        retry: Retry { retries: 1, first_wait: Duration::from_millis(200), longest_wait: Duration::from_secs(2) },
        ..options(extra_ca, offline, Arc::default())
    }
}

/// The kind of registry that an artifact comes from.
pub(crate) fn kind_of(id: &Coordinate) -> Option<Kind> {
    match id {
        Coordinate::Maven(_) => Some(Kind::Maven),
        Coordinate::Pypi { .. } => Some(Kind::Pypi),
        Coordinate::Deb { .. } => Some(Kind::Debian),
        Coordinate::File(_) | Coordinate::Archive(_) => None,
    }
}

/// The path of a Maven artifact in a repository.
pub(crate) fn maven_path(maven: &catalog::Maven) -> String {
    let classifier = maven.classifier.as_deref();
    registries::maven_path(&maven.group, &maven.artifact, &maven.version, classifier, &maven.extension)
}

/// A path in a registry, with what must be said to get it.
pub(crate) fn location(endpoint: &Endpoint, path: &str) -> Location {
    at(endpoint, endpoint.join(path))
}

/// An address that a registry gave, with what must be said to get it. The store sends credentials to the address's own
/// origin, so they are left out where the registry points elsewhere.
pub(crate) fn at(endpoint: &Endpoint, url: String) -> Location {
    let mut location = Location::new(url);
    match &endpoint.auth {
        Some(registries::Auth::Basic { user, password }) => {
            location.auth = Some(Auth::Basic { user: user.clone(), password: password.expose().to_owned() });
        }
        Some(registries::Auth::Bearer(token)) => location.auth = Some(Auth::Bearer(token.expose().to_owned())),
        Some(registries::Auth::Header { name, value }) => {
            location.headers.push((name.clone(), value.expose().to_owned()));
        }
        None => {}
    }
    location.route = match &endpoint.proxy {
        Proxy::Environment => Route::Environment,
        Proxy::Direct => Route::Direct,
        Proxy::Through(url) => Route::Proxy(url.expose().to_owned()),
    };
    location
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_control_group_counts() {
        let folder = tempfile::tempdir().unwrap();
        let mount = Utf8Path::from_path(folder.path()).unwrap();
        let meminfo = "MemTotal:  8192 kB\nMemFree: 10 kB\nMemAvailable:  6144 kB\n";
        let machine = Memory { total: 8192 << 10, available: 6144 << 10 };
        assert_eq!(memory_of(meminfo, "0::/a/b\n", mount), Some(machine));
        fs::create_dir_all(mount.join("a/b")).unwrap();
        fs::write(mount.join("a/b/memory.max"), "max\n").unwrap();
        fs::write(mount.join("a/memory.max"), "4194304\n").unwrap();
        fs::write(mount.join("a/memory.current"), "1048576\n").unwrap();
        let group = Memory { total: 4 << 20, available: 3 << 20 };
        assert_eq!(memory_of(meminfo, "0::/a/b\n", mount), Some(group));
        assert_eq!(memory_of(meminfo, "1:memory:/a/b\n", mount), Some(machine));
        assert_eq!(memory_of("", "", mount), None);
    }
}
