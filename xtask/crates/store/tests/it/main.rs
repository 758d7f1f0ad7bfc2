//! Everything is tested against a server on this machine that misbehaves at exact bytes: no network, no fixed port.

mod faults;
mod helpers;
mod mirrors;
mod network;
mod processes;
mod server;
mod storing;
mod tls;
mod waiting;
