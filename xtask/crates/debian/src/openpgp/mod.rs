//! As much of OpenPGP as it takes to verify a clear-signed file, or a file and a signature beside it, against a keyring.
//!
//! RFC 9580 (<https://www.rfc-editor.org/rfc/rfc9580>), of which this reads version 4 keys and signatures, RSA from
//! 2048 bits and Ed25519, with SHA-256, SHA-384 or SHA-512. Everything else is passed over as if it were not there, so
//! a key or a signature of another kind never makes a file valid.
//!
//! What is checked of a key before it counts:
//! - a primary key has a self-signature (over a user id or over itself) that verifies and lets it sign data,
//! - a subkey is bound by a signature of the primary key that verifies and lets it sign data, and that embeds the
//!   subkey's own signature over the binding,
//! - neither is revoked by a signature of the primary key that verifies, and both live at the time in question.
//!
//! Revocations by third parties (designated revokers) and certifications by others (the web of trust) are not looked
//! at: which keys are trusted is decided by who chooses the keyring.

mod armor;
mod detached;
mod keyring;
mod packet;

pub use armor::ArmorError;
pub use detached::{DetachedError, SignedBy, verify_detached};
pub use keyring::{KeyError, Keyring, VerifyError};
