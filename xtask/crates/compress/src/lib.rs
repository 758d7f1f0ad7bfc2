//! Compressed layers: made once, kept, and the same bytes on every machine.
//!
//! A layout holds layers uncompressed; registries want them small. [`gzip`] compresses on all processors, and what comes
//! out depends on the bytes and the level alone, not on how many there are. [`Kept`] is the folder of what was compressed,
//! by the layer's `diff_id`, the algorithm and the level. This crate knows neither registries nor images.

mod form;
mod gzip;
mod kept;

pub use form::{BadForm, Form};
pub use gzip::{gunzip, gzip};
pub use kept::{Kept, Packed};
