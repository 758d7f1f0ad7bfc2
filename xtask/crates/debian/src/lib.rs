//! Debian without Debian's tools: from signed package indexes to a root file system, in this process, without root and
//! without running a maintainer script.
//!
//! The way of the data:
//! 1. [`release`] verifies an `InRelease` file against a keyring and gives the hashes of the package indexes,
//! 2. [`index`] holds the indexes of several suites, [`closure`] picks all that a list of packages depends on,
//! 3. [`rootfs`] turns the `.deb` files and a recipe into one deterministic tar.
//!
//! Nothing here opens a socket, starts a process, reads a clock or looks at the machine: functions take paths, bytes
//! and a time. What a maintainer script would have made is made from data (the recipe) and from what the packages
//! themselves ship; where the result differs from a real installation is for `ci/compare-base.sh` to say.

pub mod closure;
mod compression;
pub mod control;
pub mod deb;
pub mod index;
pub mod openpgp;
pub mod relation;
pub mod release;
pub mod rootfs;
pub mod version;
