//! A layer, read once for all images that share it: its entries, its jars, and what looks like a secret in it.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use assemble::{Kind, LayerEntry, LayerFiles};
use blob::Digest;
use oci::{Descriptor, Layout};
use rawzip::ReaderAt;

use crate::{
    Result,
    jar::{Jar, Names},
    secrets::{self, Scanner, Secret},
};

/// What the package database of Debian, and the records of Python packages, are at most large, in bytes.
const MAX_LIST: u64 = 16 << 20;

/// A jar, or why it is none.
pub type JarState = Result<Jar, String>;

/// A layer.
#[derive(Debug)]
pub struct Layer {
    /// Its digest.
    pub digest: Digest,
    /// Its entries, in their order.
    pub entries: Vec<LayerEntry>,
    /// Its jars, by place in `entries`.
    pub jars: BTreeMap<usize, Arc<JarState>>,
    /// What looks like a secret, by place in `entries`.
    pub secrets: Vec<(usize, Secret)>,
    files: LayerFiles,
    packaged: OnceLock<HashSet<String>>,
}

/// Reads layers and jars, each once.
#[derive(Default)]
pub struct LayerReader {
    names: Names,
    jars: Mutex<HashMap<Digest, Arc<JarState>>>,
    scanner: Scanner,
}

/// The bytes of one file of a layer.
struct Member<'l> {
    files: &'l LayerFiles,
    offset: u64,
    size: u64,
}

impl ReaderAt for Member<'_> {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let left = self.size.saturating_sub(position);
        let length = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let position = self.offset.checked_add(position).ok_or(io::ErrorKind::UnexpectedEof)?;
        self.files.read_at(&mut buffer[..length], position).map_err(io::Error::other)
    }
}

impl LayerReader {
    /// The names of classes of all jars that were read.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Reads a layer.
    ///
    /// # Errors
    /// It is missing, damaged or no archive. A jar that is none is no error: rules say so.
    pub fn read(&self, layout: &Layout, layer: &Descriptor) -> Result<Layer> {
        let files = LayerFiles::open(layout, layer)?;
        let entries = files.entries()?;
        let (mut jars, mut found) = (BTreeMap::new(), Vec::new());
        let mut text = Vec::new();
        for (place, entry) in entries.iter().enumerate() {
            let Kind::File { size, digest, offset } = entry.kind else { continue };
            if entry.path.ends_with(".jar") {
                jars.insert(place, self.jar(digest, &Member { files: &files, offset, size }));
            } else if size > 0 && size <= secrets::MAX_FILE {
                text.resize(size as usize, 0);
                Member { files: &files, offset, size }
                    .read_exact_at(&mut text, 0)
                    .map_err(|source| crate::Error::File { path: entry.path.clone(), layer: layer.digest, source })?;
                found.extend(self.scanner.scan(&text).into_iter().map(|secret| (place, secret)));
            }
        }
        Ok(Layer { digest: layer.digest, entries, jars, secrets: found, files, packaged: OnceLock::new() })
    }

    fn jar(&self, digest: Digest, member: &Member<'_>) -> Arc<JarState> {
        if let Some(jar) = self.jars.lock().unwrap_or_else(PoisonError::into_inner).get(&digest) {
            return jar.clone();
        }
        let jar = Arc::new(Jar::read(member, member.size, &self.names));
        self.jars.lock().unwrap_or_else(PoisonError::into_inner).insert(digest, jar.clone());
        jar
    }
}

impl Layer {
    /// The text of a file; nothing where the entry is no file, too large or no UTF-8.
    pub fn text(&self, place: usize) -> Option<String> {
        let Kind::File { size, offset, .. } = self.entries.get(place)?.kind else { return None };
        if size > MAX_LIST {
            return None;
        }
        let mut bytes = vec![0; size as usize];
        Member { files: &self.files, offset, size }.read_exact_at(&mut bytes, 0).ok()?;
        String::from_utf8(bytes).ok()
    }

    /// Whether a package of this layer brought the file: Debian's database or a Python package's record names it.
    pub fn is_packaged(&self, path: &str) -> bool {
        self.packaged.get_or_init(|| self.read_lists()).contains(path)
    }

    /// The jars that packages of this layer name.
    fn read_lists(&self) -> HashSet<String> {
        let mut jars = HashSet::new();
        for (place, entry) in self.entries.iter().enumerate() {
            let Some((folder, name)) = entry.path.rsplit_once('/') else { continue };
            let debian = folder == "var/lib/dpkg/info" && name.ends_with(".list");
            let python = name == "RECORD" && folder.ends_with(".dist-info");
            if !debian && !python {
                continue;
            }
            let text = self.text(place).unwrap_or_default();
            if debian {
                let lines = text.lines().filter(|line| line.ends_with(".jar"));
                jars.extend(lines.map(|line| line.trim_start_matches('/').to_owned()));
            } else {
                let site = folder.rsplit_once('/').map_or("", |(site, _)| site);
                let paths =
                    text.lines().filter_map(|line| line.split(',').next()).filter(|path| path.ends_with(".jar"));
                jars.extend(paths.map(|path| format!("{site}/{path}")));
            }
        }
        jars
    }
}
