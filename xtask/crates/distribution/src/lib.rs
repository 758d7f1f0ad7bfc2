//! A client of registries that speak the OCI distribution protocol:
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>.
//!
//! * [`Address`] is what a user writes: `registry.example/team`.
//! * [`Credentials`] finds the user and password that Docker's and Podman's files, their helpers or the environment hold.
//! * [`Registry`] asks: it answers challenges, fetches tokens, and repeats what failed for a transient reason.
//! * [`Repository`] knows manifests, tags and blobs, and uploads in pieces that are resumed ([`Repository::push`]).
//!
//! Nothing that a registry says is believed: documents are compared with their digest, and an answer that contradicts
//! what was sent is an error with what was expected and what was found. This crate opens no socket itself (the store's
//! [`Http`](store::Http) does), and knows nothing of layouts, layers or Spark. Secrets appear in no message.

mod address;
mod auth;
mod credentials;
mod error;
mod piece;
mod registry;
mod repository;
mod session;
mod upload;

pub use address::{Address, BadAddress};
pub use credentials::{Credential, Credentials, Environment};
pub use error::{Error, Result};
pub use registry::Registry;
pub use repository::{Blob, Document, Found, Repository};
pub use session::Sessions;
pub use upload::{How, Limits};
