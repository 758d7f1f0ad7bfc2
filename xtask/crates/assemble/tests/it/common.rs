//! A layout and a context in a temporary folder, and images as short listings.

use std::{collections::BTreeMap, io::Write};

use assemble::{
    Body, Built, Context, Layout, Platform, Request, Result, Tree, build,
    context::Entry,
    oci::{Descriptor, ImageConfig, Manifest, media_type},
    tree,
};
use camino::Utf8PathBuf;

/// 2026-01-01, the time of everything that the tests build.
pub(crate) const EPOCH: i64 = 1_767_225_600;

pub(crate) struct Bench {
    pub(crate) layout: Layout,
    pub(crate) context: Context,
    pub(crate) args: BTreeMap<String, String>,
    pub(crate) images: BTreeMap<String, Descriptor>,
    pub(crate) target: Option<&'static str>,
    pub(crate) folder: Utf8PathBuf,
    _folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let guard = tempfile::tempdir().unwrap();
        let folder = Utf8PathBuf::from_path_buf(guard.path().to_path_buf()).unwrap();
        Self {
            layout: Layout::create(folder.join("layout")).unwrap(),
            context: Context::new(),
            args: BTreeMap::new(),
            images: BTreeMap::new(),
            target: None,
            folder,
            _folder: guard,
        }
    }

    /// A context with these files; a name that ends in `*` is executable, and `a -> b` is a link.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let mut bench = Self::new();
        for (name, text) in files {
            bench.put(name, text.as_bytes());
        }
        bench
    }

    pub(crate) fn put(&mut self, name: &str, bytes: &[u8]) {
        let entry = |executable| Entry::bytes(executable, bytes.to_vec());
        let (path, entry) = match (name.split_once(" -> "), name.strip_suffix('*')) {
            (Some((path, target)), _) => (path, Entry::Symlink { target: target.to_owned() }),
            (None, Some(path)) => (path, entry(true)),
            (None, None) => (name, entry(false)),
        };
        self.context.insert(path, entry).unwrap();
    }

    pub(crate) fn try_build(&self, dockerfile: &str) -> Result<Built> {
        self.try_build_for(&platform(), dockerfile)
    }

    pub(crate) fn try_build_for(&self, platform: &Platform, dockerfile: &str) -> Result<Built> {
        let request = Request {
            dockerfile,
            name: "Dockerfile",
            context: &self.context,
            args: &self.args,
            target: self.target,
            images: &self.images,
            labels: &BTreeMap::new(),
            epoch: EPOCH,
            platform,
            jobs: 2,
            running: None,
        };
        build(&self.layout, &request)
    }

    pub(crate) fn build(&self, dockerfile: &str) -> Built {
        self.try_build(dockerfile).unwrap_or_else(|error| panic!("{error}"))
    }

    /// What a build says that cannot be done.
    pub(crate) fn refuse(&self, dockerfile: &str) -> String {
        match self.try_build(dockerfile) {
            Ok(_) => panic!("was built: {dockerfile}"),
            Err(error) => error.to_string(),
        }
    }

    /// Builds, and lists the files.
    pub(crate) fn files(&self, dockerfile: &str) -> Vec<String> {
        listing(&tree(&self.layout, &self.build(dockerfile).image).unwrap())
    }

    /// Stores an image with these layers, as another tool might have made it.
    pub(crate) fn foreign_image(&mut self, name: &str, layers: &[(&str, Vec<u8>)]) {
        let descriptor = |media_type: &str, bytes: &[u8]| {
            let digest = blob::Digest::of(bytes);
            blob::write(&self.layout.blob_path(&digest), bytes).unwrap();
            let size = bytes.len() as u64;
            Descriptor::new(media_type, digest, size)
        };
        let layers: Vec<_> = layers.iter().map(|(kind, bytes)| descriptor(kind, bytes)).collect();
        let mut config = ImageConfig { os: "linux".to_owned(), architecture: "amd64".to_owned(), ..Default::default() };
        config.rootfs.diff_ids = layers.iter().map(|layer| layer.digest).collect();
        let config = self.layout.put(media_type::CONFIG, &config).unwrap();
        let manifest = Manifest { schema_version: 2, media_type: None, config, layers, annotations: BTreeMap::new() };
        let image = self.layout.put(media_type::MANIFEST, &manifest).unwrap();
        self.layout.tag(name, &image).unwrap();
    }
}

pub(crate) fn platform() -> Platform {
    "linux/amd64".parse().unwrap()
}

/// One line for each entry: kind, mode, owner, path and what it holds.
pub(crate) fn listing(tree: &Tree) -> Vec<String> {
    let line = |(path, node): (&str, &assemble::Node)| {
        let (kind, rest) = match &node.body {
            Body::Dir => ('d', String::new()),
            Body::File(file) => ('-', format!(" {}", file.size)),
            Body::Symlink { target } => ('l', format!(" -> {target}")),
            Body::Fifo => ('p', String::new()),
            Body::Device { major, minor, .. } => ('c', format!(" {major},{minor}")),
            other => panic!("{other:?}"),
        };
        format!("{kind}{:04o} {}:{} {path}{rest}", node.mode, node.uid, node.gid)
    };
    tree.iter().map(line).collect()
}

/// A tar archive of entries that `fill` appends.
pub(crate) fn tar(fill: impl FnOnce(&mut tar::Builder<Vec<u8>>)) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    fill(&mut builder);
    builder.into_inner().unwrap()
}

/// Appends an entry to a tar archive. `kind` is the letter of the entry's type.
pub(crate) fn entry(
    tar: &mut tar::Builder<Vec<u8>>,
    kind: u8,
    path: &str,
    mode: u32,
    owner: (u64, u64),
    content: &str,
) {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_mode(mode);
    header.set_uid(owner.0);
    header.set_gid(owner.1);
    header.set_mtime(1_000_000_000);
    if matches!(kind, b'1' | b'2') {
        header.set_size(0);
        tar.append_link(&mut header, path, content).unwrap();
    } else {
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, path, content.as_bytes()).unwrap();
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
