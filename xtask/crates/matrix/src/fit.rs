//! What a CI system refuses is not printed: it is grouped coarser, or it is an error.

use crate::partition::GroupBy;

/// A matrix that is too large however it is grouped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the matrix is too large, and grouping by {by} is the coarsest: {problem}")]
pub struct LimitError {
    /// The coarsest grouping.
    pub by: GroupBy,
    /// Which limit it breaks, with both numbers.
    pub problem: String,
}

/// Renders with the grouping that was asked for or, where a limit is broken, with the next coarser one that breaks none.
/// `render` gives what is printed, or the limit that it breaks. What was broken on the way comes back as well.
///
/// # Errors
/// The coarsest one breaks a limit.
pub fn fit<T>(
    asked: GroupBy,
    mut render: impl FnMut(GroupBy) -> Result<T, String>,
) -> Result<(GroupBy, T, Vec<String>), LimitError> {
    let mut broken = Vec::new();
    for by in GroupBy::ALL.into_iter().filter(|&by| by >= asked) {
        match render(by) {
            Ok(rendered) => return Ok((by, rendered, broken)),
            Err(problem) => broken.push(format!("grouped by {by}: {problem}")),
        }
    }
    let by = GroupBy::Version;
    let problem = broken.pop().unwrap_or_default();
    let problem = problem.split_once(": ").map_or(problem.clone(), |(_, problem)| problem.to_owned());
    Err(LimitError { by, problem })
}

/// An error if `found` is above the limit `allowed`, which the table calls `key`.
pub(crate) fn check(what: &str, found: usize, allowed: u64, key: &str) -> Result<(), String> {
    match u64::try_from(found).is_ok_and(|found| found <= allowed) {
        true => Ok(()),
        false => Err(format!("{what}: {found}, and {key} in docker/versions.toml is {allowed}")),
    }
}
