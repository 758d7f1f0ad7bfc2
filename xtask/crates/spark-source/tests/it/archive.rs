//! Source archives, good and hostile.

use std::{
    cell::Cell,
    fs::{self, File},
    os::unix::fs::MetadataExt,
    sync::atomic::{AtomicBool, Ordering},
};

use blob::Digest;
use camino::{Utf8Path, Utf8PathBuf};
use spark_source::{Error, Tree, archive};
use tar::EntryType;

use crate::sample::{POM, files_of};

struct Made {
    _dir: tempfile::TempDir,
    folder: Utf8PathBuf,
    archive: Utf8PathBuf,
}

type Part<'a> = (EntryType, &'a str, &'a str, u32);

const GOOD: [Part<'_>; 9] = [
    (EntryType::XGlobalHeader, "pax_global_header", "18 comment=abcdef\n", 0o644),
    (EntryType::Directory, "spark-3.5.7/", "", 0o775),
    (EntryType::Regular, "spark-3.5.7/pom.xml", POM, 0o664),
    (EntryType::Regular, "./spark-3.5.7/dev/make-distribution.sh", "#!/bin/sh\n", 0o775),
    (EntryType::Symlink, "spark-3.5.7/python/link", "../pom.xml", 0o777),
    (EntryType::Regular, "spark-3.5.7/python/lib/py4j-0.10.9.7-src.zip", "PK", 0o4600),
    (EntryType::Regular, "spark-3.5.7/python/pyspark/version.py", "__version__ = '3.5.7'", 0o644),
    (EntryType::Directory, "spark-3.5.7/python", "", 0o700),
    (EntryType::Directory, "spark-3.5.7/empty/", "", 0o700),
];

