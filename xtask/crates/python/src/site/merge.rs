//! Several wheels in one prefix: equal files are one, unequal ones a conflict.

use std::collections::{BTreeMap, HashSet};

use super::{Conflict, SiteError, SiteFile, plan::Plan};

/// A file, and the index of the plan that brought it.
type Owned = (usize, SiteFile);

/// The files of `wheels` that `below` does not have, sorted by path.
///
/// # Errors
/// All conflicts among `wheels`, and of them with `below`.
pub(super) fn merge(wheels: Vec<Plan>, below: Vec<Plan>) -> Result<Vec<SiteFile>, SiteError> {
    let first_of_wheels = below.len();
    let mut names: Vec<String> = Vec::new();
    let mut projects = BTreeMap::new();
    let mut tree: BTreeMap<String, Owned> = BTreeMap::new();
    let mut conflicts = Vec::new();
    for (index, plan) in below.into_iter().chain(wheels).enumerate() {
        names.push(plan.filename);
        let pair = |other: usize| [names[other].clone(), names[index].clone()];
        if let Some(&other) = projects.get(&plan.project) {
            conflicts.push(Conflict::Project { project: plan.project, wheels: pair(other) });
            continue;
        }
        projects.insert(plan.project, index);
        for (path, file) in plan.files {
            match tree.get_mut(&path) {
                None => drop(tree.insert(path, (index, file))),
                Some((_, there)) if (there.digest, there.size) == (file.digest, file.size) => {
                    there.executable |= file.executable;
                }
                Some((other, _)) => conflicts.push(Conflict::Path { path: file.path, wheels: pair(*other) }),
            }
        }
    }
    conflicts.extend(files_that_are_folders(&tree, &names));
    if !conflicts.is_empty() {
        return Err(SiteError::Conflicts(conflicts));
    }
    Ok(tree.into_values().filter(|(owner, _)| *owner >= first_of_wheels).map(|(_, file)| file).collect())
}

/// Each file under whose path other files lie, with the first of those.
fn files_that_are_folders(tree: &BTreeMap<String, Owned>, names: &[String]) -> Vec<Conflict> {
    let parents = |path: &'_ str| path.match_indices('/').map(|(at, _)| at).collect::<Vec<_>>();
    let folders: HashSet<&str> = tree.keys().flat_map(|path| parents(path).into_iter().map(|at| &path[..at])).collect();
    let files = tree.iter().filter(|(path, _)| folders.contains(path.as_str()));
    let conflicts = files.filter_map(|(path, (owner, file))| {
        let (_, (inside, _)) = tree.range(format!("{path}/")..).next()?;
        let wheels = [names[*owner].clone(), names[*inside].clone()];
        Some(Conflict::Path { path: file.path.clone(), wheels })
    });
    conflicts.collect()
}
