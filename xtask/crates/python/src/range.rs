//! A reader that fetches a remote file by ranges, so that a wheel of gigabytes gives up its metadata for a few kilobytes.
//!
//! It opens no socket itself: the caller brings the function that gets a range.

use std::{
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
};

/// How much is asked for at least: the directory of a zip file lies at its end, and is seldom larger.
const CHUNK: u64 = 64 * 1024;

/// Reads and seeks in a file of known size, of which `fetch` gives any range of bytes.
pub struct RangeReader<F> {
    fetch: F,
    size: u64,
    position: u64,
    chunk_start: u64,
    chunk: Vec<u8>,
}

impl<F: FnMut(Range<u64>) -> io::Result<Vec<u8>>> RangeReader<F> {
    /// A reader of a file of `size` bytes. `fetch` answers with exactly the bytes of the range that it is given.
    pub fn new(size: u64, fetch: F) -> Self {
        Self { fetch, size, position: 0, chunk_start: 0, chunk: Vec::new() }
    }

    fn chunk_end(&self) -> u64 {
        self.chunk_start + self.chunk.len() as u64
    }

    fn fetch_chunk(&mut self) -> io::Result<()> {
        // Near the end all of the end is taken at once, because a zip file is read from there.
        let start = if self.size - self.position < CHUNK { self.size.saturating_sub(CHUNK) } else { self.position };
        let range = start..(start + CHUNK).min(self.size);
        let chunk = (self.fetch)(range.clone())?;
        if chunk.len() as u64 != range.end - range.start {
            let message =
                format!("expected {} bytes from {}, found {}", range.end - range.start, range.start, chunk.len());
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
        }
        (self.chunk_start, self.chunk) = (start, chunk);
        Ok(())
    }
}

impl<F: FnMut(Range<u64>) -> io::Result<Vec<u8>>> Read for RangeReader<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.position >= self.size {
            return Ok(0);
        }
        if !(self.chunk_start..self.chunk_end()).contains(&self.position) {
            self.fetch_chunk()?;
        }
        let mut rest = &self.chunk[(self.position - self.chunk_start) as usize..];
        let read = rest.read(buffer)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl<F: FnMut(Range<u64>) -> io::Result<Vec<u8>>> Seek for RangeReader<F> {
    fn seek(&mut self, target: SeekFrom) -> io::Result<u64> {
        let position = match target {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.size.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_part_is_read_and_little_is_fetched() {
        let bytes: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
        let mut fetched = 0;
        let mut reader = RangeReader::new(bytes.len() as u64, |range| {
            fetched += range.end - range.start;
            Ok(bytes[range.start as usize..range.end as usize].to_vec())
        });
        for (target, at) in
            [(SeekFrom::End(-22), 299_978), (SeekFrom::Start(100_000), 100_000), (SeekFrom::Current(9), 100_019)]
        {
            assert_eq!(reader.seek(target).unwrap(), at);
            let mut part = [0; 10];
            reader.read_exact(&mut part).unwrap();
            assert_eq!(part, bytes[at as usize..][..10]);
        }
        assert!(reader.seek(SeekFrom::Current(-1_000_000)).is_err());
        drop(reader);
        assert_eq!(fetched, 2 * CHUNK);
        let mut all = Vec::new();
        RangeReader::new(bytes.len() as u64, |range| Ok(bytes[range.start as usize..range.end as usize].to_vec()))
            .read_to_end(&mut all)
            .unwrap();
        assert_eq!(all, bytes);
    }

    #[test]
    fn a_short_answer_is_an_error() {
        let mut reader = RangeReader::new(1000, |_| Ok(vec![0; 10]));
        let error = reader.read(&mut [0; 1]).unwrap_err().to_string();
        assert_eq!(error, "expected 1000 bytes from 0, found 10");
    }
}
