//! Wheels that are made in the test.

use std::io::{Cursor, Write};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use blob::Digest;
use camino::{Utf8Path, Utf8PathBuf};
use python::{
    site::{Content, Layout, SiteError, SiteFile, Wheel, lay_out},
    wheel::Archive,
};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

pub(crate) const SITE: &str = "lib/python3.11/dist-packages";

/// A folder with wheels in it.
pub(crate) struct Shelf {
    pub(crate) folder: tempfile::TempDir,
}

impl Shelf {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> Utf8PathBuf {
        Utf8Path::from_path(self.folder.path()).unwrap().to_owned()
    }

    /// Puts a wheel of `name`, version 1.0, with these files beside its metadata.
    pub(crate) fn wheel(&self, name: &str, files: &[(&str, &str)]) -> Wheel {
        self.put(name, &zip(&with_metadata(name, files)))
    }

    /// Puts these bytes as the wheel of `name`.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> Wheel {
        let filename = format!("{name}-1.0-py3-none-any.whl");
        // As in the store, the path says nothing.
        let path = self.path().join(Digest::of(bytes).hex());
        std::fs::write(&path, bytes).unwrap();
        Wheel { filename, path, requested: false }
    }
}

/// The files of a wheel with its `METADATA`, `WHEEL` and a true `RECORD`.
pub(crate) fn with_metadata(name: &str, files: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
    let info = format!("{name}-1.0.dist-info");
    let mut all: Vec<(String, Vec<u8>)> = vec![
        (format!("{info}/METADATA"), format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n").into()),
        (format!("{info}/WHEEL"), b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\n".to_vec()),
    ];
    for (path, text) in files {
        let path = path.replace("{info}", &info).replace("{data}", &format!("{name}-1.0.data"));
        all.retain(|(there, _)| *there != path);
        all.push((path, text.as_bytes().to_vec()));
    }
    let record = format!("{info}/RECORD");
    if !all.iter().any(|(path, _)| *path == record) {
        let mut rows: String = all.iter().map(|(path, bytes)| row(path, bytes)).collect();
        rows.push_str(&format!("{record},,\n"));
        all.push((record, rows.into()));
    }
    all
}

pub(crate) fn row(path: &str, bytes: &[u8]) -> String {
    format!("{path},sha256={},{}\n", URL_SAFE_NO_PAD.encode(Digest::of(bytes).as_bytes()), bytes.len())
}

/// A zip file; a path that ends in `*` is executable and loses the star.
pub(crate) fn zip(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (index, (path, bytes)) in files.iter().enumerate() {
        let method = if index % 2 == 0 { CompressionMethod::Deflated } else { CompressionMethod::Stored };
        let (path, mode) = path.strip_suffix('*').map_or((path.as_str(), 0o644), |path| (path, 0o755));
        let options = SimpleFileOptions::default().compression_method(method).unix_permissions(mode);
        writer.start_file(path, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

pub(crate) fn layout() -> Layout {
    Layout::debian_local((3, 11))
}

pub(crate) fn laid_out(wheels: &[Wheel]) -> Result<Vec<SiteFile>, SiteError> {
    lay_out(wheels, &[], &layout())
}

/// The bytes of a file of a layout.
pub(crate) fn bytes_of(file: &SiteFile, wheels: &[Wheel]) -> Vec<u8> {
    match &file.content {
        Content::Bytes(bytes) => bytes.clone(),
        Content::Zip { wheel, entry } => {
            let filename = &wheels.iter().find(|one| one.path == *wheel).unwrap().filename;
            Archive::open(filename, wheel).unwrap().read(entry).unwrap()
        }
    }
}

/// The file at `path`.
pub(crate) fn find<'f>(files: &'f [SiteFile], path: &str) -> &'f SiteFile {
    files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("{path} is not there"))
}
