//! Jobs: a partition of the images.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use blob::Digest;

use crate::graph::{Graph, Node};

/// What is built together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GroupBy {
    /// Every image is a job.
    Image,
    /// An image with its only child, while that has no other parent and is for the same Spark and platform.
    Chain,
    /// What has the same level, for one Spark and platform.
    Level,
    /// All of one Spark and platform.
    Version,
}

impl GroupBy {
    /// All of them, finest first: the order in which they are tried where a limit is broken.
    pub const ALL: [Self; 4] = [Self::Image, Self::Chain, Self::Level, Self::Version];

    fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Chain => "chain",
            Self::Level => "level",
            Self::Version => "version",
        }
    }
}

impl fmt::Display for GroupBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for GroupBy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|by| by.name() == text)
            .ok_or_else(|| format!("`{text}` is no grouping: {}", known()))
    }
}

/// A job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Letters, digits, `.`, `_` and `-`; unique among the jobs of a partition.
    pub id: String,
    /// 0 if no image of it has a parent in another job, else one more than the highest of those.
    pub level: usize,
    /// The jobs that hold parents of its images, by place among the jobs. All are lower than its own.
    pub needs: Vec<usize>,
    /// Places of its images in the graph, parents first.
    pub images: Vec<usize>,
}

/// The jobs of all images, needed ones first.
pub fn partition(graph: &Graph, by: GroupBy) -> Vec<Job> {
    let groups = match by {
        GroupBy::Image => (0..graph.nodes().len()).collect(),
        GroupBy::Chain => chains(graph),
        GroupBy::Level => levels(graph),
        GroupBy::Version => numbered(graph, |_, node| (&node.platform, &node.spark)),
    };
    // Images of two versions that stand on each other cannot be two jobs; levels always can.
    let mut jobs = quotient(graph, &groups)
        .or_else(|| quotient(graph, &levels(graph)))
        .expect("an image has a higher level than its parents");
    let names: Vec<String> = jobs.iter().map(|job| name(graph, job, by)).collect();
    let mut uses: BTreeMap<&String, usize> = BTreeMap::new();
    names.iter().for_each(|name| *uses.entry(name).or_default() += 1);
    for (job, name) in jobs.iter_mut().zip(&names) {
        job.id = match (uses[name], job.images.first()) {
            (2.., Some(&first)) => {
                let node = &graph.nodes()[first];
                let hash = Digest::of(format!("{} {}", node.platform, node.image).as_bytes()).hex();
                format!("{name}-{}", &hash[..12])
            }
            _ => name.clone(),
        };
    }
    jobs
}

fn levels(graph: &Graph) -> Vec<usize> {
    numbered(graph, |place, node| (graph.levels()[place], &node.platform, &node.spark))
}

/// A number for each image, the same for those with the same key.
fn numbered<'g, K: Ord>(graph: &'g Graph, key: impl Fn(usize, &'g Node) -> K) -> Vec<usize> {
    let mut known = BTreeMap::new();
    let nodes = graph.nodes().iter().enumerate();
    nodes
        .map(|(place, node)| {
            let next = known.len();
            *known.entry(key(place, node)).or_insert(next)
        })
        .collect()
}

fn chains(graph: &Graph) -> Vec<usize> {
    let nodes = graph.nodes();
    let mut children = vec![0_usize; nodes.len()];
    nodes.iter().flat_map(|node| &node.parents).for_each(|&parent| children[parent] += 1);
    let mut groups: Vec<usize> = Vec::with_capacity(nodes.len());
    for (place, node) in nodes.iter().enumerate() {
        groups.push(match node.parents[..] {
            [parent]
                if children[parent] == 1
                    && nodes[parent].spark == node.spark
                    && nodes[parent].platform == node.platform =>
            {
                groups[parent]
            }
            _ => place,
        });
    }
    groups
}

