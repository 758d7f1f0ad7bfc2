//! RUN from the Dockerfile to the layer, in real namespaces. The programs are the host's, mounted beside the image. Where
//! the machine allows no namespaces the tests say so and pass; with `SANDBOX_REQUIRED` set, they fail.

mod again;
mod bench;
mod changes;
mod command;
mod differential;
mod faults;
mod mounts;
mod processes;
