//! What Maven says while it compiles, as `dev/make-distribution.sh` of Spark runs it (`mvn -B -ntp`).
//!
//! The script asks Maven for a few values first and keeps those answers to itself, then runs `mvn clean package`, then
//! copies. [`Reader`] is fed every line of all that, from the script's two streams in the order of their arrival, and
//! knows at each moment which modules are being built, by which goal, and after the end why it failed.

mod advice;
mod failure;
mod line;
mod reader;

pub use advice::Advice;
pub use failure::{FailedProject, Failure};
pub use line::Outcome;
pub use reader::{Finished, Phase, Reader, Running};
