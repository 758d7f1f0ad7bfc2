//! What can go wrong with buildx and its builders.

use std::io;

use camino::Utf8PathBuf;

/// Why images could not be baked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Neither Docker's plugin nor the program is there.
    #[error(
        "there is no buildx, neither as `docker buildx` nor as the program `buildx` ({found})\n\
         install Docker's buildx plugin; or write the files with --output, and run buildx where it is"
    )]
    NoBuildx {
        /// What the two attempts gave.
        found: String,
    },
    /// There is no builder of this name.
    #[error(
        "buildx has no builder `{name}`; there are {}\n\
         to make one: {program} create --name {name} --driver remote tcp://HOST:PORT, or --driver kubernetes",
        listed(.known)
    )]
    NoBuilder {
        /// The name.
        name: String,
        /// Those that there are.
        known: Vec<String>,
        /// How buildx is called.
        program: String,
    },
    /// A builder that cannot be reached.
    #[error("the builder `{name}` does not answer: {reason}\nto look at it: {program} inspect --bootstrap {name}")]
    Unreachable {
        /// The name.
        name: String,
        /// What buildx said.
        reason: String,
        /// How buildx is called.
        program: String,
    },
    /// A builder whose BuildKit cannot hand images from target to target.
    #[error(
        "node {node} of the builder `{name}` has BuildKit {found}, and 0.10 or newer is needed, which can give one image to \
         the build of another\nuse a newer builder, or `cargo xtask build-layers`, which needs none"
    )]
    TooOld {
        /// The builder.
        name: String,
        /// Its node.
        node: String,
        /// The version that it says it has.
        found: String,
    },
    /// buildx could not be started, or its answer not be read.
    #[error("running {program}")]
    Io {
        /// How buildx is called.
        program: String,
        /// The reason the system gave.
        source: io::Error,
    },
    /// The build failed; buildx has said why.
    #[error("{command} failed with exit code {code}; what it said stands above")]
    Failed {
        /// What was run.
        command: String,
        /// Its exit code; 128 and the signal, if one ended it.
        code: i32,
    },
    /// The build was ended by Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// What buildx wrote about the images cannot be understood.
    #[error("reading {path}, in which buildx says what it made: {reason}")]
    Metadata {
        /// The file.
        path: Utf8PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Two images would be the same target.
    #[error("{one} and {other} would both be the target `{target}`; give one of them another tag")]
    SameTarget {
        /// An image.
        one: String,
        /// Another one.
        other: String,
        /// Their target.
        target: String,
    },
}

fn listed(known: &[String]) -> String {
    if known.is_empty() { "none".to_owned() } else { known.join(", ") }
}
