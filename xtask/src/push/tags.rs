//! Tags move last, all or none: as far as a registry lets us.

use std::{
    fmt::Write as _,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context as _, Error, Result, bail};
use blob::Digest;
use distribution::{Document, Repository};
use serde_json::json;

use super::{Item, Push, Tag, manifests::Written};
use crate::schedule::{self, Outcome};

/// A tag that has to move.
struct Move<'a> {
    repository: Repository<'a>,
    tag: &'a str,
    before: Option<Digest>,
    /// The manifest that it means now, so that it can be put back.
    earlier: Option<Document>,
    manifest: &'a Written,
}

impl Push<'_> {
    /// Moves the tags of all images to what they shall mean, `named`. If one cannot be moved, those that were moved are put back.
    ///
    /// Ctrl-C stops it between two tags, and what was moved is put back then too: these requests go through a client that
    /// it does not reach.
    pub(super) fn move_tags(&self, items: &[Item<'_>], named: &[Option<Written>], before: &[Vec<Tag>]) -> Result<()> {
        let mut moves = Vec::new();
        for ((item, manifest), tags) in items.iter().zip(named).zip(before) {
            let Some(manifest) = manifest else { continue };
            for tag in tags.iter().filter(|tag| tag.before != Some(manifest.digest)) {
                let repository = self.unstoppable.repository(&item.image.reference.name);
                let earlier = match tag.before {
                    Some(digest) => repository.get(&digest.to_string()).with_context(|| {
                        format!("reading what {}:{} is, so that it can be put back", repository.full_name(), tag.name)
                    })?,
                    None => None,
                };
                moves.push(Move { repository, tag: &tag.name, before: tag.before, earlier, manifest });
            }
        }
        if moves.is_empty() {
            return Ok(());
        }
        self.note(&moves)?;
        let needs = vec![Vec::new(); moves.len()];
        let (begun, stop) = (Mutex::new(Vec::new()), AtomicBool::new(false));
        let outcomes = schedule::run(&needs, super::LINES, &stop, |index| {
            if self.machine.cancel.load(Ordering::Relaxed) {
                stop.store(true, Ordering::Relaxed);
                bail!("interrupted");
            }
            begun.lock().unwrap_or_else(PoisonError::into_inner).push(index);
            let Move { repository, tag, manifest, .. } = &moves[index];
            let moved = repository.put(tag, manifest.media_type, &manifest.bytes);
            if moved.is_err() {
                // Nothing else may start: the whole set goes back.
                stop.store(true, Ordering::Relaxed);
            }
            moved.with_context(|| format!("moving {}:{tag}", repository.full_name()))
        });
        let mut error = None;
        let mut all = true;
        for outcome in outcomes {
            match outcome {
                Outcome::Done(()) => {}
                Outcome::Failed(failed) => error = error.or(Some(failed)),
                Outcome::Skipped { .. } | Outcome::Cancelled => all = false,
            }
        }
        if error.is_none() && all {
            return Ok(());
        }
        let begun = begun.into_inner().unwrap_or_else(PoisonError::into_inner);
        Err(self.put_back(begun.iter().map(|&index| &moves[index]), error))
    }

    /// Notes what the tags mean now: who is killed in the middle can be helped by it.
    fn note(&self, moves: &[Move<'_>]) -> Result<()> {
        let one = |tag: &Move<'_>| {
            json!({
                "tag": format!("{}:{}", tag.repository.full_name(), tag.tag),
                "before": tag.before,
                "after": tag.manifest.digest,
            })
        };
        let notes: Vec<_> = moves.iter().map(one).collect();
        let path = &self.journal;
        blob::write(path, &serde_json::to_vec_pretty(&notes)?).with_context(|| format!("writing {path}"))?;
        Ok(())
    }

    /// Puts tags back, and says what was done and what is left.
    fn put_back<'m>(&self, begun: impl Iterator<Item = &'m Move<'m>>, error: Option<Error>) -> Error {
        let (mut back, mut left) = (0, Vec::new());
        for tag in begun {
            let name = format!("{}:{}", tag.repository.full_name(), tag.tag);
            let before = tag.before.map_or_else(|| "not there".to_owned(), |digest| digest.to_string());
            match restore(tag) {
                Ok(Restored::Back) => back += 1,
                Ok(Restored::NeverMoved) => {}
                Ok(Restored::Left) => left.push(format!("{name} is {}, was {before}", tag.manifest.digest)),
                Err(error) => left.push(format!("{name} may be {}, was {before}: {error:#}", tag.manifest.digest)),
            }
        }
        let mut text = String::from("tags were not moved, since that must happen to all or none");
        // Writing to a string cannot fail.
        if back > 0 {
            let _ = write!(text, "\n{} put back", crate::report::text::count(back, "tag"));
        }
        for line in &left {
            let _ = write!(text, "\nleft as it is: {line}");
        }
        let _ = write!(
            text,
            "\nall bytes are in the registry; to move the tags: run the push again (noted in {})",
            self.journal
        );
        match error {
            Some(error) => error.context(text),
            None => Error::msg("interrupted").context(text),
        }
    }
}

enum Restored {
    Back,
    NeverMoved,
    Left,
}

fn restore(tag: &Move<'_>) -> Result<Restored> {
    // The answer to a move may have been lost.
    let now = tag.repository.find(tag.tag)?.map(|found| found.digest);
    if now != Some(tag.manifest.digest) {
        return Ok(Restored::NeverMoved);
    }
    match (&tag.earlier, tag.before) {
        (Some(earlier), _) => {
            tag.repository.put(tag.tag, &earlier.media_type, &earlier.bytes)?;
            Ok(Restored::Back)
        }
        // Many registries do not take a single tag away.
        (None, None) if tag.repository.untag(tag.tag)? => Ok(Restored::Back),
        (None, _) => Ok(Restored::Left),
    }
}
