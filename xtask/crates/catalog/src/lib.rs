//! What is to be built: the version table, the image files, the lock, and the graph of images that follows from them.
//!
//! Everything here is pure. Texts come in, values and [`Problem`]s come out; nothing opens a file, starts a process or
//! asks the network. The way of the data is
//!
//! ```text
//! versions.toml ─┐
//! image.toml  ───┴─> Catalog ── requests ──> (lock) ──> LockedCatalog ──> Plan
//! ```
//!
//! Only a [`LockedCatalog`] can be planned, so that nothing is built from a table that nobody checked or from bytes that
//! nobody pinned.

mod catalog;
mod check;
mod ci;
mod coordinate;
mod image;
pub mod jar_name;
mod legacy;
mod lock;
mod locked;
mod lookup;
mod pin;
mod plan;
mod platform;
mod problem;
mod reader;
mod request;
mod select;
mod shims;
mod table;
mod template;

pub use catalog::{Catalog, Local};
pub use ci::{Ci, Github, Gitlab, Runners};
pub use coordinate::{Coordinate, Maven, ParseCoordinateError};
pub use image::{Content, Image, ImageRef, Jar, PythonSet, Smoke, Stage};
pub use legacy::{Legacy, LegacyFiles, LegacyImages, LegacyPath, PathPattern};
pub use lock::{Artifact, Lock, LockError, LockedSet, LockedShims, Unresolved};
pub use locked::{LockedCatalog, Origins, Stale, Unfit};
pub use lookup::{Lookup, Place};
pub use pin::{Pin, Pinned};
pub use plan::{Decision, Inputs, Plan, Planned, Reason, Record, fingerprints};
pub use platform::Platform;
pub use problem::{Problem, Problems, Source};
pub use request::{Request, Requests, python_key};
pub use select::{SelectError, Selection};
pub use shims::{ForcedShim, Shims, UnfitShims, digits};
pub use table::{Archive, Debian, Group, Held, Origin, Release, SourceOrigin, Spark, Substitute, Table, Unsupported};
