//! The files of many packages, decompressed side by side and handed over one package after the other.
//!
//! The order of what comes out is the order of the packages, whatever thread is faster; what waits for its turn is
//! bound by a budget of memory.

use std::{
    io::{self, Read},
    sync::{
        Condvar, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use super::writer::Meta;
use crate::deb::{self, Deb, DebError};

/// Bytes that may wait for their turn, over all packages.
const BUDGET: usize = 16 << 20;
/// The part of the budget that only the package whose turn it is may use.
const RESERVE: usize = 4 << 20;
/// Bytes handed over at once, at most.
const CHUNK: usize = 256 << 10;
/// Packages that are decompressed at once, at most: each has a window of 8 MB, and the largest package, nearly half of all
/// bytes in the base, takes longer than other threads take for the rest.
const THREADS: usize = 4;

/// An entry of a package's data archive.
#[derive(Debug)]
pub(super) struct Entry {
    /// The path as it stands in the package.
    pub(super) path: String,
    pub(super) meta: Meta,
    pub(super) kind: EntryKind,
}

/// What an [`Entry`] is.
#[derive(Debug)]
pub(super) enum EntryKind {
    Directory,
    File(u64),
    Link(String),
    HardLink(String),
    /// A device, a pipe: the tar type that stands in the package.
    Other(u8),
}

enum Event {
    Entry(Entry),
    Data(Vec<u8>),
    End(Result<(), DebError>),
}

/// The entries of one package, to be read in turn.
pub(super) struct Entries<'a> {
    index: usize,
    events: &'a Receiver<Event>,
    budget: &'a Budget,
    chunk: Vec<u8>,
    at: usize,
    failed: Option<DebError>,
}

impl Entries<'_> {
    /// The next entry, or none at the end of the package. What is left of the last file is skipped.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, DebError> {
        (self.chunk, self.at) = (Vec::new(), 0);
        loop {
            match self.event() {
                Some(Event::Entry(entry)) => return Ok(Some(entry)),
                Some(Event::Data(_)) => {}
                Some(Event::End(result)) => return result.map(|()| None),
                None => return Ok(None),
            }
        }
    }

    /// Why reading ended early, if it did.
    pub(super) fn failure(&mut self) -> Option<DebError> {
        self.failed.take()
    }

    fn event(&mut self) -> Option<Event> {
        let event = self.events.recv().ok()?;
        if let Event::Data(chunk) = &event {
            self.budget.release(self.index, chunk.len());
        }
        Some(event)
    }
}

/// The bytes of the file that [`Entries::next`] gave last. Its size bounds how much may be read.
impl Read for Entries<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.chunk.len() {
            (self.chunk, self.at) = match self.event() {
                Some(Event::Data(chunk)) => (chunk, 0),
                Some(Event::End(Err(error))) => {
                    self.failed = Some(error);
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                _ => return Err(io::ErrorKind::UnexpectedEof.into()),
            };
        }
        let count = buffer.len().min(self.chunk.len() - self.at);
        buffer[..count].copy_from_slice(&self.chunk[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

/// Calls `each` with the entries of each package, in the order of `debs`.
///
/// # Errors
/// The first error of `each`; the packages behind it are not read to their end.
pub(super) fn for_each<E>(
    debs: &[&Deb],
    mut each: impl FnMut(usize, &mut Entries<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS);
    let budget = Budget::new(debs.len());
    let (senders, receivers): (Vec<_>, Vec<_>) = debs.iter().map(|_| channel()).unzip();
    let work = Mutex::new(debs.iter().zip(senders).enumerate());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !budget.is_closed() {
                    let next = work.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((index, (deb, sender))) = next else { return };
                    produce(deb, &Sink { index, sender, budget: &budget });
                }
            });
        }
        let mut consume = || {
            for (index, events) in receivers.iter().enumerate() {
                budget.turn(index);
                let mut entries = Entries { index, events, budget: &budget, chunk: Vec::new(), at: 0, failed: None };
                each(index, &mut entries)?;
            }
            Ok(())
        };
        let result = consume();
        budget.close();
        result
    })
}

