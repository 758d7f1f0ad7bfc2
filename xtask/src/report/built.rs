//! The end of a build: one line for each image, and what to do about what failed.

use std::{fs, process::ExitCode};

use anyhow::Result;
use serde_json::json;

use super::text::{bytes, count, duration, table};
use crate::{
    build::{Fate, Finished},
    workspace::Workspace,
};

/// Prints the summary table and then, for each failure, its cause, the end of its log and what to try next.
pub(crate) fn print(finished: &[Finished<'_>], workspace: &Workspace) {
    let row = |done: &Finished<'_>| {
        let (state, size, added) = match &done.fate {
            Fate::Built(built) => ("built", bytes(built.size), bytes(built.added)),
            Fate::Cached(built) => ("cached", bytes(built.size), bytes(built.added)),
            Fate::Failed { .. } => ("FAILED", String::new(), String::new()),
            Fate::Skipped(_) => ("skipped", String::new(), String::new()),
            Fate::Blocked(_) => ("blocked", String::new(), String::new()),
            Fate::Interrupted => ("interrupted", String::new(), String::new()),
        };
        let time = if matches!(done.fate, Fate::Built(_)) { duration(done.elapsed) } else { String::new() };
        vec![done.image.reference.name.clone(), done.image.reference.tag.clone(), size, added, time, state.to_owned()]
    };
    let rows: Vec<Vec<String>> = finished.iter().map(row).collect();
    print!("{}", table(&["IMAGE", "TAG", "SIZE", "ADDED", "TIME", "STATE"], &rows, &[2, 3, 4]));
    for done in finished {
        match &done.fate {
            Fate::Blocked(reasons) => eprintln!("blocked: {}: {}", done.image.reference, reasons.join("; ")),
            Fate::Skipped(because) => eprintln!("skipped: {}, because {because} failed", done.image.reference),
            Fate::Failed { error, log } => {
                let error = format!("{error:#}");
                eprintln!("\nfailed: {}: {error}", done.image.reference);
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
                    eprintln!("  next: cargo xtask build-layers {}", done.image.reference);
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
        println!("images: {}", workspace.layout().strip_prefix(&workspace.root).unwrap_or(&workspace.layout()));
    }
}

/// Prints the result as a JSON list, parents first.
pub(crate) fn json(finished: &[Finished<'_>]) -> Result<()> {
    let images: Vec<_> = finished
        .iter()
        .map(|done| {
            let detail = match &done.fate {
                Fate::Built(built) | Fate::Cached(built) => json!({
                    "state": if matches!(done.fate, Fate::Built(_)) { "built" } else { "cached" },
                    "digest": built.record.manifest,
                    "size": built.size,
                    "added": built.added,
                }),
                Fate::Failed { error, log } => json!({ "state": "failed", "error": format!("{error:#}"), "log": log }),
                Fate::Skipped(because) => json!({ "state": "skipped", "because": because.to_string() }),
                Fate::Blocked(reasons) => json!({ "state": "blocked", "reasons": reasons }),
                Fate::Interrupted => json!({ "state": "interrupted" }),
            };
            json!({
                "image": done.image.reference.to_string(),
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
    } else if finished.iter().any(|done| matches!(done.fate, Fate::Blocked(_))) {
        ExitCode::from(3)
    } else {
        ExitCode::SUCCESS
    }
}
