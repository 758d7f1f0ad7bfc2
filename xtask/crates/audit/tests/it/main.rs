//! Images that are wrong on purpose, one for each rule, in real layouts.

mod bench;
mod hostile;
mod rules;
mod trees;