/// The groups as jobs without ids, by level and then by their first image; nothing if they need each other in a circle.
fn quotient(graph: &Graph, groups: &[usize]) -> Option<Vec<Job>> {
    let mut images: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut needs: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (place, node) in graph.nodes().iter().enumerate() {
        let group = groups[place];
        images.entry(group).or_default().push(place);
        let others = node.parents.iter().map(|&parent| groups[parent]).filter(|&other| other != group);
        needs.entry(group).or_default().extend(others);
    }
    let mut waiting: BTreeMap<usize, usize> = needs.iter().map(|(&group, needs)| (group, needs.len())).collect();
    let mut children: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (&group, needs) in &needs {
        needs.iter().for_each(|&needed| children.entry(needed).or_default().push(group));
    }
    let mut levels: BTreeMap<usize, usize> = BTreeMap::new();
    let mut ready: Vec<usize> = waiting.iter().filter(|(_, left)| **left == 0).map(|(&group, _)| group).collect();
    while let Some(group) = ready.pop() {
        let level = needs[&group].iter().map(|needed| levels[needed] + 1).max().unwrap_or(0);
        levels.insert(group, level);
        for child in children.get(&group).into_iter().flatten() {
            if let Some(left) = waiting.get_mut(child) {
                *left -= 1;
                if *left == 0 {
                    ready.push(*child);
                }
            }
        }
    }
    if levels.len() < images.len() {
        return None;
    }
    let mut order: Vec<(usize, usize, usize)> =
        images.iter().map(|(&group, images)| (levels[&group], images[0], group)).collect();
    order.sort_unstable();
    let place: BTreeMap<usize, usize> = order.iter().enumerate().map(|(place, (.., group))| (*group, place)).collect();
    let job = |(level, _, group): &(usize, usize, usize)| {
        let mut needs: Vec<usize> = needs[group].iter().map(|needed| place[needed]).collect();
        needs.sort_unstable();
        Job { id: String::new(), level: *level, needs, images: images[group].clone() }
    };
    Some(order.iter().map(job).collect())
}

fn name(graph: &Graph, job: &Job, by: GroupBy) -> String {
    let node = |place: Option<&usize>| place.map(|&place| &graph.nodes()[place]);
    let (Some(first), Some(last)) = (node(job.images.first()), node(job.images.last())) else { return String::new() };
    let spark = first.spark.as_ref().map(|spark| format!("-{spark}")).unwrap_or_default();
    let name = match (by, job.images.len()) {
        (GroupBy::Image | GroupBy::Chain, 1) => format!("{}{spark}", first.kind),
        (GroupBy::Image | GroupBy::Chain, _) => format!("{}-to-{}{spark}", first.kind, last.kind),
        (GroupBy::Level, _) => format!("level-{}{spark}", graph.levels()[job.images[0]]),
        (GroupBy::Version, _) if spark.is_empty() => "shared".to_owned(),
        (GroupBy::Version, _) => format!("version{spark}"),
    };
    let is_safe = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let safe = format!("{name}{}", first.suffix).replace(|c| !is_safe(c), "-");
    // Names of jobs and of the files that are named after them may be 255 long; a person reads less.
    safe.chars().take(100).collect()
}

/// The jobs with only those of their images that `wanted` says, without the jobs of which nothing is left. Ids and levels stay
/// what they are.
pub fn keep(graph: &Graph, jobs: &[Job], wanted: &[bool]) -> Vec<Job> {
    let mut kept: Vec<Job> = Vec::new();
    let mut holder: BTreeMap<usize, usize> = BTreeMap::new();
    for job in jobs {
        let images: Vec<usize> = job.images.iter().copied().filter(|&image| wanted[image]).collect();
        if images.is_empty() {
            continue;
        }
        let place = kept.len();
        holder.extend(images.iter().map(|&image| (image, place)));
        let parents = images.iter().flat_map(|&image| &graph.nodes()[image].parents);
        let needs: BTreeSet<usize> =
            parents.filter_map(|parent| holder.get(parent).copied()).filter(|&other| other != place).collect();
        kept.push(Job { id: job.id.clone(), level: job.level, needs: needs.into_iter().collect(), images });
    }
    kept
}
