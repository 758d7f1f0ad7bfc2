//! The sources of Apache Spark: a tree that is compiled, from Apache's archive or from a folder of the user's.
//!
//! - [`Tree::open`] takes a folder that is a Spark source tree and says what else it is if it is none,
//! - [`Tree::pom`] reads what the tree says of itself: its version, and those of Scala, Hadoop, Maven, Java,
//! - [`Tree::identity`] hashes what counts of it, and is fast when nothing changed,
//! - [`Tree::copy_to`] copies what counts of it, for a build that writes into the copy,
//! - [`archive::unpack`] makes a folder of a source archive, verified on the way.
//!
//! What counts is what git says where the folder is the top of a checkout, see [`Tree::identity`]. Nothing here writes
//! into a tree of the user's, opens a socket, or starts a process other than git, which is started in one function.

pub mod archive;
mod copy;
mod error;
mod folder;
mod git;
mod identity;
mod links;
mod listing;
mod memo;
mod pom;
mod tree;

pub use error::Error;
pub use identity::Identity;
pub use pom::Pom;
pub use tree::Tree;
