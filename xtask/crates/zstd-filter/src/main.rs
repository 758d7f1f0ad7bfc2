//! Standard input, compressed or decompressed with Zstandard, on standard output.
//!
//! `zstd-filter compress LEVEL` and `zstd-filter decompress`. A program of its own, so that only those wait for the C
//! library to be built who want it: `cargo xtask push --compression zstd` starts it through cargo.

use std::{
    env,
    io::{self, Read, Write},
    process::ExitCode,
    thread,
};

/// The library gives the same bytes for every number of workers but none: with none they are others.
const FEWEST_WORKERS: u32 = 1;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let (input, output) = (io::stdin().lock(), io::stdout().lock());
    let result = match words.as_slice() {
        ["compress", level] => match level.parse() {
            Ok(level @ 1..=19) => compress(input, output, level, workers()),
            _ => Err(io::Error::other(format!("expected a level from 1 to 19, found `{level}`"))),
        },
        ["decompress"] => zstd::stream::copy_decode(input, output),
        _ => Err(io::Error::other("expected `compress LEVEL` or `decompress`")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("zstd-filter: {error}");
            ExitCode::FAILURE
        }
    }
}

fn workers() -> u32 {
    let processors = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    u32::try_from(processors).unwrap_or(FEWEST_WORKERS).min(16)
}

fn compress(mut input: impl Read, output: impl Write, level: i32, workers: u32) -> io::Result<()> {
    let mut encoder = zstd::Encoder::new(output, level)?;
    encoder.include_checksum(true)?;
    encoder.multithread(workers.max(FEWEST_WORKERS))?;
    io::copy(&mut input, &mut encoder)?;
    encoder.finish()?.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(length: u32) -> Vec<u8> {
        let noise = |n: u32| (n.wrapping_mul(2_654_435_761) >> 24) as u8;
        (0..length).map(|n| if n % 4096 < 2048 { noise(n) } else { (n / 4096) as u8 }).collect()
    }

    #[test]
    fn the_result_does_not_depend_on_the_workers() {
        for length in [0, 1, 20_000_000] {
            let bytes = sample(length);
            let packed = |workers| {
                let mut out = Vec::new();
                compress(&bytes[..], &mut out, 3, workers).unwrap();
                out
            };
            let one = packed(1);
            assert!(one == packed(2) && one == packed(5), "{length} bytes");
            assert!(zstd::stream::decode_all(&one[..]).unwrap() == bytes);
        }
    }

    #[test]
    fn what_was_cut_or_changed_is_an_error() {
        let mut packed = Vec::new();
        compress(&sample(3_000_000)[..], &mut packed, 3, 2).unwrap();
        assert!(zstd::stream::decode_all(&packed[..packed.len() - 1]).is_err());
        let last = packed.len() - 1;
        packed[last] ^= 1;
        assert!(zstd::stream::decode_all(&packed[..]).is_err());
    }
}
