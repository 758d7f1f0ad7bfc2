//! Layers on their way: compressed once, sent once, mounted everywhere else.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, Read},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context as _, Result, bail};
use assemble::oci::Descriptor;
use blob::Digest;
use compress::{Form, Packed};
use distribution::{Blob, Error, How};
use store::{Outcome, Progress as _};

use super::{Item, Push};
use crate::{report::progress::Download, schedule, zstd};

/// What passed, in bytes and blobs.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Traffic {
    /// Layers that were compressed now.
    pub(crate) compressed: usize,
    /// Blobs that were sent, and their bytes.
    pub(crate) sent: usize,
    pub(crate) bytes: u64,
    /// Bytes of those that an earlier run had sent.
    pub(crate) resumed: u64,
    /// Blobs that the registry took from another repository of its own.
    pub(crate) mounted: usize,
    /// Blobs that were there.
    pub(crate) there: usize,
    /// In a dry run: blobs that would be sent or mounted, and layers of unknown size that would be compressed.
    pub(crate) missing: usize,
}

/// A layer, and the repositories that need it.
struct Needed<'i> {
    layer: &'i Descriptor,
    repositories: BTreeSet<&'i str>,
    /// A repository that may have it.
    neighbour: Option<&'i str>,
}

impl Push<'_> {
    /// Brings the layers of these images into their repositories.
    pub(super) fn layers(&self, items: &[&Item<'_>]) -> Result<Traffic> {
        let mut needed: BTreeMap<Digest, Needed<'_>> = BTreeMap::new();
        for item in items {
            for layer in &item.manifest.layers {
                let entry = needed.entry(layer.digest).or_insert_with(|| Needed {
                    layer,
                    repositories: BTreeSet::new(),
                    neighbour: item.neighbours.get(&layer.digest).map(String::as_str),
                });
                entry.repositories.insert(&item.image.reference.name);
            }
        }
        // The largest first, so that none of them is alone at the end.
        let mut needed: Vec<Needed<'_>> = needed.into_values().collect();
        needed.sort_by_key(|needed| std::cmp::Reverse(needed.layer.size));
        let traffic = Mutex::new(Traffic::default());
        let progress = self.board.transfer("pushing", needed.len(), None);
        let compressing = Mutex::new(());
        self.each(&needed, |needed| {
            let pushed = self.layer(needed, &compressing, &traffic, &progress);
            progress.finished(&needed.layer.digest.to_string(), Outcome::Done { size: needed.layer.size });
            pushed.with_context(|| format!("pushing the layer {}", needed.layer.digest))
        })?;
        Ok(traffic.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn layer(
        &self,
        needed: &Needed<'_>,
        compressing: &Mutex<()>,
        traffic: &Mutex<Traffic>,
        progress: &Download<'_>,
    ) -> Result<()> {
        let count = |change: &dyn Fn(&mut Traffic)| change(&mut traffic.lock().unwrap_or_else(PoisonError::into_inner));
        let packed = match (self.packed(needed.layer), self.dry_run) {
            (Some(packed), _) => packed,
            (None, true) => {
                count(&|traffic| traffic.missing += 1);
                return Ok(());
            }
            (None, false) => {
                count(&|traffic| traffic.compressed += 1);
                self.compress(needed.layer, compressing)?
            }
        };
        let (mut have, mut lack) = (Vec::new(), Vec::new());
        for &name in &needed.repositories {
            match self.repository_of(name).has(&packed.digest, packed.size)? {
                true => have.push(name),
                false => lack.push(name),
            }
        }
        count(&|traffic| traffic.there += have.len());
        if self.dry_run {
            count(&|traffic| traffic.missing += lack.len());
            return Ok(());
        }
        for name in lack {
            let neighbour = have.first().copied().or(needed.neighbour);
            let neighbour = neighbour.map(|name| self.registry.address().repository(name));
            let how = self.send(name, neighbour.as_deref(), needed.layer, &packed, compressing, progress)?;
            count(&|traffic| match &how {
                How::There => traffic.there += 1,
                How::Mounted(_) => traffic.mounted += 1,
                How::Sent { from } => {
                    traffic.sent += 1;
                    traffic.bytes += packed.size - from;
                    traffic.resumed += from;
                }
            });
            have.push(name);
        }
        Ok(())
    }

    fn send(
        &self,
        name: &str,
        neighbour: Option<&str>,
        layer: &Descriptor,
        packed: &Packed,
        compressing: &Mutex<()>,
        progress: &Download<'_>,
    ) -> Result<How> {
        let repository = self.registry.repository(name);
        let mut damaged = false;
        loop {
            if !packed.is_there() {
                let again = self.compress(layer, compressing)?;
                if again != *packed {
                    bail!(
                        "{} gives other bytes than before: expected {}, found {}\nrun the push again",
                        self.form,
                        packed.digest,
                        again.digest
                    );
                }
            }
            let blob = Blob { digest: packed.digest, size: packed.size, path: packed.path.clone() };
            match repository.push(&blob, neighbour, &self.sessions, &self.limits, progress) {
                // The registry has compared it: what is kept here may have been damaged.
                Err(Error::OtherBytes { .. }) if !damaged && packed.read()? != packed.digest => {
                    if self.form == Form::Plain {
                        bail!("{} was damaged\nto build it again: cargo xtask store verify --repair", packed.path);
                    }
                    self.board.say(&format!("damaged   {}: compressing it again", packed.path));
                    self.kept.remove(self.form, &layer.digest)?;
                    damaged = true;
                }
                result => return Ok(result?),
            }
        }
    }

    /// Compresses a layer with all processors, so one at a time. The layer is compared with its digest on the way.
    fn compress(&self, layer: &Descriptor, compressing: &Mutex<()>) -> Result<Packed> {
        let _one = compressing.lock().unwrap_or_else(PoisonError::into_inner);
        // Another repository's turn may have made it meanwhile.
        if let Some(packed) = self.kept.get(self.form, &layer.digest).filter(Packed::is_there) {
            return Ok(packed);
        }
        let step = self.board.step(&layer.digest.short(), "compressing");
        let threads = schedule::processors();
        let cancel = &self.machine.cancel;
        let mut layer_reader = self.layout.open_blob(layer)?;
        let mut reader = Stoppable { reader: &mut layer_reader, cancel };
        let made = match self.form {
            Form::Plain => bail!("a layer as it is needs no compressing"),
            Form::Gzip(level) => self.kept.make(self.form, &layer.digest, |out| {
                compress::gzip(&mut reader, out, level, threads)?;
                // The end is where the digest is compared.
                reader.read(&mut [0]).map(drop)
            }),
            Form::Zstd(level) => {
                if !zstd::is_built() {
                    self.board.say("cargo builds what compresses with zstd: once, a minute");
                }
                // The filter reads the file itself, so it is compared before.
                io::copy(&mut reader, &mut io::sink()).context("reading a layer")?;
                let path = self.layout.blob_path(&layer.digest);
                let file = File::open(&path).with_context(|| format!("reading {path}"))?;
                let mut packed = zstd::filter(file, &["compress", &level.to_string()])?;
                self.kept.make(self.form, &layer.digest, |out| {
                    io::copy(&mut Stoppable { reader: &mut packed, cancel }, out).map(drop)
                })
            }
        };
        drop(step);
        let made = made.with_context(|| format!("compressing the layer {}", layer.digest));
        made.with_context(|| format!("keeping compressed layers in {}", self.kept.folder()))
    }
}

/// A reader that ends with an error once the run is interrupted.
struct Stoppable<'r, R> {
    reader: &'r mut R,
    cancel: &'r AtomicBool,
}

impl<R: Read> Read for Stoppable<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(io::Error::other("interrupted"));
        }
        self.reader.read(buffer)
    }
}
