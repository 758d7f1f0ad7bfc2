//! A plan as a graph: its images, each made from its parents, and what happens to them.

mod svg;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use anyhow::Result;
use catalog::{Catalog, Decision, Image, ImageRef, Plan, Planned, Reason};
use serde_json::{Value, json};

/// State, colour of the box, colour of its border.
const STATES: [(&str, &str, &str); 3] =
    [("cached", "#dcfce7", "#15803d"), ("build", "#fef3c7", "#b45309"), ("blocked", "#fee2e2", "#b91c1c")];

/// One image of a graph.
struct Node<'a> {
    image: &'a ImageRef,
    state: &'static str,
    /// Why it is built or blocked.
    reasons: Vec<String>,
    /// Places of its parents in the graph.
    parents: Vec<usize>,
}

fn nodes<'a>(plan: &'a Plan<'a>) -> Vec<Node<'a>> {
    let places: BTreeMap<&ImageRef, usize> =
        plan.images.iter().enumerate().map(|(place, planned)| (&planned.image.reference, place)).collect();
    let node = |planned: &'a Planned<'a>| {
        let (state, reasons) = match &planned.decision {
            Decision::Cached(_) => ("cached", Vec::new()),
            Decision::Build(reasons) => ("build", reasons.iter().map(ToString::to_string).collect()),
            Decision::Blocked(reasons) => ("blocked", reasons.clone()),
        };
        let mut parents: Vec<usize> =
            planned.image.parents.values().filter_map(|parent| places.get(parent).copied()).collect();
        parents.sort_unstable();
        parents.dedup();
        Node { image: &planned.image.reference, state, reasons, parents }
    };
    plan.images.iter().map(node).collect()
}

impl Node<'_> {
    /// What stands in its box, one text for each line.
    fn lines(&self) -> Vec<String> {
        let first = self.reasons.first().cloned();
        let more = self.reasons.len().checked_sub(1).filter(|more| *more > 0).map(|more| format!("and {more} more"));
        [self.image.to_string()].into_iter().chain(first).chain(more).collect()
    }
}

/// In Mermaid's language: <https://mermaid.js.org/syntax/flowchart.html>.
pub(crate) fn mermaid(plan: &Plan<'_>) -> String {
    let nodes = nodes(plan);
    let boxes = nodes.iter().map(|node| (node.lines(), node.state, node.parents.iter().copied()));
    let classes = STATES.map(|(state, fill, stroke)| (state, format!("fill:{fill},stroke:{stroke},color:#111")));
    flowchart(boxes, &classes)
}

/// The kinds of images and what they are made from, in Mermaid's language, whatever is built: dashed where a group has to
/// be asked for.
pub(crate) fn kinds(catalog: &Catalog) -> String {
    let mut ids: Vec<&str> = Vec::new();
    for image in catalog.images() {
        if !ids.contains(&image.id.as_str()) {
            ids.push(&image.id);
        }
    }
    let places: BTreeMap<&ImageRef, usize> = catalog
        .images()
        .iter()
        .filter_map(|image| Some((&image.reference, ids.iter().position(|id| *id == image.id)?)))
        .collect();
    let boxes = ids.iter().map(|id| {
        let images: Vec<&Image> = catalog.images().iter().filter(|image| image.id == *id).collect();
        let variants: BTreeSet<&str> = images.iter().filter_map(|image| image.variant.as_deref()).collect();
        let variants = Some(variants.into_iter().collect::<Vec<_>>().join(", ")).filter(|text| !text.is_empty());
        let class = if images.iter().all(|image| image.group.is_some()) { "group" } else { "always" };
        let parents = images.iter().flat_map(|image| image.parents.values());
        let parents: BTreeSet<usize> = parents.filter_map(|parent| places.get(parent).copied()).collect();
        ([(*id).to_owned()].into_iter().chain(variants).collect(), class, parents.into_iter())
    });
    flowchart(boxes, &[("group", "stroke-dasharray:4 3".to_owned())])
}