/// Reads one package into its sink. That nobody listens any more is no error: the listener has one.
fn produce(deb: &Deb, sink: &Sink<'_>) {
    let result = deb::read_data(deb, |data| {
        let mut archive = tar::Archive::new(data);
        for entry in archive.entries()? {
            let mut entry = entry?;
            let head = head(&mut entry)?;
            let mut left = if let EntryKind::File(size) = head.kind { size } else { 0 };
            sink.send(Event::Entry(head))?;
            while left > 0 {
                let mut chunk = vec![0; CHUNK.min(usize::try_from(left).unwrap_or(CHUNK))];
                entry.read_exact(&mut chunk)?;
                left -= chunk.len() as u64;
                sink.budget.acquire(sink.index, chunk.len());
                sink.send(Event::Data(chunk))?;
            }
        }
        Ok(())
    });
    // The listener may have gone because of an error of its own.
    let _ = sink.sender.send(Event::End(result));
}

fn head(entry: &mut tar::Entry<'_, impl Read>) -> io::Result<Entry> {
    let text = |bytes: &[u8]| {
        String::from_utf8(bytes.to_vec())
            .map_err(|_| io::Error::other(format!("`{}` is not UTF-8", String::from_utf8_lossy(bytes))))
    };
    let header = entry.header();
    let meta = Meta { mode: header.mode()? & 0o7777, uid: header.uid()?, gid: header.gid()? };
    let target = entry.link_name_bytes().map(|bytes| text(&bytes)).transpose()?.unwrap_or_default();
    let kind = match header.entry_type() {
        tar::EntryType::Regular | tar::EntryType::Continuous => EntryKind::File(entry.size()),
        tar::EntryType::Directory => EntryKind::Directory,
        tar::EntryType::Symlink => EntryKind::Link(target),
        tar::EntryType::Link => EntryKind::HardLink(target),
        other => EntryKind::Other(other.as_byte()),
    };
    Ok(Entry { path: text(&entry.path_bytes())?, meta, kind })
}

struct Sink<'a> {
    index: usize,
    sender: Sender<Event>,
    budget: &'a Budget,
}

impl Sink<'_> {
    fn send(&self, event: Event) -> io::Result<()> {
        if self.budget.is_closed() {
            return Err(io::Error::other("nobody reads this package any more"));
        }
        self.sender.send(event).map_err(|_| io::Error::other("nobody reads this package any more"))
    }
}

/// Bounds the bytes that wait. The package whose turn it is can always go on, so that nobody waits for ever.
struct Budget {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// Bytes that wait, over all packages.
    used: usize,
    /// Bytes that wait, of each package.
    held: Vec<usize>,
    turn: usize,
    closed: bool,
}

impl Budget {
    fn new(packages: usize) -> Self {
        let state = State { used: 0, held: vec![0; packages], turn: 0, closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn acquire(&self, index: usize, bytes: usize) {
        let full = |state: &mut State| {
            let (limit, starved) = match state.turn == index {
                true => (BUDGET, state.held[index] == 0),
                false => (BUDGET - RESERVE, false),
            };
            state.used + bytes > limit && !starved && !state.closed
        };
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.changed.wait_while(state, full).unwrap_or_else(PoisonError::into_inner);
        state.used += bytes;
        state.held[index] += bytes;
    }

    fn release(&self, index: usize, bytes: usize) {
        self.change(|state| {
            state.used -= bytes;
            state.held[index] -= bytes;
        });
    }

    fn turn(&self, index: usize) {
        self.change(|state| state.turn = index);
    }

    fn close(&self) {
        self.change(|state| state.closed = true);
    }

    fn is_closed(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).closed
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }
}
