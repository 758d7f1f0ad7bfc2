//! Getting images out of a layout, in the forms that engines read.
//!
//! Every blob is compared with its digest while it is read; the result gets its name when it is whole. The same image
//! gives the same bytes: entries are sorted and have no times.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Write},
    str::FromStr,
};

use blob::{Digest, Pending};
use camino::Utf8Path;
use serde::Serialize;
use tar::{EntryType, Header};

use crate::{
    error::{Error, Result},
    layout::{Layout, to_bytes},
    oci::{Descriptor, Index, LayoutHeader, Manifest, REF_NAME},
};

/// The annotation in which containerd and Docker look for an image's full name.
const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// A form for an image outside of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A folder that is an OCI image layout.
    OciDir,
    /// The same as a tar archive.
    OciArchive,
    /// What `docker load` and `podman load` take, as `docker save` writes it: an OCI archive with a `manifest.json`.
    DockerArchive,
}

impl Format {
    /// All formats, with their names.
    pub const ALL: [(&'static str, Self); 3] =
        [("oci-dir", Self::OciDir), ("oci-archive", Self::OciArchive), ("docker-archive", Self::DockerArchive)];
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|(name, _)| *name == text).map(|(_, format)| format);
        let names = Self::ALL.map(|(name, _)| name).join(", ");
        found.ok_or_else(|| format!("`{text}` is no format for images; there are {names}"))
    }
}

/// Writes an image, or an index of images, to `path`. `names` are what it is called there, `repository:tag` each.
///
/// # Errors
/// Something is there and `replace` was not said; a blob is damaged; an index is to be a [`Format::DockerArchive`]; or
/// something cannot be read or written. What was at `path` is then still there.
pub fn export(
    layout: &Layout,
    image: &Descriptor,
    format: Format,
    names: &[String],
    path: &Utf8Path,
    replace: bool,
) -> Result<()> {
    let there = fs::symlink_metadata(path).ok();
    if there.is_some() && !replace {
        return Err(Error::Exists { path: path.to_owned() });
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_str().is_empty() => parent,
        _ => Utf8Path::new("."),
    };
    let failed = |error| Error::io("writing", path)(error);
    if format == Format::OciDir {
        // Only what is a layout is replaced by one: the name may have been a slip.
        if there.is_some() {
            Layout::open(path)?;
        }
        fs::create_dir_all(folder).map_err(failed)?;
        let work = tempfile::Builder::new().prefix(".pending-").tempdir_in(folder).map_err(failed)?;
        let work_path =
            Utf8Path::from_path(work.path()).ok_or_else(|| failed(io::ErrorKind::InvalidFilename.into()))?;
        let new = work_path.join("new");
        write_folder(layout, image, names, &new)?;
        if there.is_some() {
            fs::rename(path, work_path.join("old")).map_err(failed)?;
        }
        return fs::rename(new, path).map_err(failed);
    }
    let mut pending = Pending::new_in(folder).map_err(failed)?;
    archive(layout, image, format, names, &mut pending)?;
    pending.commit(path, 0o644).map_err(failed)?;
    Ok(())
}

/// Writes an image as a stream, for a program that reads it. A folder cannot be streamed: [`Format::OciDir`] gives the
/// same as [`Format::OciArchive`].
///
/// # Errors
/// A blob is damaged, or something cannot be read or written. What was written by then is useless.
pub fn archive(
    layout: &Layout,
    image: &Descriptor,
    format: Format,
    names: &[String],
    out: &mut dyn Write,
) -> Result<()> {
    archive_of(layout, &[Named { image, names }], format, &BTreeSet::new(), out)
}

/// An image and what it is called outside of its layout, `repository:tag` each.
#[derive(Debug, Clone, Copy)]
pub struct Named<'n> {
    /// The image.
    pub image: &'n Descriptor,
    /// Its names.
    pub names: &'n [String],
}

/// Writes several images as one stream, each blob once. The blobs of `there` are left out: who reads the stream has
/// them. The documents that make an archive of the stream come last, so that one which was cut off is none.
///
/// # Errors
/// As [`archive`].
pub fn archive_of(
    layout: &Layout,
    images: &[Named<'_>],
    format: Format,
    there: &BTreeSet<Digest>,
    out: &mut dyn Write,
) -> Result<()> {
    let contents = Contents::new(layout, images, format)?;
    let mut tar = tar::Builder::new(out);
    let failed = |error| Error::io("writing", "an archive")(error);
    for folder in ["blobs/", "blobs/sha256/"] {
        tar.append(&header(folder, 0), io::empty()).map_err(failed)?;
    }
    for blob in contents.blobs.into_iter().filter(|blob| !there.contains(&blob.digest)) {
        let name = format!("blobs/sha256/{}", blob.digest.hex());
        let reader = layout.open_blob(&blob)?;
        tar.append(&header(&name, blob.size), reader).map_err(failed)?;
    }
    for (name, bytes) in contents.documents {
        tar.append(&header(name, bytes.len() as u64), &bytes[..]).map_err(failed)?;
    }
    tar.into_inner().and_then(|out| out.flush()).map_err(failed)
}

fn write_folder(layout: &Layout, image: &Descriptor, names: &[String], folder: &Utf8Path) -> Result<()> {
    let contents = Contents::new(layout, &[Named { image, names }], Format::OciDir)?;
    let blobs = folder.join("blobs/sha256");
    for blob in contents.blobs {
        let mut pending = Pending::new_in(&blobs).map_err(Error::io("writing", &blobs))?;
        let path = blobs.join(blob.digest.hex());
        io::copy(&mut layout.open_blob(&blob)?, &mut pending).map_err(Error::io("writing", &path))?;
        pending.commit(&path, 0o444).map_err(Error::io("writing", &path))?;
    }
    for (name, bytes) in contents.documents {
        let path = folder.join(name);
        blob::write(&path, &bytes).map_err(Error::io("writing", path))?;
    }
    Ok(())
}

/// What an exported image is made of.
struct Contents {
    /// Sorted by digest, each once.
    blobs: Vec<Descriptor>,
    /// By name.
    documents: BTreeMap<&'static str, Vec<u8>>,
}

/// One image in Docker's `manifest.json`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DockerManifest<'m> {
    config: String,
    repo_tags: &'m [String],
    layers: Vec<String>,
}

