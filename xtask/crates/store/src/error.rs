//! What can go wrong, in words that name the artifact, the place and the remedy. No message holds a secret.

use std::{fmt, io, time::Duration};

use blob::Digest;
use camino::{Utf8Path, Utf8PathBuf};

use crate::check::Check;

/// The store's folder could not be used as wanted.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Reading or writing failed.
    #[error("{doing} {path}: {error}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: Utf8PathBuf,
        /// Why it failed.
        error: io::Error,
    },
    /// Something must be written, and the folder cannot be written to.
    #[error("the store {root} is read-only: fill it on a machine that may write to it, or choose another cache folder")]
    ReadOnly {
        /// The store's folder.
        root: Utf8PathBuf,
    },
    /// The file system is full, or will be.
    #[error("no space left for the store {root}{}: free some, or choose another cache folder", shortage(*.needed, *.available))]
    NoSpace {
        /// The store's folder.
        root: Utf8PathBuf,
        /// The bytes that are still to come, if known.
        needed: Option<u64>,
        /// The bytes that are free, if known.
        available: Option<u64>,
    },
    /// Somebody uses it who must not be disturbed.
    #[error("{by} is at work with the store {root}")]
    InUse {
        /// The store's folder.
        root: Utf8PathBuf,
        /// Who that is.
        by: String,
    },
    /// What was to be imported is not what it was said to be.
    #[error("importing {what}: expected {expected}, found {found} ({size} bytes)")]
    WrongImport {
        /// The file, as the user named it.
        what: String,
        /// The digest that it should have.
        expected: Digest,
        /// The digest that it has.
        found: Digest,
        /// Its size in bytes.
        size: u64,
    },
    /// It was interrupted while it waited for a lock.
    #[error("interrupted while waiting for `{name}`, held by {holder}")]
    Interrupted {
        /// The lock's name.
        name: String,
        /// Who holds it.
        holder: String,
    },
}

fn shortage(needed: Option<u64>, available: Option<u64>) -> String {
    match (needed, available) {
        (Some(needed), Some(available)) => format!(": {needed} bytes are to come and {available} are free"),
        _ => String::new(),
    }
}

impl StoreError {
    /// The error for `error`, which occurred in the store at `root` while `doing` something to `path`.
    pub(crate) fn io(root: &Utf8Path, doing: &'static str, path: &Utf8Path, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::NoSpace { root: root.to_owned(), needed: None, available: None }
            }
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { root: root.to_owned() },
            _ => Self::Io { doing, path: path.to_owned(), error },
        }
    }
}

/// A request had no useful answer. The URLs in it are redacted.
#[derive(Debug, Clone, thiserror::Error)]
pub enum HttpError {
    /// The network must not be used.
    #[error("{url} is wanted, but the network is not to be used (offline)")]
    Offline {
        /// What was wanted.
        url: String,
    },
    /// The URL cannot be requested.
    #[error("`{url}` is no URL that can be fetched: {reason}")]
    BadUrl {
        /// The URL.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The proxy's setting cannot be read.
    #[error("the proxy `{proxy}` of {from} cannot be used: {reason}")]
    BadProxy {
        /// The proxy's URL.
        proxy: String,
        /// Where it was set.
        from: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No certificate authority is known, so no `https` server can be trusted.
    #[error("no certificate authorities were found: set `SSL_CERT_FILE` to a PEM file{reason}")]
    NoAuthorities {
        /// What was tried and failed, or nothing.
        reason: String,
    },
    /// A certificate that was named by the user cannot be read.
    #[error("the extra certificate authority cannot be read: {reason}")]
    BadAuthority {
        /// What is wrong with it.
        reason: String,
    },
    /// The server answered, and not with what was wanted.
    #[error("{url}: the server answered {status}{}{}", hint_of_status(*.status), patience(*.retry_after))]
    Status {
        /// The URL that gave the answer, after redirects.
        url: String,
        /// The HTTP status code.
        status: u16,
        /// How long it asks to be left alone (`Retry-After`).
        retry_after: Option<Duration>,
    },
    /// The answer led nowhere.
    #[error("{url}: {reason}")]
    Redirect {
        /// The URL that redirected.
        url: String,
        /// What was wrong with it.
        reason: String,
    },
    /// There was no whole answer.
    #[error("{url}: {reason}")]
    Transport {
        /// The URL that was requested.
        url: String,
        /// What happened.
        reason: String,
        /// Whether it may go better the next time.
        transient: bool,
    },
    /// The answer is larger than it can sensibly be.
    #[error("{url}: the answer has more than {limit} bytes")]
    TooLarge {
        /// The URL that was requested.
        url: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// It was interrupted.
    #[error("{url}: interrupted")]
    Interrupted {
        /// The URL that was requested.
        url: String,
    },
}

fn hint_of_status(status: u16) -> &'static str {
    match status {
        401 => ": it wants credentials, or does not know these",
        403 => ": it refuses, which some registries do for what they lack",
        404 | 410 => ": not there",
        407 => ": the proxy wants `user:password@` before its host",
        _ => "",
    }
}

/// Whether a server (or proxy) that gives this status may do better soon.
pub(crate) fn is_transient_status(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..=599)
}

fn patience(retry_after: Option<Duration>) -> String {
    retry_after.map(|wait| format!("; it asks to be left alone for {} s", wait.as_secs())).unwrap_or_default()
}

impl HttpError {
    /// Whether the same request may succeed later: nothing else is retried.
    pub fn is_transient(&self) -> bool {
        match self {
            HttpError::Status { status, .. } => is_transient_status(*status),
            HttpError::Transport { transient, .. } => *transient,
            _ => false,
        }
    }

