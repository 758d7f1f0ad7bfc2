//! The compressions of Debian's archives: .xz, .gz and none.

use std::io::{self, Read};

/// A decoder for a file whose name ends so, with at most `threads` threads where the format allows for it. None for a
/// compression that is not read here.
pub(crate) fn decoder<'r>(suffix: &str, inner: impl Read + 'r, threads: u32) -> io::Result<Option<Box<dyn Read + 'r>>> {
    Ok(match suffix {
        "" => Some(Box::new(inner)),
        ".gz" => Some(Box::new(flate2::read::GzDecoder::new(inner))),
        ".xz" => Some(Box::new(xz(inner, threads)?)),
        _ => None,
    })
}

/// Large .xz files consist of blocks, which threads decompress side by side; their decoder keeps whole blocks, 24 MB each
/// as Debian compresses, packed and unpacked. The decoder of one thread keeps the window of its data and no more: 8 MB.
fn xz<R: Read>(inner: R, threads: u32) -> io::Result<liblzma::read::XzDecoder<R>> {
    /// Above this the decoder falls back to fewer threads.
    const MEMORY: u64 = 96 << 20;
    // With one thread, too, the decoder of `MtStreamBuilder` keeps whole blocks.
    let stream = match threads {
        0 | 1 => liblzma::stream::Stream::new_stream_decoder(u64::MAX, 0)?,
        _ => liblzma::stream::MtStreamBuilder::new()
            .threads(threads)
            .memlimit_threading(MEMORY)
            .memlimit_stop(u64::MAX)
            .decoder()?,
    };
    Ok(liblzma::read::XzDecoder::new_stream(inner, stream))
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, io::Write as _};

    use super::*;

    /// Counts what was read.
    struct Counting<'a>(&'a [u8], &'a Cell<usize>);

    impl Read for Counting<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.0.read(buffer)?;
            self.1.set(self.1.get() + count);
            Ok(count)
        }
    }

    #[test]
    fn one_thread_holds_no_whole_block() {
        const BLOCK: usize = 1 << 20;
        // Bytes that nothing makes smaller, so that what was read and what came of it can be compared.
        let mut state = 1_u64;
        let mut noise = Vec::new();
        while noise.len() < 2 * BLOCK {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            noise.extend_from_slice(&state.to_le_bytes());
        }
        let blocks = liblzma::stream::MtStreamBuilder::new().threads(1).preset(0).block_size(BLOCK as u64).encoder();
        let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), blocks.unwrap());
        encoder.write_all(&noise).unwrap();
        let packed = encoder.finish().unwrap();

        let taken = Cell::new(0);
        let mut decoder = decoder(".xz", Counting(&packed, &taken), 1).unwrap().unwrap();
        let mut out = vec![0; 64 << 10];
        for (at, expected) in noise.chunks(out.len()).enumerate() {
            decoder.read_exact(&mut out).unwrap();
            assert!(out == expected, "chunk {at}");
            let ahead = taken.get().saturating_sub((at + 1) * out.len());
            assert!(ahead < 256 << 10, "{ahead} bytes are held behind chunk {at}");
        }
        assert_eq!(decoder.read(&mut out).unwrap(), 0);
    }
}
