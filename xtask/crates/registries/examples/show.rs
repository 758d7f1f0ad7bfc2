//! Shows the registries of this machine, and where each was found. The arguments are those of `--registry`.

use std::process::ExitCode;

use registries::{Kind, Machine, discover};

fn main() -> ExitCode {
    let flags: Vec<String> = std::env::args().skip(1).collect();
    let suites = ["bookworm", "bookworm-updates", "bookworm-security"].map(str::to_owned);
    let found = discover(&Machine::current(".".into()), &flags, &suites);

    let plain = found.maven.iter().map(|endpoint| (Kind::Maven, endpoint, String::new()));
    let plain = plain.chain(found.pypi.iter().map(|endpoint| (Kind::Pypi, endpoint, String::new())));
    let debian = found.debian.iter().map(|archive| (Kind::Debian, &archive.endpoint, archive.suites.join(" ")));
    for (kind, endpoint, suites) in plain.chain(debian) {
        println!("{kind:<6} {} {suites}", endpoint.url);
        println!("       in {}", endpoint.found_in);
        println!(
            "       credentials: {}, proxy: {}",
            endpoint.auth_found_in.as_deref().unwrap_or("none"),
            endpoint.proxy
        );
    }
    for ca in &found.extra_ca {
        println!("extra-ca {} in {}", ca.path, ca.found_in);
    }
    println!("looked at");
    for looked in &found.looked_at {
        println!("  {:<6} {}: {}", looked.kind, looked.place, looked.found);
    }
    for warning in &found.warnings {
        println!("warning: {warning}");
    }
    match found.require(&Kind::ALL) {
        Ok(()) => ExitCode::SUCCESS,
        Err(missing) => {
            eprintln!("error: {missing}");
            ExitCode::FAILURE
        }
    }
}
