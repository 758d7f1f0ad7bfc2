//! The images as jobs of a CI system: which are affected by a change, which are built together, and what a workflow reads.
//!
//! Pure: no file, process or socket. A [`Graph`] comes in with what each image is made of; [`affected`] compares two of
//! them, [`partition`] makes jobs, and [`render`] writes what fits into the limits of a CI system.

mod affected;
mod entry;
mod fit;
mod graph;
mod partition;
pub mod render;

pub use affected::{Because, Before, affected};
pub use entry::{Cache, Entry, Rates, entries};
pub use fit::{LimitError, fit};
pub use graph::{Graph, Node, OutOfOrder, State};
pub use partition::{GroupBy, Job, keep, partition};
