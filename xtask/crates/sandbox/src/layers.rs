//! The folder where each layer is unpacked once.
//!
//! ```text
//! <folder>/<kind>/<diff_id in hex>/root          what overlayfs gets
//! <folder>/<kind>/<diff_id in hex>/record.json   true owners and modes
//! <folder>/<kind>/.unpacking-<diff_id in hex>    being filled; whoever was killed leaves it, the next one removes it
//! <folder>/<kind>/.lock-<diff_id in hex>
//! ```
//! A layer gets its name by a rename after its digest was found right and its bytes were synced: a name is a whole layer.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, BufReader},
    os::unix::fs::DirBuilderExt,
    sync::Arc,
};

use blob::{Digest, HashingReader};
use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    Error, Root,
    record::Record,
    root::Layer,
    tree,
    unpack::{BUFFER, unpack},
};

/// A folder of unpacked layers. Several processes may use it at once.
#[derive(Debug, Clone)]
pub struct Layers {
    folder: Utf8PathBuf,
    owned: bool,
}

impl Layers {
    /// The layers below `folder`, which is made if it is missing. With `owned`, files get their true owners, which only
    /// root can do; a sandbox knows which it needs ([`Sandbox::layers`](crate::Sandbox::layers)). The two kinds lie in
    /// folders of their own, so that one cache may serve root and others.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(folder: &Utf8Path, owned: bool) -> Result<Self, Error> {
        let folder = folder.join(if owned { "owned" } else { "mapped" });
        // Nobody else may reach in: an image may hold set-id programs.
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(Error::io("making", &folder))?;
        let folder = folder.canonicalize_utf8().map_err(Error::io("resolving", &folder))?;
        Ok(Self { folder, owned })
    }

    /// Whether the layer is unpacked.
    pub fn has(&self, diff_id: Digest) -> bool {
        self.folder.join(diff_id.hex()).exists()
    }

    /// Makes sure that the layer `diff_id` is unpacked, from its uncompressed tar file. The bytes are verified while they
    /// are read. One process unpacks a layer, others wait for it. Returns whether there was anything to do.
    ///
    /// Extended attributes of the archive are not kept, and devices below `dev/` are left out.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the bytes have another digest, [`Error::Entry`] if an entry cannot be unpacked; nothing is
    /// kept then.
    pub fn unpack(&self, diff_id: Digest, tar: &Utf8Path) -> Result<bool, Error> {
        let done = self.folder.join(diff_id.hex());
        if done.exists() {
            return Ok(false);
        }
        let lock = self.folder.join(format!(".lock-{}", diff_id.hex()));
        let _lock = File::create(&lock).and_then(tree::lock).map_err(Error::io("locking", &lock))?;
        if done.exists() {
            return Ok(false);
        }
        let temporary = self.folder.join(format!(".unpacking-{}", diff_id.hex()));
        tree::remove(&temporary).map_err(Error::io("removing", &temporary))?;
        let result = self.fill(&temporary, diff_id, tar).and_then(|()| {
            fs::rename(&temporary, &done).map_err(Error::io("naming", &done))?;
            File::open(&self.folder).and_then(|it| it.sync_all()).map_err(Error::io("syncing", &self.folder))
        });
        if result.is_err() {
            // The first error is the one to tell; what cannot be removed now is removed by the next unpack.
            let _ = tree::remove(&temporary);
        }
        result.map(|()| true)
    }

    /// Unpacks and verifies into `folder`, and syncs it.
    fn fill(&self, folder: &Utf8Path, diff_id: Digest, tar: &Utf8Path) -> Result<(), Error> {
        let root = folder.join("root");
        fs::create_dir_all(&root).map_err(Error::io("making", &root))?;
        let file = File::open(tar).map_err(Error::io("opening", tar))?;
        let mut bytes = BufReader::with_capacity(BUFFER, HashingReader::new(file));
        let mut record = Record::new(diff_id);
        let unpacked = unpack(&mut bytes, &root, self.owned, &mut record);
        // An archive that is not what it should be fails in strange ways: its digest is the better message.
        let mut bytes = bytes.into_inner();
        io::copy(&mut bytes, &mut io::sink()).map_err(Error::io("reading", tar))?;
        let (found, _) = bytes.finish();
        if found != diff_id {
            return Err(Error::Corrupt { path: tar.to_owned(), expected: diff_id, found });
        }
        unpacked.map_err(|p| Error::Entry { path: tar.to_owned(), entry: p.entry, problem: p.problem })?;
        let json = serde_json::to_vec(&record).map_err(io::Error::from);
        let file = folder.join("record.json");
        json.and_then(|json| fs::write(&file, json)).map_err(Error::io("writing", &file))?;
        let synced = File::open(folder).and_then(|folder| Ok(rustix::fs::syncfs(folder)?));
        synced.map_err(Error::io("syncing", folder))
    }

    /// The root file system that these layers make, the lowest first.
    ///
    /// # Errors
    /// [`Error::Missing`] if one is not unpacked; the folder of one cannot be read.
    pub fn root(&self, diff_ids: &[Digest]) -> Result<Root, Error> {
        if diff_ids.is_empty() {
            return Err(Error::Spec("a root file system needs one layer at least".to_owned()));
        }
        // A layer that comes again brings all that it brought before, and overlayfs takes no folder twice.
        let last = |&(place, diff_id): &(usize, &Digest)| !diff_ids[place + 1..].contains(diff_id);
        let distinct = diff_ids.iter().enumerate().filter(last);
        let layers: Result<Vec<Layer>, Error> = distinct.map(|(_, &diff_id)| self.layer(diff_id)).collect();
        Ok(Root::new(layers?.into_iter().map(Arc::new).collect()))
    }

    fn layer(&self, diff_id: Digest) -> Result<Layer, Error> {
        let folder = self.folder.join(diff_id.hex());
        let file = folder.join("record.json");
        let json = fs::read(&file).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::Missing { diff_id, folder: self.folder.clone() },
            _ => Error::io("reading", &file)(error),
        })?;
        let record = serde_json::from_slice(&json).map_err(|error| Error::io("reading", &file)(error.into()))?;
        Ok(Layer { folder: folder.join("root"), record })
    }
}