    /// Whether the server said that it does not have it.
    pub fn is_absent(&self) -> bool {
        matches!(self, HttpError::Status { status: 404 | 410, .. })
    }
}

/// A location that was tried in vain.
#[derive(Debug)]
pub struct Tried {
    /// The location's URL, redacted.
    pub location: String,
    /// Why it was left.
    pub reason: Reason,
}

/// Why a location was left.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// The request failed, the last time if it was repeated.
    #[error("{error}{}", after(*.attempts))]
    Http {
        /// The last failure.
        error: HttpError,
        /// How often it was tried.
        attempts: u32,
    },
    /// The file there has another size.
    #[error("expected {expected} bytes, found {found}{hint}")]
    WrongSize {
        /// The size it should have.
        expected: u64,
        /// The size it has, or is announced with.
        found: u64,
        /// What may be the cause.
        hint: &'static str,
    },
    /// The file there has other bytes.
    #[error("expected {expected}, found {found} ({size} bytes){hint}")]
    WrongDigest {
        /// The digest it should have.
        expected: Digest,
        /// The digest it has.
        found: Digest,
        /// Its size in bytes.
        size: u64,
        /// What may be the cause.
        hint: &'static str,
    },
    /// The file there does not have its published checksum.
    #[error("expected {expected}, found {found} ({size} bytes){hint}")]
    WrongCheck {
        /// The checksum it should have.
        expected: Check,
        /// The checksum it has.
        found: Check,
        /// Its size in bytes.
        size: u64,
        /// What may be the cause.
        hint: &'static str,
    },
}

fn after(attempts: u32) -> String {
    if attempts > 1 { format!(" (after {attempts} attempts)") } else { String::new() }
}

/// An artifact was not had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// It is not in the store, and the network must not be used.
    #[error("not in the store, and the network is not to be used (offline); it would come from {location}")]
    Offline {
        /// The first location.
        location: String,
    },
    /// Nobody said from where it can be had.
    #[error("no location is known for it: configure a registry of its kind")]
    NoLocation,
    /// Every location was tried in vain.
    #[error("{}", tried_in_vain(tried))]
    Nowhere {
        /// The locations, in the order in which they were tried.
        tried: Vec<Tried>,
    },
    /// The store cannot take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It was interrupted. What came so far is kept and resumed by the next fetch.
    #[error("interrupted; the next fetch goes on from here")]
    Interrupted,
}

fn tried_in_vain(tried: &[Tried]) -> String {
    struct Line<'a>(&'a Tried);
    impl fmt::Display for Line<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let reason = self.0.reason.to_string();
            // Most transport errors begin with the URL already.
            match reason.starts_with(&self.0.location) {
                true => f.write_str(&reason),
                false => write!(f, "{}: {reason}", self.0.location),
            }
        }
    }
    match tried {
        [one] => Line(one).to_string(),
        many => {
            let lines: Vec<String> = many.iter().map(|tried| format!("\n  {}", Line(tried))).collect();
            format!("none of {} locations has it:{}", many.len(), lines.concat())
        }
    }
}

impl FetchError {
    /// Whether every location said that it does not have it: the artifact is missing there, and the network is well.
    pub fn is_absent(&self) -> bool {
        let absent = |tried: &Tried| matches!(&tried.reason, Reason::Http { error, .. } if error.is_absent());
        matches!(self, FetchError::Nowhere { tried } if tried.iter().all(absent))
    }
}
