//! What the tests have in common.

use std::{sync::Mutex, time::Duration};

use blob::Digest;
use camino::Utf8PathBuf;
use store::{FetchError, FetchOptions, FetchReport, Http, HttpOptions, Location, Outcome, Progress, Proxies, Retry};
use store::{Store, Wanted, fetch};

/// A store that removes itself.
pub(crate) struct Temp {
    _dir: tempfile::TempDir,
    pub(crate) root: Utf8PathBuf,
    pub(crate) store: Store,
}

pub(crate) fn temp() -> Temp {
    let dir = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::try_from(dir.path().join("store")).unwrap();
    let store = Store::open(&root).unwrap();
    Temp { _dir: dir, root, store }
}

/// The options of a client that waits for nothing and takes no proxy from the environment.
pub(crate) fn options() -> HttpOptions {
    HttpOptions {
        proxies: Proxies::default(),
        retry: Retry { retries: 3, first_wait: Duration::from_millis(1), longest_wait: Duration::from_secs(5) },
        stall_timeout: Duration::from_secs(20),
        ..HttpOptions::default()
    }
}

pub(crate) fn http() -> Http {
    Http::new(options()).unwrap()
}

/// Bytes that look like nothing, the same for the same seed (SplitMix64).
pub(crate) fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let words = std::iter::repeat_with(|| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB).to_le_bytes()
    });
    words.flatten().take(length).collect()
}

/// No location.
pub(crate) const NOWHERE: &[&str] = &[];

/// A wish for `body`, of which size and digest are known, at these URLs.
pub(crate) fn wanted(body: &[u8], urls: &[impl AsRef<str>]) -> Wanted {
    Wanted {
        id: "maven:org.example:thing:1.0".to_owned(),
        locations: urls.iter().map(|url| Location::new(url.as_ref())).collect(),
        size: Some(body.len() as u64),
        sha256: Some(Digest::of(body)),
        check: None,
    }
}

pub(crate) fn fetch_with(store: &Store, http: &Http, wanted: &[Wanted]) -> FetchReport {
    fetch(store, http, wanted, &FetchOptions::default(), &store::Silent).unwrap()
}

/// Fetches one artifact and compares what then lies in the store.
pub(crate) fn assert_fetched(store: &Store, http: &Http, body: &[u8], urls: &[impl AsRef<str>]) {
    let report = fetch_with(store, http, &[wanted(body, urls)]);
    assert!(report.failed.is_empty(), "{}", report.failed[0].error);
    assert_holds(store, body);
    assert_eq!(report.fetched[0].digest, Digest::of(body));
    assert_nothing_pending(store);
}

pub(crate) fn assert_holds(store: &Store, body: &[u8]) {
    let path = store.get(&Digest::of(body), Some(body.len() as u64)).expect("it is in the store");
    assert!(std::fs::read(path).unwrap() == body);
}

pub(crate) fn assert_nothing_pending(store: &Store) {
    let left = |folder: &str| std::fs::read_dir(store.root().join(folder)).map_or(0, Iterator::count);
    assert_eq!((left("pending"), left("locks")), (0, 0));
}

/// Fetches one artifact that is not to be had: its error.
pub(crate) fn failure(store: &Store, http: &Http, wanted: Wanted) -> std::sync::Arc<FetchError> {
    let digest = wanted.sha256;
    let report = fetch_with(store, http, &[wanted]);
    assert!(report.fetched.is_empty(), "{:?}", report.fetched);
    if let Some(digest) = digest {
        assert_eq!(store.get(&digest, None), None);
    }
    report.failed[0].error.clone()
}

/// Writes down all that it is told, without numbers of bytes.
#[derive(Default)]
pub(crate) struct Log(Mutex<Vec<String>>);

impl Log {
    fn add(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Progress for Log {
    fn started(&self, _: &str, total: Option<u64>) {
        self.add(format!("started {total:?}"));
    }

    fn positioned(&self, _: &str, offset: u64) {
        self.add(format!("positioned {offset}"));
    }

    fn retrying(&self, _: &str, reason: &str, _: Duration) {
        self.add(format!("retrying {}", reason.split_once(": ").map_or(reason, |(_, reason)| reason)));
    }

    fn waiting(&self, _: &str, holder: &str) {
        self.add(format!("waiting {holder}"));
    }

    fn finished(&self, _: &str, outcome: Outcome<'_>) {
        self.add(match outcome {
            Outcome::Cached => "cached".to_owned(),
            Outcome::Done { size } => format!("done {size}"),
            Outcome::Failed(error) => format!("failed {error}"),
        });
    }
}
