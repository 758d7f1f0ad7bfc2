//! Legacy images in an engine: those with an exact name of the table, and those that this program built and that nothing
//! is called by any more. Never by a pattern, and never one that a container stands on.

use anyhow::{Result, bail};
use blob::Digest;
use catalog::Legacy;
use engines::{Engine, Failure, Problem, Problems};
use sandbox::Cancel;

use crate::engine::{HOST, LABEL};

/// A name of an image in an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OldImage {
    pub(crate) engine: Engine,
    /// As the engine calls it; its id, if it has no name.
    pub(crate) name: String,
    pub(crate) id: Digest,
    /// Bytes, as the engine counts and rounds them.
    pub(crate) size: u64,
    /// Which entry of the table names it; none, if it bears our label.
    pub(crate) rule: Option<usize>,
    /// Containers that stand on it.
    pub(crate) users: Vec<String>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The name is gone, and the image if it was its last.
    Removed,
    /// Somebody else took it away, or gave the name to another image.
    NotThere,
    /// It was left, for this reason.
    Left(String),
}

/// Looks for legacy images.
///
/// # Errors
/// The engine is not there or does not answer.
pub(crate) fn find(engine: Engine, legacy: &Legacy) -> Result<Vec<OldImage>> {
    let there = match engine.stored(None) {
        Err(Failure::Missing(program)) => {
            let remedy = "leave --engine out: then no engine is asked".to_owned();
            bail!(Problems::from(Problem::new(format!("{program} is not installed"), remedy)))
        }
        other => other?,
    };
    let mut found = Vec::new();
    for image in &there {
        for name in &image.names {
            // Podman writes where a name without a host belongs; with Docker that is another name.
            let plain = if engine == Engine::Podman { name.strip_prefix("localhost/").unwrap_or(name) } else { name };
            let rule = legacy.images.iter().position(|images| images.names.iter().any(|known| known == plain));
            if rule.is_some() {
                found.push((name.clone(), image, rule));
            }
        }
    }
    let ours = engine.stored(Some(&format!("label={LABEL}")))?;
    for image in &ours {
        // Those that are handed from parent to child have a name that is no tag of theirs.
        let handed = |name: &String| name.strip_prefix(HOST).is_some_and(|rest| rest.starts_with('/'));
        if image.names.iter().all(handed) {
            let names = image.names.iter().cloned().chain(image.names.is_empty().then(|| image.id.to_string()));
            found.extend(names.map(|name| (name, image, None)));
        }
    }
    let old = |(name, image, rule): (String, &engines::Stored, Option<usize>)| {
        Ok(OldImage { engine, name, id: image.id, size: image.size, rule, users: engine.users(&image.id)? })
    };
    found.into_iter().map(old).collect()
}

/// Removes one, if it is still what was shown and no container stands on it.
pub(crate) fn remove(image: &OldImage) -> Outcome {
    match image.engine.id(&image.name) {
        Ok(Some(id)) if id == image.id => {}
        Ok(_) | Err(Failure::Refused { .. }) => return Outcome::NotThere,
        Err(failure) => return Outcome::Left(failure.to_string()),
    }
    match image.engine.users(&image.id) {
        Ok(users) if users.is_empty() => {}
        Ok(users) => return Outcome::Left(in_use(&users)),
        Err(failure) => return Outcome::Left(failure.said()),
    }
    match image.engine.remove(&image.name, &Cancel::new()) {
        Ok(()) => Outcome::Removed,
        Err(failure) => Outcome::Left(failure.said()),
    }
}

/// Why an image is left.
pub(crate) fn in_use(containers: &[String]) -> String {
    format!("in use by container {}", containers.join(", "))
}
