//! Everything that needs real files, namespaces and processes. Where the machine allows no namespaces, the tests that need
//! them say so and pass; with `SANDBOX_REQUIRED` set, they fail.

mod bench;
mod child;
mod layers;
mod lifetime;
mod loopback;
mod machines;
mod run;
