//! What is printed: for GitHub, for GitLab, for anything else, for people.

mod github;
mod gitlab;
mod json;
mod text;

pub use github::{Github, github};
pub use gitlab::gitlab;
pub use json::{Since, json};
pub use text::text;
