//! Digests, and the one way in which this workspace writes a file that others trust.
//!
//! Every byte that enters an image is named by its SHA-256 ([`Digest`]). A file that a later run will trust is written
//! through [`Pending`]: under a temporary name, hashed on the way, synced, and renamed at the end. Whoever is killed in
//! between leaves nothing that carries the final name.
//!
//! What is written so may be removed by those who clean up, and by nobody while others use it: see [`InUse`].
//!
//! This crate knows nothing of images, registries or Spark.

mod digest;
mod in_use;
mod pending;

pub use digest::{Digest, Hasher, HashingReader, ParseDigestError, hash_reader};
pub use in_use::{InUse, Join};
pub use pending::{Pending, write};
