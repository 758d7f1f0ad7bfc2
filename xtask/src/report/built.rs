//! The end of a build: one line for each image, and what to do about what failed.

use std::{fs, process::ExitCode};

use anyhow::Result;
use checkout::records::Built;
use engines::Engine;
use serde_json::json;

use super::text::{bytes, count, duration, table};
use crate::{
    build::{Fate, Finished},
    platform,
    session::Session,
};

/// Prints the summary table and then, for each failure, its cause, the end of its log and what to try next.
///
/// `engine` is where the images are, if it is not the layout of this checkout.
pub(crate) fn print(finished: &[Finished<'_>], session: &Session, engine: Option<Engine>) {
    let (workspace, catalog) = (&session.workspace, session.catalog());
    let label = |done: &Finished<'_>| platform::label(catalog, done.platform, done.image);
    // Who never names a platform is shown none.
    let several = finished.iter().any(|done| done.platform != catalog.table.default_platform());
    let row = |done: &Finished<'_>| {
        // Of what an engine built it is not known what it adds.
        let added = |built: &Built| if built.id.is_some() { String::new() } else { bytes(built.added) };
        let (state, size, added) = match &done.fate {
            Fate::Built(built) => ("built", bytes(built.size), added(built)),
            Fate::Cached(built) => ("cached", bytes(built.size), added(built)),
            Fate::Failed { .. } => ("FAILED", String::new(), String::new()),
            Fate::Skipped(_) => ("skipped", String::new(), String::new()),
            Fate::Blocked(_) => ("blocked", String::new(), String::new()),
            Fate::Interrupted => ("interrupted", String::new(), String::new()),
        };
        let time = if matches!(done.fate, Fate::Built(_)) { duration(done.elapsed) } else { String::new() };
        let platform = several.then(|| done.platform.to_string());
        let name = [done.image.reference.name.clone(), done.image.reference.tag.clone()].into_iter().chain(platform);
        name.chain([size, added, time, state.to_owned()]).collect()
    };
    let rows: Vec<Vec<String>> = finished.iter().map(row).collect();
    let head: &[&str] = if several { &["IMAGE", "TAG", "PLATFORM"] } else { &["IMAGE", "TAG"] };
    let columns = [head, &["SIZE", "ADDED", "TIME", "STATE"]].concat();
    print!("{}", table(&columns, &rows, &[head.len(), head.len() + 1, head.len() + 2]));
    for done in finished {
        match &done.fate {
            Fate::Blocked(reasons) => eprintln!("blocked: {}: {}", label(done), reasons.join("; ")),
            Fate::Skipped(because) => eprintln!("skipped: {}, because {because} failed", label(done)),
            Fate::Failed { error, log } => {
                let error = format!("{error:#}");
                eprintln!("\nfailed: {}: {error}", label(done));
                let shown = log.strip_prefix(&workspace.root).unwrap_or(log);
                if let Ok(text) = fs::read_to_string(log) {
                    // What ends with the error says nothing new.
                    let tail = if text.trim_end().ends_with(&error) { "" } else { &text };
                    let lines: Vec<&str> = tail.lines().collect();
                    for line in &lines[lines.len().saturating_sub(5)..] {
                        eprintln!("  | {line}");
                    }
                    eprintln!("  log: {shown}");
                }
                if !error.contains("cargo xtask") {
                    let flags = platform::flags(catalog, done.platform, &[done.image]);
                    let engine = engine.map_or_else(String::new, |engine| format!(" --engine {engine}"));
                    eprintln!("  next: cargo xtask build-layers {}{flags}{engine}", done.image.reference);
                }
            }
            _ => {}
        }
    }
    let failed = finished.iter().filter(|done| matches!(done.fate, Fate::Failed { .. })).count();
    let blocked = finished.iter().filter(|done| matches!(done.fate, Fate::Blocked(_))).count();
    if failed + blocked > 0 {
        eprintln!("{} failed, {blocked} blocked", count(failed, "image"));
    } else if !finished.iter().any(|done| matches!(done.fate, Fate::Interrupted)) {
        match engine {
            Some(engine) => println!("images: in {engine}"),
            None => {
                println!("images: {}", workspace.layout().strip_prefix(&workspace.root).unwrap_or(&workspace.layout()))
            }
        }
    }
}

/// Prints the result as a JSON list, parents first.
pub(crate) fn json(finished: &[Finished<'_>]) -> Result<()> {
    let images: Vec<_> = finished
        .iter()
        .map(|done| {
            let detail = match &done.fate {
                Fate::Built(built) | Fate::Cached(built) => {
                    let state = if matches!(done.fate, Fate::Built(_)) { "built" } else { "cached" };
                    let (size, added, made) = (built.size, built.added, built.record.manifest);
                    match built.id {
                        None => json!({ "state": state, "digest": made, "size": size, "added": added }),
                        Some(id) => json!({ "state": state, "id": id, "fingerprint": made, "size": size }),
                    }
                }
                Fate::Failed { error, log } => json!({ "state": "failed", "error": format!("{error:#}"), "log": log }),
                Fate::Skipped(because) => json!({ "state": "skipped", "because": because.to_string() }),
                Fate::Blocked(reasons) => json!({ "state": "blocked", "reasons": reasons }),
                Fate::Interrupted => json!({ "state": "interrupted" }),
            };
            json!({
                "image": done.image.reference.to_string(),
                "platform": done.platform.to_string(),
                "also": done.image.also.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "seconds": done.elapsed.as_secs_f64(),
                "result": detail,
            })
        })
        .collect();
    println!("{}", serde_json::to_string_pretty(&images)?);
    Ok(())
}

/// 0 if every image is there, 1 if one failed, 3 if all that could be built was and something is blocked.
pub(crate) fn exit_code(finished: &[Finished<'_>]) -> ExitCode {
    if finished.iter().any(|done| matches!(done.fate, Fate::Failed { .. } | Fate::Skipped(_) | Fate::Interrupted)) {
        ExitCode::FAILURE
    } else {
        super::done(finished.iter().any(|done| matches!(done.fate, Fate::Blocked(_))))
    }
}
