//! Builds by BuildKit: the file that describes them to buildx, and buildx itself.
//!
//! A bake file names targets: a folder, a Dockerfile and all that goes with it. A target may stand for the name of an image
//! in the Dockerfile of another, so that one run builds a whole graph wherever the builder is. What the images are and
//! where their contexts come from is no matter of this crate.

mod buildx;
mod error;
mod file;

pub use buildx::{Builder, Buildx, Made, Run};
pub use error::Error;
pub use file::{File, Output, Target, target_name};
