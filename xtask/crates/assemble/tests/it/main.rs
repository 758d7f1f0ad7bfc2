//! The crate as its users see it. One binary, so that it is linked once.

mod archives;
mod build;
mod common;
mod copy;
mod export;
mod faults;
mod platforms;
