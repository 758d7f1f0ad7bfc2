//! Signed `InRelease` files, and the package indexes that they vouch for.
//!
//! Format: <https://wiki.debian.org/DebianRepository/Format#A.22Release.22_files>. A [`Release`] exists only of a file
//! whose signature was verified; an index only of bytes whose hash stands in one.

use std::{
    collections::BTreeMap,
    io::{self, Read},
};

use blob::Digest;

use crate::{
    compression,
    control::Stanza,
    openpgp::{Keyring, VerifyError},
};

/// What a release file must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected<'a> {
    /// Suite or code name, as it stands in the path below `dists/`: `bookworm-security`.
    pub suite: &'a str,
    /// The time, in seconds since 1970.
    pub now: u64,
    /// Whether a file counts whose validity is over, for mirrors that stand still. Keys must then have lived when they
    /// signed, and need not live now.
    pub accept_stale: bool,
}

/// A release file that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The suite (`oldstable-security`), which moves from release to release.
    pub suite: String,
    /// The code name (`bookworm-security`), which does not.
    pub codename: String,
    /// When it was made, in seconds since 1970.
    pub date: u64,
    /// Until when it is valid, in seconds since 1970. The main suites do not say.
    pub valid_until: Option<u64>,
    /// Ids of the keys whose signatures were verified.
    pub signers: Vec<u64>,
    /// Whether indexes can be had by their hash, which no update of the mirror changes.
    by_hash: bool,
    /// Digest and size of each file, by its path below the folder of the suite.
    files: BTreeMap<String, (Digest, u64)>,
}

/// A file of an archive that a release file vouches for: a package index in one of its compressions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexFile {
    /// Path below the folder of the suite: `main/binary-amd64/Packages.xz`.
    pub path: String,
    /// A path of the same bytes that does not change its meaning when the mirror is updated, if the archive has one.
    pub by_hash: Option<String>,
    /// Digest of the bytes.
    pub digest: Digest,
    /// Number of the bytes.
    pub size: u64,
    /// What the compression is told by.
    suffix: &'static str,
}

/// A release file that does not count, or an index that it does not vouch for.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The signature is missing or does not hold.
    #[error("verifying the signature of the release file of {suite}")]
    Signature {
        /// The suite that was expected.
        suite: String,
        /// What is wrong.
        #[source]
        source: VerifyError,
    },
    /// The file is of another suite.
    #[error("expected the release file of {expected}, found that of {suite} ({codename})")]
    Suite {
        /// The suite that was expected.
        expected: String,
        /// The suite of the file.
        suite: String,
        /// The code name of the file.
        codename: String,
    },
    /// The validity of the file is over.
    #[error("the release file of {suite} was valid until {valid_until}: use a fresher mirror, or accept a stale one")]
    Expired {
        /// The suite.
        suite: String,
        /// The end of its validity as it stands in the file.
        valid_until: String,
    },
    /// The file was made in the future.
    #[error(
        "the release file of {suite} was made on {date}, which is in the future: is the clock of this machine right?"
    )]
    Future {
        /// The suite.
        suite: String,
        /// When it was made as it stands in the file.
        date: String,
    },
    /// A field is missing or damaged.
    #[error("expected a valid field `{field}` in the release file of {suite}, found {found}")]
    Field {
        /// The suite that was expected.
        suite: String,
        /// The field.
        field: &'static str,
        /// What stands there.
        found: String,
    },
    /// The archive has no such index.
    #[error("{suite} has no index of the component {component} for {architecture}")]
    NoIndex {
        /// The suite.
        suite: String,
        /// The component that was asked for.
        component: String,
        /// The architecture that was asked for.
        architecture: String,
    },
    /// The bytes of an index are others than those that the release file vouches for.
    #[error("expected {size} bytes with {digest} as {path}, found {found_size} with {found}: fetch it again")]
    Index {
        /// The path of the index.
        path: String,
        /// The digest in the release file.
        digest: Digest,
        /// The size in the release file.
        size: u64,
        /// The digest of the bytes.
        found: Digest,
        /// The number of the bytes.
        found_size: u64,
    },
    /// An index cannot be decompressed.
    #[error("decompressing {path}")]
    Decompress {
        /// The path of the index.
        path: String,
        /// What the decoder says.
        #[source]
        source: io::Error,
    },
}

/// Seconds that the clock of this machine may go wrong.
const SKEW: u64 = 86_400;

