//! Objects for `fromJSON` in a workflow of GitHub.

use std::collections::BTreeMap;

use catalog::Github as Limits;
use serde_json::{Value, json};

use crate::{entry::Entry, fit::check, partition::GroupBy};

/// What a workflow of GitHub reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Github {
    /// An object with an include list for each level, or a single one.
    pub matrix: String,
    /// The keys whose list is not empty, as a JSON list.
    pub levels: String,
    /// Whether there is nothing to do.
    pub empty: bool,
}

impl Github {
    /// The outputs of a step, by name.
    pub fn outputs(&self) -> [(&'static str, &str); 3] {
        [("matrix", &self.matrix), ("levels", &self.levels), ("empty", if self.empty { "true" } else { "false" })]
    }
}

/// Renders the entries; `levels` is how many levels the whole graph has with this grouping.
///
/// # Errors
/// The limit that is broken, with both numbers.
pub fn github(entries: &[Entry], by: GroupBy, levels: usize, limits: &Limits) -> Result<Github, String> {
    let names: Vec<String> = (0..levels).map(|level| format!("level-{level}")).collect();
    let (matrix, filled) = match by {
        GroupBy::Version => {
            check("jobs in the matrix", entries.len(), limits.jobs_per_matrix, "jobs-per-matrix of [ci.github]")?;
            (json!({ "include": entries }), if entries.is_empty() { vec![] } else { vec!["all"] })
        }
        _ => {
            let mut matrix: BTreeMap<&str, Value> = BTreeMap::new();
            let mut filled = Vec::new();
            let mut of_level: BTreeMap<usize, Vec<&Entry>> = BTreeMap::new();
            entries.iter().for_each(|entry| of_level.entry(entry.level).or_default().push(entry));
            for (level, name) in names.iter().enumerate() {
                let include = of_level.remove(&level).unwrap_or_default();
                let what = format!("jobs in the matrix {name}");
                check(&what, include.len(), limits.jobs_per_matrix, "jobs-per-matrix of [ci.github]")?;
                if !include.is_empty() {
                    filled.push(name.as_str());
                }
                matrix.insert(name, json!({ "include": include }));
            }
            (json!(matrix), filled)
        }
    };
    let rendered = Github { matrix: matrix.to_string(), levels: json!(filled).to_string(), empty: entries.is_empty() };
    // "Size is approximated based on UTF-16 encoding":
    // https://docs.github.com/en/actions/how-tos/write-workflows/choose-what-workflows-do/pass-job-outputs
    let bytes = rendered.outputs().iter().map(|(name, value)| 2 * (name.len() + value.encode_utf16().count())).sum();
    check("bytes of the outputs, as UTF-16", bytes, limits.output_bytes, "output-bytes of [ci.github]")?;
    Ok(rendered)
}