fn made(parts: &[Part<'_>]) -> Made {
    let dir = tempfile::tempdir().unwrap();
    let folder = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
    let archive = folder.join("spark.tgz");
    let gzip = flate2::write::GzEncoder::new(File::create(&archive).unwrap(), flate2::Compression::fast());
    let mut builder = tar::Builder::new(gzip);
    for (kind, path, content, mode) in parts {
        let mut header = tar::Header::new_gnu();
        let is_link = matches!(kind, EntryType::Symlink | EntryType::Link);
        let bytes = if is_link { "" } else { content };
        header.set_entry_type(*kind);
        header.set_size(bytes.len() as u64);
        header.set_mode(*mode);
        // The usual ways refuse what a hostile archive has.
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        if is_link {
            header.as_mut_bytes()[157..157 + content.len()].copy_from_slice(content.as_bytes());
        }
        header.set_cksum();
        builder.append(&header, bytes.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap();
    Made { _dir: dir, folder, archive }
}

impl Made {
    fn digest(&self) -> Digest {
        Digest::of(&fs::read(&self.archive).unwrap())
    }

    fn unpack(&self, digest: &Digest) -> Result<Utf8PathBuf, Error> {
        let dest = self.folder.join("sources/spark");
        let unpacked = archive::unpack(&self.archive, digest, &dest, &AtomicBool::new(false), &|_| ());
        if unpacked.is_err() {
            assert_eq!(left(&self.folder.join("sources")), Vec::<String>::new());
        }
        unpacked.map(|()| dest)
    }
}

fn left(folder: &Utf8Path) -> Vec<String> {
    folder.read_dir_utf8().unwrap().map(|entry| entry.unwrap().file_name().to_owned()).collect()
}

#[test]
fn a_source_archive_becomes_a_tree() {
    let made = made(&GOOD);
    let bytes = Cell::new(0);
    let dest = made.folder.join("spark");
    let progress = |n| bytes.set(bytes.get() + n);
    archive::unpack(&made.archive, &made.digest(), &dest, &AtomicBool::new(false), &progress).unwrap();
    assert_eq!(bytes.get(), fs::metadata(&made.archive).unwrap().len());
    assert_eq!(Tree::open(&dest).unwrap().pom().version, "3.5.7");
    let expected = [
        "dev/make-distribution.sh",
        "pom.xml",
        "python/lib/py4j-0.10.9.7-src.zip",
        "python/link",
        "python/pyspark/version.py",
    ];
    assert_eq!(files_of(&dest), expected);
    assert!(dest.join("empty").is_dir());
    let mode = |path: &str| fs::metadata(dest.join(path)).unwrap().mode() & 0o7777;
    let modes = ["", "python", "pom.xml", "dev/make-distribution.sh", "python/lib/py4j-0.10.9.7-src.zip"].map(mode);
    assert_eq!(modes, [0o755, 0o755, 0o644, 0o755, 0o644]);
    let again = archive::unpack(&made.archive, &made.digest(), &dest, &AtomicBool::new(false), &|_| ());
    assert!(matches!(again, Err(Error::Exists(path)) if path == dest));
}

#[test]
fn an_archive_that_is_another_one_or_damaged_leaves_nothing() {
    let made = made(&GOOD);
    let (digest, whole) = (made.digest(), fs::read(&made.archive).unwrap());
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    let longer = [&whole[..], b"more"].concat();
    for bytes in [&whole[..0], &whole[..9], &whole[..whole.len() / 2], &whole[..whole.len() - 1], &flipped, &longer] {
        fs::write(&made.archive, bytes).unwrap();
        let error = made.unpack(&digest).unwrap_err().to_string();
        let size = bytes.len();
        let found = Digest::of(bytes);
        assert!(error.ends_with(&format!("expected {digest}, found {found} ({size} bytes)")), "{error}");
    }
    // Damaged, but as it was asked for.
    for bytes in [&whole[..whole.len() / 2], b"no gzip", &longer, b""] {
        fs::write(&made.archive, bytes).unwrap();
        made.unpack(&Digest::of(bytes)).unwrap_err();
    }
    fs::write(&made.archive, whole).unwrap();
    made.unpack(&digest).unwrap();
}

#[test]
fn what_leads_out_of_an_archive_is_refused() {
    use EntryType::{Block, Char, Directory, Fifo, Link, Regular, Symlink};
    let hostile: [(&str, &[Part<'_>]); 15] = [
        ("spark/../x", &[(Regular, "spark/../x", "x", 0o644)]),
        ("/spark/x", &[(Regular, "/spark/x", "x", 0o644)]),
        ("../x", &[(Directory, "../x", "", 0o755)]),
        ("spark/l -> ../x", &[(Symlink, "spark/l", "../x", 0o777)]),
        ("spark/l -> /etc", &[(Symlink, "spark/l", "/etc", 0o777)]),
        ("spark/l -> a/../../x", &[(Symlink, "spark/l", "a/../../x", 0o777)]),
        ("spark/h, which is a Link", &[(Link, "spark/h", "spark/a", 0o644)]),
        ("spark/d, which is a Char", &[(Char, "spark/d", "", 0o644)]),
        ("spark/d, which is a Block", &[(Block, "spark/d", "", 0o644)]),
        ("spark/d, which is a Fifo", &[(Fifo, "spark/d", "", 0o644)]),
        ("other/b", &[(Regular, "spark/a", "x", 0o644), (Regular, "other/b", "x", 0o644)]),
        ("found spark", &[(Regular, "spark", "x", 0o644)]),
        ("found nothing", &[]),
        ("spark/a", &[(Regular, "spark/a", "x", 0o644), (Regular, "spark/a", "y", 0o644)]),
        ("/l", &[(Symlink, "spark/l", "a", 0o777), (Regular, "spark/l/x", "y", 0o644)]),
    ];
    for (expected, parts) in hostile {
        let made = made(parts);
        let error = made.unpack(&made.digest()).unwrap_err().to_string();
        assert!(error.ends_with(expected), "{error}: {expected}");
    }
}

#[test]
fn unpacking_can_be_interrupted() {
    let made = made(&GOOD);
    let cancel = AtomicBool::new(false);
    let stop = |_| cancel.store(true, Ordering::Relaxed);
    let error = archive::unpack(&made.archive, &made.digest(), &made.folder.join("spark"), &cancel, &stop).unwrap_err();
    assert!(error.to_string().starts_with("interrupted while unpacking "), "{error}");
    assert_eq!(left(&made.folder), ["spark.tgz"]);
}
