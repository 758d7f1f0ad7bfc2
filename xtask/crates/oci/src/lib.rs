//! OCI images at rest: the documents of the image specification, and layouts, which are folders that hold images by digest.
//!
//! What reads, copies or sends a built image needs no more than this crate; what makes one is `assemble`. Nothing here
//! knows what a layer is made of, starts a process or opens a socket.

mod documents;
mod error;
pub mod layout;

pub use documents::*;
pub use error::{Error, Result};
pub use layout::Layout;
