//! Pushes built images to a registry: blobs first, then manifests by digest, tags last.
//!
//! A registry has no transactions. So nothing that has a name changes before all bytes of all images are there; and when a
//! tag cannot be moved, those that were moved before are put back.

mod blobs;
mod chosen;
mod manifests;
mod proof;
mod report;
mod tags;

use std::{num::NonZeroUsize, time::Instant};

use anyhow::{Context as _, Result, bail};
use assemble::Layout;
use compress::{Form, Kept};
use distribution::{Limits, Registry, Repository, Sessions};

use crate::{
    machine::Machine,
    report::progress::Board,
    schedule::{self, Outcome},
};

pub(crate) use chosen::{Chosen, Conditions, Item, fingerprint_tag};
use manifests::Written;
pub(crate) use manifests::{MANIFEST, MANIFEST_DIGEST};
pub(crate) use report::{json, print};

/// Requests and uploads that run side by side: more than processors, since each of them waits for a line.
const LINES: NonZeroUsize = NonZeroUsize::new(6).unwrap();

/// A push, and what it needs.
pub(crate) struct Push<'a> {
    pub(crate) machine: &'a Machine,
    pub(crate) layout: &'a Layout,
    pub(crate) registry: &'a Registry<'a>,
    /// The same registry for the few requests that Ctrl-C must not stop.
    pub(crate) unstoppable: &'a Registry<'a>,
    pub(crate) board: &'a Board,
    pub(crate) kept: Kept,
    pub(crate) sessions: Sessions,
    pub(crate) limits: Limits,
    pub(crate) form: Form,
    /// Whether nothing is changed in the registry.
    pub(crate) dry_run: bool,
    /// Where the digests are noted that tags had before.
    pub(crate) journal: camino::Utf8PathBuf,
}

/// What became of an image.
#[derive(Debug)]
pub(crate) struct Pushed {
    /// Digest of the manifest in the registry; unknown in a dry run whose layers were never compressed.
    pub(crate) digest: Option<blob::Digest>,
    /// Digest of what the tags mean: the manifest, or an index of those for several platforms.
    pub(crate) named: Option<blob::Digest>,
    /// Whether the registry had it before.
    pub(crate) was_there: bool,
    /// Tags, and what they meant before.
    pub(crate) tags: Vec<Tag>,
}

/// A tag, before and after.
#[derive(Debug, Clone)]
pub(crate) struct Tag {
    pub(crate) name: String,
    pub(crate) before: Option<blob::Digest>,
}

/// What a push did.
#[derive(Debug)]
pub(crate) struct Done {
    /// One for each image, in their order.
    pub(crate) images: Vec<Pushed>,
    pub(crate) traffic: blobs::Traffic,
    pub(crate) seconds: f64,
}

impl Push<'_> {
    /// Pushes these images.
    ///
    /// # Errors
    /// Something could not be pushed; then no tag has moved, or the error says which.
    pub(crate) fn run(&self, items: &[Item<'_>]) -> Result<Done> {
        let begin = Instant::now();
        // What tags mean now is asked first, and noted before one is moved.
        let before = self.each(items, |item| self.tags_before(item))?;
        let mut manifests: Vec<_> = items.iter().map(|item| self.known_manifest(item)).collect();
        let tagged = |named: &[Option<Written>], index: usize| {
            let digest = named[index].as_ref().map(|named| named.digest);
            digest.is_some() && before[index].iter().any(|tag| tag.before == digest)
        };
        let mut named = self.named(items, &manifests);
        let there = self.each(&indexed(items), |(index, _)| match &manifests[*index] {
            Some(manifest) => {
                // What a tag means is whole: a registry takes an index after its manifests, and these after their layers.
                let tagged = (0..items.len())
                    .any(|first| (first == *index || items[first].others.contains(index)) && tagged(&named, first));
                Ok(tagged || self.repository(&items[*index]).find(&manifest.digest.to_string())?.is_some())
            }
            None => Ok(false),
        })?;
        let missing: Vec<&Item<'_>> =
            items.iter().zip(&there).filter(|(_, there)| !**there).map(|(item, _)| item).collect();
        let traffic = self.layers(&missing)?;
        if !self.dry_run {
            for (item, manifest) in items.iter().zip(&mut manifests) {
                *manifest = self.known_manifest(item);
            }
            self.each(&indexed(items), |(index, item)| {
                let Some(manifest) = &manifests[*index] else {
                    bail!("{} has layers that were not compressed", item.name());
                };
                if !there[*index] {
                    self.put(item, manifest)?;
                }
                self.name_fingerprint(item, manifest)
            })?;
            named = self.named(items, &manifests);
            let indexes =
                indexed(items).into_iter().filter(|(at, item)| !item.others.is_empty() && !tagged(&named, *at));
            self.each(&indexes.collect::<Vec<_>>(), |(at, item)| {
                named[*at].as_ref().map_or(Ok(()), |index| self.put_index(item, index))
            })?;
            self.move_tags(items, &named, &before)?;
        }
        let digests = manifests.iter().zip(&named).map(|(manifest, named)| {
            let digest = |written: &Option<Written>| written.as_ref().map(|written| written.digest);
            (digest(manifest), digest(named))
        });
        let images = digests.zip(before).zip(there);
        let images = images.map(|(((digest, named), tags), was_there)| Pushed { digest, named, was_there, tags });
        Ok(Done { images: images.collect(), traffic, seconds: begin.elapsed().as_secs_f64() })
    }

    /// The repository that an image goes to.
    fn repository(&self, item: &Item<'_>) -> Repository<'_> {
        self.repository_of(&item.image.reference.name)
    }

    /// The repository of this name; one that nothing can be written to in a dry run.
    fn repository_of(&self, name: &str) -> Repository<'_> {
        let repository = self.registry.repository(name);
        if self.dry_run { repository.to_read() } else { repository }
    }

    fn tags_before(&self, item: &Item<'_>) -> Result<Vec<Tag>> {
        let repository = self.repository(item);
        let ask = |name: &String| {
            let found =
                repository.find(name).with_context(|| format!("asking what {}:{name} is", repository.full_name()))?;
            Ok(Tag { name: name.clone(), before: found.map(|found| found.digest) })
        };
        item.tags.iter().map(ask).collect()
    }

    /// Does the work for each item, several at once; the first error ends it.
    fn each<I: Sync, T: Send>(&self, items: &[I], work: impl Fn(&I) -> Result<T> + Sync) -> Result<Vec<T>> {
        let needs = vec![Vec::new(); items.len()];
        let stop = &self.machine.cancel;
        let outcomes = schedule::run(&needs, LINES, stop, |index| work(&items[index]));
        let done = |outcome| match outcome {
            Outcome::Done(value) => Ok(value),
            Outcome::Failed(error) => Err(error),
            Outcome::Skipped { .. } | Outcome::Cancelled => {
                bail!("interrupted; the next push goes on from here")
            }
        };
        outcomes.into_iter().map(done).collect()
    }
}

fn indexed<T>(items: &[T]) -> Vec<(usize, &T)> {
    items.iter().enumerate().collect()
}
