//! For people.

use std::fmt::Write as _;

use crate::{affected::Because, entry::Entry, graph::Graph, partition::Job};

/// Reasons that are shown of one image.
const REASONS: usize = 5;

/// Renders each job with its images and why they are there. `blocked` are places of images that the jobs would have if they
/// could be built.
pub fn text(
    graph: &Graph,
    (jobs, entries): (&[Job], &[Entry]),
    because: &[Option<Because>],
    blocked: &[usize],
) -> String {
    let nodes = graph.nodes();
    let mut out = String::new();
    for (job, entry) in jobs.iter().zip(entries) {
        let needs = if entry.needs.is_empty() { String::new() } else { format!("  needs {}", entry.needs.join(", ")) };
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{}  ~{} min on {}{needs}", entry.id, entry.minutes, entry.runner.join(","));
        for &place in &job.images {
            let _ = writeln!(out, "  {}", nodes[place].image);
            let Some(because) = &because[place] else { continue };
            for change in because.changes.iter().take(REASONS) {
                let _ = writeln!(out, "    {change}");
            }
            if because.changes.len() > REASONS {
                let _ = writeln!(out, "    ... and {} more", because.changes.len() - REASONS);
            }
            if !because.through.is_empty() {
                let parents: Vec<&str> = because.through.iter().map(|&parent| nodes[parent].image.as_str()).collect();
                let root = because.root;
                let known = root == place || because.through.contains(&root);
                let from = if known { String::new() } else { format!("; because of {}", nodes[root].image) };
                let _ = writeln!(out, "    on {}{from}", parents.join(", "));
            }
        }
    }
    for &place in blocked {
        let _ = writeln!(out, "blocked  {}: {}", nodes[place].image, nodes[place].blocked.join("; "));
    }
    let images: usize = jobs.iter().map(|job| job.images.len()).sum();
    let _ = match jobs.len() {
        0 => writeln!(out, "nothing to build"),
        jobs => writeln!(out, "{jobs} jobs, {images} images, {} blocked", blocked.len()),
    };
    out
}
