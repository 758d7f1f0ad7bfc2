//! One file for each command. Commands never import each other.

pub(crate) mod bake;
pub(crate) mod build_layers;
pub(crate) mod bundle;
pub(crate) mod ci;
pub(crate) mod cleanup_legacy;
pub(crate) mod completions;
pub(crate) mod docs;
pub(crate) mod doctor;
pub(crate) mod export;
pub(crate) mod fetch;
pub(crate) mod gc;
pub(crate) mod graph;
pub(crate) mod list;
pub(crate) mod load;
pub(crate) mod lock;
pub(crate) mod man;
pub(crate) mod outdated;
pub(crate) mod plan;
pub(crate) mod pull;
pub(crate) mod push;
pub(crate) mod run;
pub(crate) mod setup;
pub(crate) mod smoke;
pub(crate) mod stage;
pub(crate) mod store;
pub(crate) mod vendor;
