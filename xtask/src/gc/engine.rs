//! Images that an engine has of earlier builds. Names are taken away one by one, never by force: an engine keeps what a
//! container or another image needs, and what has got another name meanwhile.
//!
//! `cleanup-legacy` takes away what nothing is called by any more, whatever would be built now; this leaves what a build
//! would find.

use anyhow::{Result, anyhow};
use blob::Digest;
use engines::{Engine, Failure, Problems, Stored, build};

use super::{
    Left,
    decide::{Needed, Verdict, decide_image},
};
use crate::{
    boxed::until_interrupted,
    engine::{HOST, LABEL},
};

/// An image of ours in an engine.
#[derive(Debug, Clone)]
pub(crate) struct EngineImage {
    pub(crate) id: Digest,
    pub(crate) names: Vec<String>,
    /// Bytes of its files, as the engine counts them: what it shares with others is among them.
    pub(crate) size: u64,
    pub(crate) verdict: Verdict,
}

/// The images with our label, and what becomes of them.
///
/// # Errors
/// The engine does not answer: all that stands in the way.
pub(crate) fn look(engine: Engine, needed: &Needed) -> Result<Vec<EngineImage>> {
    let ours = match engine.stored(Some(&format!("label={LABEL}"))) {
        Ok(ours) => ours,
        Err(failure) => {
            let probed = build::probe(engine, &[], std::env::consts::ARCH);
            let problem = |problems: Problems| anyhow!("{engine} cannot be asked for its images\n{problems}");
            probed.map_err(problem)?;
            return Err(failure.into());
        }
    };
    let own = format!("{HOST}/");
    let mut images = Vec::new();
    for Stored { id, names, size } in ours {
        let verdict = match decide_image(&names, &own, &[], needed) {
            Verdict::Go(_) => decide_image(&names, &own, &engine.users(&id)?, needed),
            verdict => verdict,
        };
        images.push(EngineImage { id, names: names.into_iter().collect(), size, verdict });
    }
    images.sort_by(|a, b| a.names.cmp(&b.names));
    Ok(images)
}

/// Takes an image's names away. What the engine does not want to give is left, in its own words.
///
/// # Errors
/// Ctrl-C was pressed.
pub(crate) fn remove(engine: Engine, image: &EngineImage) -> Result<Vec<Left>> {
    let mut left = Vec::new();
    for name in &image.names {
        match until_interrupted(|cancel| engine.remove(name, cancel))? {
            Err(failure @ Failure::Cancelled(_)) => return Err(failure.into()),
            Err(failure) => left.push(Left { path: name.into(), why: failure.said() }),
            Ok(()) => {}
        }
    }
    Ok(left)
}
