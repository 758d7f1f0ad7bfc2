//! Tests of the client against a registry that misbehaves on request.

mod auth;
mod fake;
mod helpers;
mod manifests;
mod uploads;
