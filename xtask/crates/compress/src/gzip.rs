//! gzip on all processors.
//!
//! The input is cut into blocks of one size. Each is compressed for itself up to a byte boundary (a "sync flush"), and
//! the results stand one after the other in one gzip member: every decompressor reads it, and it does not show how many
//! threads made it.

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    num::NonZeroUsize,
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel, sync_channel},
    },
    thread,
};

use flate2::{Compress, Compression, Crc, FlushCompress, Status, read::MultiGzDecoder};

/// Bytes of a block. Larger ones gain under half a percent; it is part of what the result depends on.
const BLOCK: usize = 1 << 20;
/// RFC 1952: no name, no time, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// A last block of nothing (RFC 1951, fixed codes).
const END: [u8; 2] = [0x03, 0x00];
/// More threads only wait for the reader.
const MAX_THREADS: usize = 16;

/// A block that was compressed.
struct Done {
    bytes: Vec<u8>,
    crc: Crc,
}

type Job = (Vec<u8>, Sender<io::Result<Done>>);

/// Compresses all of `reader` into `writer` with `threads` threads. Memory: some 4 MiB for each.
///
/// # Errors
/// Reading or writing failed.
pub fn gzip(reader: &mut dyn Read, writer: &mut dyn Write, level: u32, threads: NonZeroUsize) -> io::Result<()> {
    let threads = threads.get().min(MAX_THREADS);
    let (jobs, queue) = sync_channel::<Job>(threads);
    let queue = Mutex::new(queue);
    thread::scope(|scope| {
        // Moved in, so that the workers end when this function does, whatever its reason.
        let jobs = jobs;
        for _ in 0..threads {
            scope.spawn(|| work(&queue, level));
        }
        writer.write_all(&HEADER)?;
        let mut crc = Crc::new();
        let mut waiting: VecDeque<Receiver<io::Result<Done>>> = VecDeque::new();
        let write = |done: Receiver<io::Result<Done>>, crc: &mut Crc, writer: &mut dyn Write| -> io::Result<()> {
            let done = done.recv().map_err(|_| io::Error::other("a thread that compresses ended"))??;
            crc.combine(&done.crc);
            writer.write_all(&done.bytes)
        };
        loop {
            let mut block = Vec::with_capacity(BLOCK);
            (&mut *reader).take(BLOCK as u64).read_to_end(&mut block)?;
            if block.is_empty() {
                break;
            }
            let (answer, done) = channel();
            jobs.send((block, answer)).map_err(|_| io::Error::other("no thread compresses"))?;
            waiting.push_back(done);
            if waiting.len() > threads
                && let Some(done) = waiting.pop_front()
            {
                write(done, &mut crc, writer)?;
            }
        }
        drop(jobs);
        for done in waiting {
            write(done, &mut crc, writer)?;
        }
        writer.write_all(&END)?;
        writer.write_all(&crc.sum().to_le_bytes())?;
        writer.write_all(&crc.amount().to_le_bytes())
    })
}

fn work(queue: &Mutex<Receiver<Job>>, level: u32) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((block, answer)) = job else { return };
        // Nobody waits for it any more if the reader or writer failed.
        let _ = answer.send(deflate(&block, level));
    }
}

fn deflate(block: &[u8], level: u32) -> io::Result<Done> {
    let mut crc = Crc::new();
    crc.update(block);
    let mut compress = Compress::new(Compression::new(level), false);
    // What cannot be compressed grows by 5 bytes for each 16 KiB.
    let mut bytes = Vec::with_capacity(block.len() + block.len() / 1024 + 1024);
    loop {
        let rest = &block[compress.total_in() as usize..];
        let before = compress.total_out();
        let status = compress.compress_vec(rest, &mut bytes, FlushCompress::Sync).map_err(io::Error::other)?;
        // A flush is complete when there was room left after it.
        if compress.total_in() == block.len() as u64 && bytes.len() < bytes.capacity() {
            return Ok(Done { bytes, crc });
        }
        if status == Status::BufError && compress.total_out() == before && bytes.len() < bytes.capacity() {
            return Err(io::Error::other("the compressor makes no progress"));
        }
        bytes.reserve(64 * 1024);
    }
}

/// Decompresses gzip. The checksums are compared on the way.
pub fn gunzip<'r>(reader: impl Read + Send + 'r) -> Box<dyn Read + Send + 'r> {
    Box::new(MultiGzDecoder::new(reader))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(bytes: &[u8], level: u32, threads: usize) -> Vec<u8> {
        let mut out = Vec::new();
        gzip(&mut &*bytes, &mut out, level, NonZeroUsize::new(threads).unwrap()).unwrap();
        out
    }

    /// Half noise, half repetition.
    fn sample(length: usize) -> Vec<u8> {
        (0..length as u32)
            .map(|n| if n % 4096 < 2048 { (n.wrapping_mul(2_654_435_761) >> 24) as u8 } else { (n / 4096) as u8 })
            .collect()
    }

    #[test]
    fn what_is_packed_is_unpacked_and_does_not_depend_on_the_threads() {
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 12_345] {
            let bytes = sample(length);
            for level in [1, 6, 9] {
                let one = packed(&bytes, level, 1);
                let mut back = Vec::new();
                gunzip(&one[..]).read_to_end(&mut back).unwrap();
                assert!(back == bytes, "{length} bytes, level {level}");
                assert!(one == packed(&bytes, level, 7), "{length} bytes, level {level}");
            }
        }
    }

    #[test]
    fn the_bytes_are_those_of_every_other_machine() {
        // If a new version of the compressor moves this digest, every layer in every registry is pushed anew: say so in
        // the changelog.
        let digest = blob::Digest::of(&packed(&sample(3 * BLOCK + 7), 6, 2)).to_string();
        assert_eq!(digest, "sha256:065f01cb2ac789bddd6d99f9c91310ec792c98950de3cf955f0a594280814a6e");
    }

    #[test]
    fn what_was_cut_or_changed_is_an_error() {
        let whole = packed(&sample(2 * BLOCK), 6, 2);
        let read = |bytes: &[u8]| gunzip(bytes).read_to_end(&mut Vec::new());
        assert!(read(&whole[..whole.len() - 1]).is_err());
        let mut changed = whole.clone();
        let last = changed.len() - 6;
        changed[last] ^= 1;
        assert!(read(&changed).is_err());
    }

    #[test]
    fn a_reader_that_fails_ends_it() {
        struct Fails(usize);
        impl Read for Fails {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0 += 1;
                if self.0 > 40 { Err(io::Error::other("no more")) } else { Ok(buffer.len().min(100_000)) }
            }
        }
        let error = gzip(&mut Fails(0), &mut Vec::new(), 6, NonZeroUsize::new(3).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "no more");
    }
}
