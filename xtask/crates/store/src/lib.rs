//! The content-addressed store of artifacts, and the fetch that fills it.
//!
//! Every byte that enters an image lies here under its SHA-256, and came here by one of two ways: [`fetch`] gets it
//! from a registry, [`Store::import`] takes it from the user. Both verify before the final name appears, so whoever
//! finds an artifact of the right size may use it.
//!
//! * [`Store`] knows the folders: artifacts, partial downloads, locks. It opens no socket.
//! * [`Http`] knows the network: proxies, certificates, redirects, retries. It is the only opener of sockets in the
//!   workspace, and writes no file.
//! * [`fetch`] joins them: in parallel, resumed, from several mirrors.
//!
//! This crate knows nothing of Maven, PyPI, Debian or images: it is handed URLs ([`Location`]) and digests. It prints
//! nothing: what happens is told to a [`Progress`].
//!
//! Secrets (passwords, tokens, query strings of signed URLs) appear in no message and in no `Debug` form.

mod absolute_form;
mod agents;
mod check;
mod error;
mod exchange;
mod fetch;
mod http;
mod location;
mod lock;
mod names;
mod partial;
mod progress;
mod proxies;
mod retry;
mod store;
mod transfer;
mod url;
mod verify;

pub use check::{Algorithm, BadCheck, Check};
pub use error::{FetchError, HttpError, Reason, StoreError, Tried};
pub use exchange::{Content, Exchange};
pub use fetch::{Failed, FetchOptions, FetchReport, Fetched, Wanted, fetch};
pub use http::{Head, Http, HttpOptions, Small};
pub use location::{Auth, Location, Route};
pub use lock::{Guard, LockSeen};
pub use progress::{Outcome, Progress, Silent};
pub use proxies::Proxies;
pub use retry::Retry;
pub use store::Store;
pub use ureq::http::Method;
pub use url::{join, redacted, same_origin};
pub use verify::{Fault, FaultKind, VERIFY_ID};
