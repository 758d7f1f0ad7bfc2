//! Layers: what is in them, how they are planned, written and remembered.
//!
//! A layer is planned as a sorted list of entries before a byte of it is read. The plan decides every byte of the layer,
//! so that its digest, the layer's key, says whether it has been written before. Nothing here knows of Dockerfiles.

pub(crate) mod entry;
mod header;
pub(crate) mod plan;
pub(crate) mod record;
pub(crate) mod tree;
pub(crate) mod write;
