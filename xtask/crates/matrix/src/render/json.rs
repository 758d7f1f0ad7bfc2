//! The documented form, for anything: docs/ci.md, "--format json".

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    affected::Because,
    entry::Entry,
    graph::Graph,
    partition::{GroupBy, Job},
};

/// Raised when a key is taken away or means something else.
const VERSION: u32 = 1;

/// What the working tree was compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Since {
    /// As it was asked for.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The commit that it is.
    pub commit: String,
    /// Whether the tool's own sources differ.
    pub tool_changed: bool,
}

/// Renders jobs, images and what is blocked. `blocked` are places of images that the jobs would have if they could be built.
pub fn json(
    graph: &Graph,
    by: GroupBy,
    (jobs, entries): (&[Job], &[Entry]),
    because: &[Option<Because>],
    blocked: &[usize],
    since: Option<&Since>,
) -> Value {
    let nodes = graph.nodes();
    let mut images: Vec<(usize, &str)> =
        jobs.iter().flat_map(|job| job.images.iter().map(|&image| (image, job.id.as_str()))).collect();
    images.sort_unstable();
    let image = |(place, job): &(usize, &str)| {
        let node = &nodes[*place];
        let because = because[*place].as_ref();
        json!({
            "image": node.image,
            "platform": node.platform,
            "job": job,
            "key": node.state.key.map(|key| key.hex()),
            "changes": because.map(|because| because.changes.clone()).unwrap_or_default(),
            "through": because.iter().flat_map(|because| &because.through).map(|&parent| &nodes[parent].image).collect::<Vec<_>>(),
            "root": because.map(|because| &nodes[because.root].image),
        })
    };
    json!({
        "version": VERSION,
        "group_by": by.to_string(),
        "changed_since": since,
        "jobs": entries,
        "images": images.iter().map(image).collect::<Vec<_>>(),
        "blocked": blocked.iter().map(|&place| {
            let node = &nodes[place];
            json!({ "image": node.image, "platform": node.platform, "reasons": node.blocked })
        }).collect::<Vec<_>>(),
    })
}