/// Verifies an `InRelease` file.
///
/// # Errors
/// It is not signed by a key of the keyring, it is not what was expected, or it lacks a field.
pub fn verify(in_release: &[u8], keyring: &Keyring, expected: &Expected<'_>) -> Result<Release, ReleaseError> {
    let suite = || expected.suite.to_owned();
    let now = (!expected.accept_stale).then_some(expected.now);
    let verified = keyring.verify(in_release, now);
    let verified = verified.map_err(|source| ReleaseError::Signature { suite: suite(), source })?;
    let stanza = Stanza::new(&verified.text);
    let field = |field| {
        let missing = || ReleaseError::Field { suite: suite(), field, found: "none".into() };
        stanza.get(field).ok_or_else(missing)
    };
    let time = |name, text: &str| {
        let wrong = || ReleaseError::Field { suite: suite(), field: name, found: format!("`{text}`") };
        date(text).ok_or_else(wrong)
    };
    let release = Release {
        suite: field("Suite")?.to_owned(),
        codename: field("Codename")?.to_owned(),
        date: time("Date", field("Date")?)?,
        valid_until: stanza.get("Valid-Until").map(|text| time("Valid-Until", text)).transpose()?,
        signers: verified.signers,
        by_hash: stanza.get("Acquire-By-Hash") == Some("yes"),
        files: files(field("SHA256")?).map_err(|found| ReleaseError::Field {
            suite: suite(),
            field: "SHA256",
            found,
        })?,
    };
    if ![&release.suite, &release.codename].iter().any(|name| *name == expected.suite) {
        return Err(ReleaseError::Suite { expected: suite(), suite: release.suite, codename: release.codename });
    }
    if !expected.accept_stale {
        if release.valid_until.is_some_and(|until| until < expected.now) {
            return Err(ReleaseError::Expired { suite: suite(), valid_until: field("Valid-Until")?.to_owned() });
        }
        if release.date > expected.now + SKEW {
            return Err(ReleaseError::Future { suite: suite(), date: field("Date")?.to_owned() });
        }
    }
    Ok(release)
}

/// The lines of a checksum field: digest, size, path.
fn files(lines: &str) -> Result<BTreeMap<String, (Digest, u64)>, String> {
    let mut files = BTreeMap::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let wrong = || format!("the line `{line}`");
        let mut words = line.split_ascii_whitespace();
        let (Some(digest), Some(size), Some(path), None) = (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(wrong());
        };
        let entry = (digest.parse().map_err(|_| wrong())?, size.parse().map_err(|_| wrong())?);
        files.insert(path.to_owned(), entry);
    }
    Ok(files)
}

impl Release {
    /// The compressions of the package index of a component, the smallest first. Any one of them will do.
    ///
    /// # Errors
    /// The suite has none.
    pub fn packages(&self, component: &str, architecture: &str) -> Result<Vec<IndexFile>, ReleaseError> {
        let folder = format!("{component}/binary-{architecture}");
        let found: Vec<_> = [".xz", ".gz", ""]
            .into_iter()
            .filter_map(|suffix| {
                let path = format!("{folder}/Packages{suffix}");
                let (digest, size) = *self.files.get(&path)?;
                let by_hash = self.by_hash.then(|| format!("{folder}/by-hash/SHA256/{}", digest.hex()));
                Some(IndexFile { path, by_hash, digest, size, suffix })
            })
            .collect();
        match found.is_empty() {
            false => Ok(found),
            true => Err(ReleaseError::NoIndex {
                suite: self.codename.clone(),
                component: component.to_owned(),
                architecture: architecture.to_owned(),
            }),
        }
    }
}

impl IndexFile {
    /// The text of the index whose bytes are these.
    ///
    /// # Errors
    /// They are not the bytes that the release file vouches for, or no compressed text.
    pub fn read(&self, bytes: &[u8]) -> Result<String, ReleaseError> {
        let (found, found_size) = (Digest::of(bytes), bytes.len() as u64);
        if (found, found_size) != (self.digest, self.size) {
            let (path, digest, size) = (self.path.clone(), self.digest, self.size);
            return Err(ReleaseError::Index { path, digest, size, found, found_size });
        }
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let read = || {
            let decoder = compression::decoder(self.suffix, bytes, u32::try_from(threads).unwrap_or(1))?;
            let mut text = String::new();
            decoder.ok_or(io::ErrorKind::Unsupported)?.read_to_string(&mut text)?;
            Ok(text)
        };
        read().map_err(|source| ReleaseError::Decompress { path: self.path.clone(), source })
    }
}

/// Seconds since 1970 of a date such as `Sat, 21 Nov 2026 00:53:02 UTC`. Servers write theirs so (RFC 9110, 5.6.7).
pub fn date(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let words: Vec<&str> = text.split_once(", ")?.1.split_ascii_whitespace().collect();
    let &[day, month, year, time, "UTC" | "GMT" | "+0000"] = words.as_slice() else { return None };
    let month = MONTHS.iter().position(|name| *name == month)? as u64;
    let (day, year) = (day.parse::<u64>().ok()?, year.parse::<u64>().ok()?);
    let clock: Vec<u64> = time.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let &[hour, minute, second] = clock.as_slice() else { return None };
    if !(1970..10_000).contains(&year) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let before_year: u64 = (1970..year).map(|year| if leap(year) { 366 } else { 365 }).sum();
    let february = if leap(year) { 29 } else { 28 };
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let before_month: u64 = lengths[..month as usize].iter().sum();
    Some((before_year + before_month + day - 1) * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read() {
        for (text, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 UTC", Some(0)),
            ("Sat, 21 Nov 2026 00:53:02 UTC", Some(1_795_222_382)),
            ("Thu, 29 Feb 2024 23:59:59 GMT", Some(1_709_251_199)),
            ("Sat, 21 Nov 2026 00:53:02 CET", None),
            ("Sat, 21 Nov 2026 00:53 UTC", None),
            ("Sat, 41 Nov 2026 00:53:02 UTC", None),
            ("yesterday", None),
        ] {
            assert_eq!(date(text), seconds, "{text}");
        }
    }
}
