//! Python sets for images: resolved against a simple index, and laid out from wheels, with no pip and no Python.
//!
//! [`resolve`] turns requirement lines into a closure of wheels, each with its digest, through an [`resolve::Index`] that
//! the caller implements. [`site`] turns the files of such a closure into the list of files of a site directory, without
//! unpacking anything. Both are functions of their inputs: no clock, no host name, no environment.
//!
//! This crate opens no socket, starts no process and writes no file. It knows nothing of Spark and of images.

pub mod name;
pub mod range;
pub mod requirement;
pub mod resolve;
pub mod simple;
pub mod site;
pub mod wheel;

pub use pep440_rs::{Version, VersionSpecifiers};