/// Boxes with their lines, class and the places of their parents. A class that has no style looks as Mermaid likes.
fn flowchart<P: Iterator<Item = usize>>(
    boxes: impl Iterator<Item = (Vec<String>, &'static str, P)>,
    styles: &[(&str, String)],
) -> String {
    let escape = |text: &String| text.replace('&', "#amp;").replace('"', "#quot;").replace('<', "#lt;");
    let mut out = String::from("graph LR\n");
    let mut arrows = String::new();
    for (place, (lines, class, parents)) in boxes.enumerate() {
        let label = lines.iter().map(escape).collect::<Vec<_>>().join("<br>");
        let class = if styles.iter().any(|(name, _)| *name == class) { format!(":::{class}") } else { String::new() };
        // Writing to a string cannot fail.
        let _ = writeln!(out, "  n{place}[\"{label}\"]{class}");
        for parent in parents {
            let _ = writeln!(arrows, "  n{parent} --> n{place}");
        }
    }
    out.push_str(&arrows);
    for (name, style) in styles {
        let _ = writeln!(out, "  classDef {name} {style}");
    }
    out
}

/// As a picture for browsers.
///
/// # Errors
/// There are too many images.
pub(crate) fn svg(plan: &Plan<'_>) -> Result<String> {
    svg::draw(&nodes(plan))
}

/// In Graphviz' language: <https://graphviz.org/doc/info/lang.html>.
pub(crate) fn dot(plan: &Plan<'_>) -> String {
    let escape = |text: &String| text.replace('\\', "\\\\").replace('"', "\\\"");
    let nodes = nodes(plan);
    let mut out = String::from("digraph images {\n  rankdir=LR\n  node [shape=box, style=filled]\n");
    for node in &nodes {
        let label: Vec<String> = node.lines().iter().map(escape).collect();
        let (fill, stroke) = STATES
            .iter()
            .find(|(state, ..)| *state == node.state)
            .map_or(("white", "black"), |(_, fill, stroke)| (fill, stroke));
        let label = label.join("\\n");
        let _ = writeln!(out, "  \"{}\" [label=\"{label}\", fillcolor=\"{fill}\", color=\"{stroke}\"]", node.image);
    }
    for node in &nodes {
        for parent in &node.parents {
            let _ = writeln!(out, "  \"{}\" -> \"{}\"", nodes[*parent].image, node.image);
        }
    }
    out + "}\n"
}

/// For programs: `nodes` (parents first) and `edges` (from a parent to what is made from it).
pub(crate) fn json(plan: &Plan<'_>) -> Value {
    let nodes = nodes(plan);
    let edge = |node: &Node<'_>| -> Vec<Value> {
        let parents = node.parents.iter();
        parents
            .map(|parent| json!({ "from": nodes[*parent].image.to_string(), "to": node.image.to_string() }))
            .collect()
    };
    json!({
        "version": 1,
        "platform": plan.platform.to_string(),
        "nodes": nodes.iter().map(|node| {
            json!({ "image": node.image.to_string(), "state": node.state, "reasons": node.reasons })
        }).collect::<Vec<_>>(),
        "edges": nodes.iter().flat_map(edge).collect::<Vec<_>>(),
    })
}

/// Why the last image of a plan is built or blocked: each root cause, and the way from there to the image.
pub(crate) fn why(plan: &Plan<'_>) -> String {
    let nodes = nodes(plan);
    let Some(target) = nodes.len().checked_sub(1) else { return String::new() };
    let mut out = format!("{}  {}\n", nodes[target].state, nodes[target].image);
    // The next image on the shortest way to the target, by image.
    let mut next: BTreeMap<usize, Option<usize>> = BTreeMap::from([(target, None)]);
    let mut front = vec![target];
    while !front.is_empty() {
        let mut further = Vec::new();
        for place in front {
            for &parent in nodes[place].parents.iter().filter(|&&parent| nodes[parent].state == nodes[target].state) {
                next.entry(parent).or_insert_with(|| {
                    further.push(parent);
                    Some(place)
                });
            }
        }
        front = further;
    }
    // What a parent has as well is its reason first: an image that was never built, on one that was never built either.
    let passed_on = |node: &Node<'_>, reason: &String| {
        node.parents.iter().map(|parent| &nodes[*parent]).any(|parent| {
            let image = parent.image;
            *reason == format!("{image} is built")
                || *reason == format!("{image} is blocked")
                || *reason == Reason::New.to_string() && parent.reasons.contains(reason)
        })
    };
    for (place, node) in nodes.iter().enumerate().filter(|(place, _)| next.contains_key(place)) {
        let roots: Vec<&String> = node.reasons.iter().filter(|reason| !passed_on(node, reason)).collect();
        if roots.is_empty() {
            continue;
        }
        for root in roots {
            let _ = writeln!(out, "  {root}");
        }
        let mut way = Some(place);
        let mut arrow = "of";
        while let Some(place) = way {
            let _ = writeln!(out, "    {arrow} {}", nodes[place].image);
            arrow = "->";
            way = next.get(&place).copied().flatten();
        }
    }
    if nodes[target].state == "cached" {
        out.push_str("  it is made of what it would be made of now\n");
    }
    out
}
