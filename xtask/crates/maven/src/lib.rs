//! Maven as this project drives it: what its output says, how far a compile is, the `settings.xml` it is given;
//! which versions a repository has, what a published POM says, and which versions of Spark a plugin knows.
//!
//! Everything here is a function of texts and times that the caller hands in. No file is read, no process started, no
//! clock asked, no connection opened.

pub mod metadata;
pub mod output;
pub mod pom;
pub mod progress;
pub mod settings;
pub mod shims;
pub mod version;
