//! What people see: sizes, times, tables, progress.

pub(crate) mod built;
pub(crate) mod graph;
pub(crate) mod plan;
pub(crate) mod progress;

pub(crate) use checkout::text;
