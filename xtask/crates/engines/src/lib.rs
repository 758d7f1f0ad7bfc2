//! Container engines and clusters, for those who have one: they build the contexts that the assembler builds, and they are
//! given what it built.
//!
//! Their own clients are called, with this process's environment: contexts, remote hosts and logins are their matter. What
//! a client or its server lacks is found before anything is started, all of it at once ([`Problems`]). This crate knows
//! nothing of Spark or of the version table, and opens no socket.

pub mod build;
mod client;
mod engine;
pub mod load;
mod problem;
mod version;

pub use client::{Client, Failure};
pub use engine::{Engine, Held, Listing, Stored};
pub use problem::{Problem, Problems};
pub use version::Version;
