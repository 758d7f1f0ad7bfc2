//! The crate's public face, against an index and wheels that are made here.

mod index;
mod random;
mod resolve;
mod site;
mod unsound;
mod wheels;
