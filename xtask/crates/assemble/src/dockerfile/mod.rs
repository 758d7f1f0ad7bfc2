//! Dockerfiles: from text to stages of typed instructions.
//!
//! The syntax is BuildKit's (<https://docs.docker.com/reference/dockerfile/>), line by line and word by word; the reader
//! is our own, since all faults of a file are reported at once and words must be split exactly as BuildKit splits them.
//! Nothing is evaluated here: variables are expanded by whoever runs the instructions, with [`Expand`].

mod expand;
mod instruction;
mod lines;
mod needs;
mod parse;
mod run;
mod words;

pub(crate) use expand::Expand;
pub(crate) use instruction::{Arg, CommandLine, Copy, Dockerfile, Instruction, Located, Pair, copy_text, quoted_list};
pub(crate) use lines::Heredoc;
pub use needs::{Feature, Need, needs};
pub(crate) use run::{Mount, MountKind, Network, Run, Sharing};
