//! What `audit` reads before anything is judged, and what it says.

pub(crate) mod images;
mod known;
pub(crate) mod report;
pub(crate) mod tree;
