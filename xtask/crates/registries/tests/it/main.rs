//! Discovery on machines that are laid out in temporary folders.

mod debian;
mod given;
mod maven;
mod pypi;
mod world;
