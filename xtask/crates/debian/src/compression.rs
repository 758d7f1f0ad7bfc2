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

/// Large .xz files consist of blocks, which are decompressed side by side within bounds of memory.
fn xz<R: Read>(inner: R, threads: u32) -> io::Result<liblzma::read::XzDecoder<R>> {
    /// Above this the decoder falls back to fewer threads; the largest packages of two need 60 MB.
    const MEMORY: u64 = 96 << 20;
    let stream = liblzma::stream::MtStreamBuilder::new()
        .threads(threads.max(1))
        .memlimit_threading(MEMORY)
        .memlimit_stop(u64::MAX)
        .decoder()?;
    Ok(liblzma::read::XzDecoder::new_stream(inner, stream))
}
