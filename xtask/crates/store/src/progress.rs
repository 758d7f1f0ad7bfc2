//! What a fetch tells to whoever watches it. Drawing bars and printing lines is the watcher's business.

use std::time::Duration;

use crate::error::FetchError;

/// Told what happens, from several threads at once and often: every call must be cheap.
pub trait Progress: Sync {
    /// A transfer begins. `total` is its size in bytes, if known.
    fn started(&self, id: &str, total: Option<u64>) {
        let _ = (id, total);
    }

    /// The bytes that follow stand at `offset`: more than 0 when a partial file is resumed, 0 again when it turns out
    /// to be of no use.
    fn positioned(&self, id: &str, offset: u64) {
        let _ = (id, offset);
    }

    /// `bytes` more have come.
    fn advanced(&self, id: &str, bytes: u64) {
        let _ = (id, bytes);
    }

    /// Something transient went wrong; the next attempt comes after `wait`.
    fn retrying(&self, id: &str, reason: &str, wait: Duration) {
        let _ = (id, reason, wait);
    }

    /// Another process, described by `holder`, is getting the same artifact.
    fn waiting(&self, id: &str, holder: &str) {
        let _ = (id, holder);
    }

    /// Nothing more is done for `id`.
    fn finished(&self, id: &str, outcome: Outcome<'_>) {
        let _ = (id, outcome);
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy)]
pub enum Outcome<'a> {
    /// It lay in the store.
    Cached,
    /// It was fetched, or read to the end.
    Done {
        /// Its size in bytes.
        size: u64,
    },
    /// It was not had.
    Failed(&'a FetchError),
}

/// Watches nothing.
pub struct Silent;

impl Progress for Silent {}
