#![allow(unreachable_pub, reason = "modules of one test")]
//! `cleanup-legacy` on a tree with the shape of the one that this repository replaced. The table is this repository's own.

mod files;
mod images;
mod old;
mod races;
