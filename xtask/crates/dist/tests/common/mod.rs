//! Folders and jars that the tests make.
#![allow(dead_code, reason = "each test program uses some of these")]

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::PermissionsExt,
};

use camino::{Utf8Path, Utf8PathBuf};
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

/// A folder that removes itself.
pub(crate) fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().to_path_buf().try_into().expect("a path in UTF-8");
    (dir, path)
}

/// A file with this text, and the folders that it needs. `mode` is that of the file.
pub(crate) fn file(path: &Utf8Path, text: impl AsRef<[u8]>, mode: u32) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    fs::write(path, text).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

/// How a jar is written.
#[derive(Clone, Copy)]
pub(crate) struct How {
    pub(crate) level: i64,
    pub(crate) year: u16,
    pub(crate) extra: bool,
}

pub(crate) const PLAIN: How = How { level: 6, year: 2025, extra: false };

/// A jar with these entries in this order; a name that ends in a slash is a folder.
pub(crate) fn jar_as(path: &Utf8Path, entries: &[(&str, &[u8])], how: How) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    let mut writer = ZipWriter::new(File::create(path).expect("a file"));
    let time = DateTime::from_date_and_time(how.year, 5, 4, 3, 2, 0).expect("a time");
    for (name, bytes) in entries {
        let options = SimpleFileOptions::default().last_modified_time(time);
        if name.ends_with('/') {
            writer.add_directory(*name, options).expect("a folder");
            continue;
        }
        let stored = name.ends_with(".jar");
        let mut options = match stored {
            true => options.compression_method(CompressionMethod::Stored),
            false => options.compression_method(CompressionMethod::Deflated).compression_level(Some(how.level)),
        }
        .into_full_options();
        if how.extra {
            // The "extended timestamp" that Info-ZIP and Java write: flags, and a time in seconds since 1970.
            options.add_extra_data(0x5455, [1, 0, 0, 0, 99], false).expect("an extra field");
            options = options.with_file_comment("made by hand");
        }
        writer.start_file(*name, options).expect("an entry");
        writer.write_all(bytes).expect("bytes");
    }
    writer.finish().expect("a directory");
}

/// A jar as most are.
pub(crate) fn jar(path: &Utf8Path, entries: &[(&str, &[u8])]) {
    jar_as(path, entries, PLAIN);
}

/// A jar with a class of this name, and nothing else.
pub(crate) fn class(path: &Utf8Path, name: &str) {
    jar(path, &[("META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\r\n\r\n"), (name, b"\xca\xfe\xba\xbe")]);
}

/// Replaces bytes in a file by others of the same length, everywhere.
pub(crate) fn patch(path: &Utf8Path, from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len());
    let mut bytes = fs::read(path).expect("a file");
    let mut at = 0;
    while at + from.len() <= bytes.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
        at += 1;
    }
    fs::write(path, bytes).expect("a file");
}
