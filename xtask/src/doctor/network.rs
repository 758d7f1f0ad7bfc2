//! Proxies, certificates and the clock, as this program sees them.

use std::{env, fs};

use ::registries::Endpoint;
use ::store::redacted;

use super::{Finding, Section, State, needs::Needs, reach::Reach};
use crate::{
    machine::{Machine, location},
    report::text::count,
};

/// The variables that name proxies; the lower-case form of each goes before the other.
const PROXIES: [&str; 4] = ["https_proxy", "http_proxy", "all_proxy", "no_proxy"];
/// A clock that is wrong by more makes valid certificates and signatures invalid, sooner or later.
const SKEW: i64 = 300;

pub(super) fn look(needs: &Needs) -> Section {
    if needs.machine.offline {
        return Section::new("network", vec![Finding::note("--offline: nobody is asked")]);
    }
    let mut findings = vec![proxies()];
    findings.extend(certificates(needs));
    Section::new("network", findings)
}

fn proxies() -> Finding {
    let set = PROXIES.iter().filter_map(|name| {
        let names = [(*name).to_owned(), name.to_uppercase()];
        let (name, value) = names.into_iter().find_map(|name| {
            let value = env::var(&name).ok().filter(|value| !value.trim().is_empty())?;
            Some((name, value))
        })?;
        // A list of hosts holds no password.
        let value = if name.eq_ignore_ascii_case("no_proxy") { value } else { redacted(value.trim()) };
        Some(format!("{name}={value}"))
    });
    let set: Vec<String> = set.collect();
    match set.is_empty() {
        true => Finding::fine("no proxy in the environment (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY)"),
        false => Finding::fine(set.join(" ")),
    }
}

fn certificates(needs: &Needs) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
        let Ok(path) = env::var(name) else { continue };
        // SSL_CERT_DIR may be a list.
        for path in env::split_paths(&path).filter(|path| fs::metadata(path).is_err()) {
            let what = format!("{name} names {}, which is not there", path.display());
            findings.push(Finding::new(State::Warning, what, format!("unset {name}, or set it to what is there")));
        }
    }
    let from = match env::var("SSL_CERT_FILE").or_else(|_| env::var("SSL_CERT_DIR")) {
        Ok(path) => format!("those of {path}"),
        Err(_) => "those of the system".to_owned(),
    };
    match needs.machine.http.authorities() {
        Ok(authorities) => {
            let extra: Vec<String> =
                needs.machine.registries.extra_ca.iter().map(|ca| format!("{} ({})", ca.path, ca.found_in)).collect();
            let extra = if extra.is_empty() { String::new() } else { format!(", with {}", extra.join(", ")) };
            let trusted = count(authorities.len(), "certificate");
            findings.push(Finding::fine(format!("{trusted} of authorities trusted: {from}{extra}")));
        }
        Err(error) => {
            let remedy = "apt-get install ca-certificates, or set SSL_CERT_FILE to a PEM file";
            findings.push(Finding::new(State::Problem, error.to_string(), remedy));
        }
    }
    findings
}

/// What the registries' clocks say of this machine's.
pub(super) fn clock(reach: &[Reach]) -> Option<Finding> {
    // The one that differs least: of the others it may be the registry's that is wrong.
    let ahead = reach.iter().filter_map(|one| one.ahead).min_by_key(|ahead| ahead.abs())?;
    let way = if ahead > 0 { "ahead of" } else { "behind" };
    Some(match ahead.abs() > SKEW {
        true => Finding::new(
            State::Warning,
            format!(
                "the clock of this machine is {} s {way} the registries': certificates and signatures of suites are judged by it",
                ahead.abs()
            ),
            "timedatectl set-ntp true",
        ),
        false => Finding::fine("the clock agrees with the registries'"),
    })
}

/// The proxy to a registry, without its credentials.
pub(super) fn proxy(machine: &Machine, endpoint: &Endpoint) -> Option<String> {
    machine.http.proxy_of(&location(endpoint, "")).ok().flatten().map(|proxy| redacted(&proxy))
}

/// How a registry is reached, in words.
pub(super) fn route(machine: &Machine, endpoint: &Endpoint) -> String {
    proxy(machine, endpoint).map_or_else(|| "no proxy".to_owned(), |proxy| format!("through the proxy {proxy}"))
}
