//! The documented form, for anything: docs/ci.md, "--format json".

use serde::Serialize;

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

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    group_by: String,
    changed_since: Option<&'a Since>,
    jobs: &'a [Entry],
    images: Vec<Image<'a>>,
    blocked: Vec<Blocked<'a>>,
}

#[derive(Serialize)]
struct Image<'a> {
    image: &'a str,
    platform: &'a str,
    job: &'a str,
    key: Option<String>,
    changes: &'a [String],
    through: Vec<&'a str>,
    root: Option<&'a str>,
}

#[derive(Serialize)]
struct Blocked<'a> {
    image: &'a str,
    platform: &'a str,
    reasons: &'a [String],
}

/// Renders jobs, images and what is blocked. `blocked` are places of images that the jobs would have if they could be built.
///
/// # Errors
/// None that these types can cause.
pub fn json(
    graph: &Graph,
    by: GroupBy,
    (jobs, entries): (&[Job], &[Entry]),
    because: &[Option<Because>],
    blocked: &[usize],
    since: Option<&Since>,
) -> Result<String, serde_json::Error> {
    let nodes = graph.nodes();
    let mut images: Vec<(usize, &str)> =
        jobs.iter().flat_map(|job| job.images.iter().map(|&image| (image, job.id.as_str()))).collect();
    images.sort_unstable();
    let document = Document {
        version: VERSION,
        group_by: by.to_string(),
        changed_since: since,
        jobs: entries,
        images: images
            .iter()
            .map(|&(place, job)| {
                let (node, because) = (&nodes[place], because[place].as_ref());
                let through = because.iter().flat_map(|because| &because.through);
                Image {
                    image: &node.image,
                    platform: &node.platform,
                    job,
                    key: node.state.key.map(|key| key.hex()),
                    changes: because.map_or(&[], |because| &because.changes),
                    through: through.map(|&parent| nodes[parent].image.as_str()).collect(),
                    root: because.map(|because| nodes[because.root].image.as_str()),
                }
            })
            .collect(),
        blocked: blocked
            .iter()
            .map(|&place| Blocked {
                image: &nodes[place].image,
                platform: &nodes[place].platform,
                reasons: &nodes[place].blocked,
            })
            .collect(),
    };
    serde_json::to_string_pretty(&document)
}
