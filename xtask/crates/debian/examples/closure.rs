//! Prints the closure of a list of packages, `NAME=VERSION` a line, for `ci/compare-base.sh` and for trying things:
//! `closure ARCHITECTURE SUITE=PACKAGES-FILE... -- NAME...`

use std::{error::Error, fs, time::Instant};

use debian::{closure::closure, index::Index};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let dashes = arguments.iter().position(|argument| argument == "--").unwrap_or(arguments.len());
    let (head, names) = arguments.split_at(dashes);
    let [architecture, suites @ ..] = head else {
        return Err("usage: closure ARCHITECTURE SUITE=PACKAGES-FILE... -- NAME...".into());
    };
    let mut index = Index::new();
    let begin = Instant::now();
    for argument in suites {
        let (suite, file) = argument.split_once('=').ok_or("expected SUITE=PACKAGES-FILE")?;
        index.add(suite, fs::read_to_string(file)?);
    }
    let read = begin.elapsed();
    let packages = closure(&index, names.iter().skip(1).map(String::as_str), architecture)?;
    for package in &packages {
        println!("{}={}", package.name, package.version);
    }
    let took = begin.elapsed() - read;
    eprintln!("{} names read in {read:.0?}, a closure of {} in {took:.0?}", index.len(), packages.len());
    Ok(())
}