impl Contents {
    fn new(layout: &Layout, images: &[Named<'_>], format: Format) -> Result<Self> {
        let mut blobs = BTreeMap::new();
        let (mut listed, mut loaded, mut repositories) = (Vec::new(), Vec::new(), Repositories::new());
        for Named { image, names } in images {
            blobs.insert(image.digest, (*image).clone());
            let mut manifests = Vec::new();
            for (_, image) in layout.images_of(image)? {
                let manifest = layout.manifest(&image)?;
                for blob in manifest.layers.iter().chain([&image, &manifest.config]) {
                    blobs.insert(blob.digest, blob.clone());
                }
                manifests.push(manifest);
            }
            listed.extend(entries(image, format, names));
            if format == Format::DockerArchive {
                let [manifest] = manifests.as_slice() else {
                    let reason = "is an index of several platforms, and a docker-archive holds one; name one of them";
                    return Err(oci::Error::layout(layout.blob_path(&image.digest), reason).into());
                };
                loaded.push(docker_manifest(manifest, names));
                add_repositories(&mut repositories, manifest, names);
            }
        }
        let mut documents = BTreeMap::from([
            ("oci-layout", to_bytes(&LayoutHeader::default())?),
            ("index.json", to_bytes(&Index::new(listed))?),
        ]);
        if format == Format::DockerArchive {
            documents.insert("manifest.json", to_bytes(&loaded)?);
            documents.insert("repositories", to_bytes(&repositories)?);
        }
        Ok(Self { blobs: blobs.into_values().collect(), documents })
    }
}

/// An image's entries in the index: one for each name.
fn entries(image: &Descriptor, format: Format, names: &[String]) -> Vec<Descriptor> {
    let bare = Descriptor { annotations: BTreeMap::new(), ..image.clone() };
    let named = names.iter().map(|name| {
        let mut image = bare.clone();
        if format == Format::DockerArchive {
            let tag = split(name).1;
            image.annotations.insert(REF_NAME.to_owned(), tag.to_owned());
            image.annotations.insert(CONTAINERD_NAME.to_owned(), full_name(name));
        } else {
            image.annotations.insert(REF_NAME.to_owned(), name.clone());
        }
        image
    });
    if names.is_empty() { vec![bare] } else { named.collect() }
}

fn docker_manifest<'n>(manifest: &Manifest, names: &'n [String]) -> DockerManifest<'n> {
    let blob = |blob: &Descriptor| format!("blobs/sha256/{}", blob.digest.hex());
    DockerManifest {
        config: blob(&manifest.config),
        repo_tags: names,
        layers: manifest.layers.iter().map(blob).collect(),
    }
}

/// Docker's oldest form of an index: repository, tag, topmost layer.
type Repositories<'n> = BTreeMap<&'n str, BTreeMap<&'n str, String>>;

fn add_repositories<'n>(repositories: &mut Repositories<'n>, manifest: &Manifest, names: &'n [String]) {
    if let Some(top) = manifest.layers.last() {
        for name in names {
            let (repository, tag) = split(name);
            repositories.entry(repository).or_default().insert(tag, top.digest.hex());
        }
    }
}

/// Repository and tag. A colon before a slash belongs to a port.
fn split(name: &str) -> (&str, &str) {
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (name, "latest"),
    }
}

/// The full name of what Docker abbreviates: without a host it is on Docker Hub.
pub fn full_name(name: &str) -> String {
    let (repository, tag) = split(name);
    let prefix = match repository.split_once('/') {
        None => "docker.io/library/",
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => "",
        Some(_) => "docker.io/",
    };
    format!("{prefix}{repository}:{tag}")
}

fn header(name: &str, size: u64) -> Header {
    let mut header = Header::new_ustar();
    // All names are short, ASCII and known.
    if let Some(fields) = header.as_ustar_mut() {
        fields.name[..name.len()].copy_from_slice(name.as_bytes());
    }
    let folder = name.ends_with('/');
    header.set_entry_type(if folder { EntryType::Directory } else { EntryType::Regular });
    header.set_mode(if folder { 0o755 } else { 0o644 });
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header.set_cksum();
    header
}
