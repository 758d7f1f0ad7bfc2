//! Source trees as users have them: from an archive, in a git checkout, and what is none.

mod archive;
mod checkout;
mod copy;
mod identity;
mod sample;
mod tree;
