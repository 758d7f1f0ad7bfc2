//! What came out of a compile: a folder with `bin/`, `jars/`, `python/` and more, a distribution of Spark.
//!
//! [`normalise()`] takes out of its jars what differs from compile to compile, [`Manifest`] says what each jar is,
//! [`check()`] says what is wrong with it, and [`compare()`] how two of them differ.
//!
//! This crate reads and writes files below the given folders. It starts no process and opens no connection.

mod check;
mod compare;
mod error;
mod jar;
mod manifest;
mod normalise;
mod parallel;
mod repository;
mod tree;

pub use check::{Expect, Problem, check, is_program};
pub use compare::{Difference, compare};
pub use error::Error;
pub use manifest::{Jar, Manifest};
pub use normalise::{Kept, Normalised, Options, Rewritten, normalise};
pub use repository::Repository;
