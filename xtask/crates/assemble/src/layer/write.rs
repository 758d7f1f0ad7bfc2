//! Writing layers: source -> tar -> digest -> blob, in one pass.
//!
//! Two threads share the work of one layer. One reads the sources, compares every file with its promise and lays out the
//! archive; the other hashes and writes the archive. A few buffers go round between them, so that memory is bounded
//! however large a file is. Several layers are written at once, the largest first.

use std::{
    io::{self, Read, Write},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use blob::{Digest, Pending};

use super::{header, plan::Plan, record, tree::Body};
use crate::{
    error::{Error, Result},
    layout::Layout,
    source::{Reader, Sink},
};

/// The size of a buffer, and how many of them one layer has.
const BUFFER: usize = 256 * 1024;
const BUFFERS: usize = 4;

/// A layer that is in the layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    /// The digest of the uncompressed layer, which is the digest of its blob.
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    /// Whether it was there before.
    pub(crate) cached: bool,
}

/// Makes sure that all these layers are in the layout, writing `jobs` of them at once.
pub(crate) fn write_all(layout: &Layout, plans: &[&Plan], jobs: usize) -> Result<Vec<Written>> {
    let mut order: Vec<usize> = (0..plans.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(plans[index].weight()));
    let results: Vec<Mutex<Option<Result<Written>>>> = plans.iter().map(|_| Mutex::default()).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(&index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = write(layout, plans[index]);
            // No new layer is begun after a failure.
            if result.is_err() {
                next.store(order.len(), Ordering::Relaxed);
            }
            *results[index].lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(result);
        }
    };
    thread::scope(|scope| {
        for _ in 1..jobs.clamp(1, plans.len().max(1)) {
            scope.spawn(work);
        }
        work();
    });
    // After a failure some layers have no result; the failure comes first, wherever it stands.
    let mut written = Vec::new();
    let mut failure = None;
    for result in results {
        match result.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()) {
            Some(Ok(layer)) => written.push(layer),
            Some(Err(error)) => failure = failure.or(Some(error)),
            None => {}
        }
    }
    failure.map_or(Ok(written), Err)
}

/// Makes sure that a layer is in the layout.
fn write(layout: &Layout, plan: &Plan) -> Result<Written> {
    let found = || -> Result<Option<Written>> {
        Ok(record::find(layout, &plan.key)?.map(|(digest, size)| Written { digest, size, cached: true }))
    };
    if let Some(written) = found()? {
        return Ok(written);
    }
    let _ours = layout.lock_layer(&plan.key)?;
    // Whoever held the lock has written it.
    if let Some(written) = found()? {
        return Ok(written);
    }
    let pending = layout.pending()?;
    let (full, filled) = sync_channel(BUFFERS);
    let (empty, emptied) = sync_channel(BUFFERS);
    let buffer = || Buffer { bytes: vec![0; BUFFER].into(), filled: 0 };
    for _ in 1..BUFFERS {
        let _ = empty.send(buffer());
    }
    let (offsets, pending) = thread::scope(|scope| {
        let writer = scope.spawn(|| drain(layout, pending, filled, empty));
        let laid_out = lay_out(plan, Tar { full, emptied, buffer: buffer(), position: 0 });
        // A failure of the writer is the cause of the reader's, who then finds nobody at the other end.
        let pending = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok::<_, Error>((laid_out?, pending))
    })?;
    let (digest, size) = layout.adopt(pending)?;
    record::store(layout, plan, digest, &offsets)?;
    Ok(Written { digest, size, cached: false })
}

/// Hashes and writes buffers until there are no more.
fn drain(layout: &Layout, mut pending: Pending, full: Receiver<Buffer>, empty: SyncSender<Buffer>) -> Result<Pending> {
    for mut buffer in full {
        pending.write_all(&buffer.bytes[..buffer.filled]).map_err(Error::io("writing a layer in", layout.root()))?;
        buffer.filled = 0;
        let _ = empty.send(buffer);
    }
    Ok(pending)
}

/// Reads the sources and lays out the archive. Says where behind each entry's header its bytes begin.
fn lay_out(plan: &Plan, mut tar: Tar) -> Result<Vec<u64>> {
    let failed = |error| Error::io("writing", "a layer")(error);
    let mut reader = Reader::default();
    let mut offsets = Vec::with_capacity(plan.entries.len());
    let mut block = Vec::new();
    for planned in &plan.entries {
        block.clear();
        header::write(planned, &mut block);
        tar.put(&block).map_err(failed)?;
        offsets.push(tar.position);
        if let (None, Body::File(file)) = (&planned.link, &planned.node.body) {
            reader.read(&planned.path, &file.content, file.promise(), &mut tar)?;
            block.clear();
            header::pad(&mut block, file.size);
            tar.put(&block).map_err(failed)?;
        }
    }
    // Two empty blocks end an archive.
    tar.put(&[0; 1024]).map_err(failed)?;
    tar.pass_on().map_err(failed)?;
    Ok(offsets)
}

/// A piece of an archive. Its bytes are all initialised once, since filling them again and again would cost more than
/// reading into them.
struct Buffer {
    bytes: Box<[u8]>,
    filled: usize,
}

/// The archive as it goes to the writer, in buffers.
struct Tar {
    full: SyncSender<Buffer>,
    emptied: Receiver<Buffer>,
    buffer: Buffer,
    /// How many bytes the archive has so far.
    position: u64,
}

impl Tar {
    fn put(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let mut left = bytes.len();
        while left > 0 {
            left -= self.take(&mut bytes, left)?.len();
        }
        Ok(())
    }

    /// Gives the buffer to the writer and takes an empty one. Fails when the writer has failed.
    fn pass_on(&mut self) -> io::Result<()> {
        let next = self.emptied.recv().map_err(|_| io::ErrorKind::BrokenPipe)?;
        let full = std::mem::replace(&mut self.buffer, next);
        self.full.send(full).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Sink for Tar {
    fn take(&mut self, reader: &mut dyn Read, limit: usize) -> io::Result<&[u8]> {
        if self.buffer.filled == self.buffer.bytes.len() {
            self.pass_on()?;
        }
        let before = self.buffer.filled;
        let after = self.buffer.bytes.len().min(before.saturating_add(limit));
        let count = reader.read(&mut self.buffer.bytes[before..after])?;
        self.buffer.filled += count;
        self.position += count as u64;
        Ok(&self.buffer.bytes[before..before + count])
    }
}
