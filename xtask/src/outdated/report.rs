//! The rows, for people and for programs.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use super::{Row, State};
use crate::report::{
    done,
    text::{count, table},
};

/// The form of the JSON: moved when a field changes its meaning.
const FORMAT: u32 = 1;

/// Prints what may be taken, what is held and why, and what nobody could say.
pub(crate) fn print(rows: &[Row], all: bool) {
    let of = |state: State| rows.iter().filter(move |row| row.state == state);
    let newer: Vec<Vec<String>> = of(State::Newer)
        .map(|row| {
            vec![
                format!("  {}", name(row)),
                row.current.clone(),
                row.takes.clone().unwrap_or_default(),
                row.take.clone(),
            ]
        })
        .collect();
    if !newer.is_empty() {
        print!("may be taken\n{}", table(&["  name", "now", "to", "how"], &newer, &[]));
        for row in of(State::Newer).filter(|row| row.why.is_some()) {
            println!(
                "  {}: not {}: {}",
                name(row),
                row.newest.as_deref().unwrap_or_default(),
                row.why.as_deref().unwrap_or_default()
            );
        }
    }
    for (state, title) in [(State::Held, "held"), (State::Unknown, "not known")] {
        if of(state).next().is_some() {
            println!("{title}");
        }
        for row in of(state) {
            let newest = row.newest.as_ref().map_or_else(String::new, |newest| format!(", {newest} is there"));
            println!("  {} {}{newest}", name(row), row.current);
            let why = row.why.iter().flat_map(|why| why.lines());
            why.for_each(|line| println!("    {line}"));
            if !row.take.is_empty() {
                println!("    {}", row.take);
            }
        }
    }
    if all && of(State::Current).next().is_some() {
        println!("as new as can be");
        of(State::Current).for_each(|row| println!("  {} {}", name(row), row.current));
    }
    let counts = [
        (State::Newer, "may be taken"),
        (State::Held, "held"),
        (State::Current, "as new as can be"),
        (State::Unknown, "not known"),
    ];
    let counts = counts.map(|(state, words)| format!("{} {words}", of(state).count()));
    println!("{}: {}", count(rows.len(), "version"), counts.join(", "));
}

/// A name, and the Spark versions that it is for where they are not all the same.
fn name(row: &Row) -> String {
    match row.sparks.as_slice() {
        [one] => format!("{} ({one})", row.name),
        _ => row.name.clone(),
    }
}

/// Prints the rows as one JSON object.
pub(crate) fn json(rows: &[Row]) -> Result<()> {
    println!("{}", serde_json::to_string_pretty(&json!({ "format": FORMAT, "versions": rows }))?);
    Ok(())
}

/// The exit status: whether something could not be said.
pub(crate) fn status(rows: &[Row]) -> ExitCode {
    done(rows.iter().any(|row| row.state == State::Unknown))
}
